package protocol

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
)

// ScrambleSize is the length of a password token and of a stored password hash,
// in bytes: that of a SHA-1 sum. Both travel and are kept as hex.
const ScrambleSize = sha1.Size

// SeedSize is the length of the seed in a Handshake, in bytes.
const SeedSize = 8

// HashPassword returns what a server keeps of a password: the SHA-1 of its
// SHA-1, which is MySQL's PASSWORD() without the star.
func HashPassword(password []byte) [ScrambleSize]byte {
	stage1 := sha1.Sum(password)
	return sha1.Sum(stage1[:])
}

// Scramble returns the token that proves knowledge of password to a server that
// sent seed, as in MySQL 4.1 (Canal's SecurityUtil). ClientAuth carries it in
// hex. An empty password has a token too.
func Scramble(password, seed []byte) [ScrambleSize]byte {
	stage1 := sha1.Sum(password)
	stage2 := sha1.Sum(stage1[:])
	token := seededSum(seed, stage2[:])
	subtle.XORBytes(token[:], token[:], stage1[:])
	return token
}

// CheckScramble reports whether token proves knowledge of the password behind
// hash. Bytes of token after the first ScrambleSize are ignored, as in Canal; a
// shorter one proves nothing.
func CheckScramble(token, hash, seed []byte) bool {
	if len(token) < ScrambleSize {
		return false
	}
	stage1 := seededSum(seed, hash)
	subtle.XORBytes(stage1[:], stage1[:], token[:ScrambleSize])
	stage2 := sha1.Sum(stage1[:])
	return subtle.ConstantTimeCompare(stage2[:], hash) == 1
}

func seededSum(seed, hash []byte) (sum [ScrambleSize]byte) {
	h := sha1.New()
	h.Write(seed)
	h.Write(hash)
	h.Sum(sum[:0])
	return sum
}

// errNotHex names no byte of the text: it may be a password.
var errNotHex = errors.New("not hex digits")

// DecodeHex reads a token or a stored hash in either case. An odd number of
// digits is read as if a 0 stood before them, as Canal does.
func DecodeHex(text []byte) ([]byte, error) {
	if len(text)%2 == 1 {
		text = append([]byte{'0'}, text...)
	}
	b := make([]byte, len(text)/2)
	if _, err := hex.Decode(b, text); err != nil {
		return nil, errNotHex
	}
	return b, nil
}
