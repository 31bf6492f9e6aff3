package identity

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what a hash takes. It is stored with each, so that it can be raised.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// presentCost is that of new hashes: some 60 ms of one processor, and 32 MiB, of
// which maxHashing are in use at a time.
var presentCost = cost{memory: 32 << 10, passes: 3, threads: 1}

// Bounds of what a stored hash may ask for. A database that has been tampered with
// must not exhaust the machine.
const (
	maxMemory  = 256 << 10 // KiB
	maxPasses  = 16
	maxThreads = 8
	saltLength = 16
	sumLength  = 32
	maxBytes   = 64 // of a stored salt or sum
)

// hash is a stored password: argon2id, written as other programs do, too:
// $argon2id$v=19$m=32768,t=3,p=1$salt$sum, both in base64.
type hash struct {
	cost
	salt, sum []byte
}

// errHash is all that is said about a stored hash that cannot be read.
var errHash = errors.New("stored password hash is not one of argon2id")

func newHash(password string) hash {
	h := hash{cost: presentCost, salt: make([]byte, saltLength)}
	rand.Read(h.salt) // never fails
	h.sum = h.of(password, sumLength)
	return h
}

func (h hash) of(password string, length int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(length))
}

func (h hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password, len(h.sum)), h.sum) == 1
}

func (h hash) String() string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads, e.EncodeToString(h.salt), e.EncodeToString(h.sum))
}

func parseHash(s string) (hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, errHash
	}
	c, err := parseCost(parts[3])
	if err != nil {
		return hash{}, err
	}
	h := hash{cost: c}
	for i, to := range []*[]byte{&h.salt, &h.sum} {
		if *to, err = base64.RawStdEncoding.Strict().DecodeString(parts[4+i]); err != nil || len(*to) < 8 || len(*to) > maxBytes {
			return hash{}, errHash
		}
	}
	return h, nil
}

// parseCost reads m=32768,t=3,p=1.
func parseCost(s string) (cost, error) {
	words := strings.Split(s, ",")
	if len(words) != 3 {
		return cost{}, errHash
	}
	bounds := []struct {
		prefix    string
		low, high uint64
	}{{"m=", 8 * maxThreads, maxMemory}, {"t=", 1, maxPasses}, {"p=", 1, maxThreads}}
	var values [3]uint64
	for i, b := range bounds {
		digits, ok := strings.CutPrefix(words[i], b.prefix)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n < b.low || n > b.high {
			return cost{}, errHash
		}
		values[i] = n
	}
	return cost{uint32(values[0]), uint32(values[1]), uint8(values[2])}, nil
}

// HashCanal is Canal's hash of a password: hex(SHA1(SHA1(password))), in lower
// case. It is what MySQL's PASSWORD() gave, without the asterisk.
func HashCanal(plain string) string {
	once := sha1.Sum([]byte(plain))
	twice := sha1.Sum(once[:])
	return hex.EncodeToString(twice[:])
}

// matchesCanal says whether a password has Canal's hash, whose digits may be of
// either case.
func matchesCanal(password, stored string) bool {
	return subtle.ConstantTimeCompare([]byte(HashCanal(password)), []byte(strings.ToLower(stored))) == 1
}
