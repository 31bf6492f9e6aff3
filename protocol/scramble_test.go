package protocol

import (
	"bytes"
	"encoding/hex"
	"testing"
)

var testSeed = []byte{1, 2, 3, 4, 5, 6, 7, 8}

// The vectors were computed by Canal's SecurityUtil.
func TestScramble(t *testing.T) {
	for _, c := range []struct{ password, hash, token string }{
		{"canal", "e3619321c1a937c46a0d8bd1dac39f93b27d4458", "7de44690d8e53782cb61804a2455c284a3bbfb06"},
		{"", "", "ed26d729f84a104ddef91f5ba7b5174f537fad40"},
		{"pässwörd", "", ""},
	} {
		hash := HashPassword([]byte(c.password))
		if got := hex.EncodeToString(hash[:]); c.hash != "" && got != c.hash {
			t.Errorf("%q: hash %s, want %s", c.password, got, c.hash)
		}
		token := Scramble([]byte(c.password), testSeed)
		if got := hex.EncodeToString(token[:]); c.token != "" && got != c.token {
			t.Errorf("%q: token %s, want %s", c.password, got, c.token)
		}
		if !CheckScramble(token[:], hash[:], testSeed) {
			t.Errorf("%q: own token is refused", c.password)
		}
		if !CheckScramble(append(token[:], 9), hash[:], testSeed) {
			t.Errorf("%q: token with more behind it is refused", c.password)
		}
		if CheckScramble(token[:19], hash[:], testSeed) || CheckScramble(token[:], hash[:], testSeed[1:]) ||
			CheckScramble(token[:], hash[:10], testSeed) || CheckScramble(token[:], nil, testSeed) {
			t.Errorf("%q: wrong token is accepted", c.password)
		}
	}
}

func TestDecodeHex(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []byte
	}{
		{"", []byte{}}, {"0aFf", []byte{0x0a, 0xff}}, {"abc", []byte{0x0a, 0xbc}}, {"xy", nil}, {"0 ", nil},
	} {
		got, err := DecodeHex([]byte(c.in))
		if (err == nil) != (c.want != nil) || !bytes.Equal(got, c.want) {
			t.Errorf("%q: got %x, %v, want %x", c.in, got, err, c.want)
		}
	}
}
