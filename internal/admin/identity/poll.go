package identity

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// CheckPollHeaders checks what a server sends with each request for its
// configuration: the user, and Canal's hash of the password that servers and admin
// share. The errors have the texts of Canal's PollingConfigController.
func (s *Service) CheckPollHeaders(user, passwd string) error {
	sum, digits := hexBytes(passwd)
	if !digits {
		return fmt.Errorf("illegal hex-string: %s", s.hide(passwd, s.pollHash[:]))
	}
	ok := subtle.ConstantTimeCompare([]byte(user), []byte(s.o.PollUser)) & subtle.ConstantTimeCompare(sum, s.pollHash[:])
	if ok != 1 || s.o.PollUser == "" || s.o.PollPassword == "" {
		return fmt.Errorf("auth :%s is failed", user)
	}
	return nil
}

// PollUser is the user whom servers ask for their configuration as.
func (s *Service) PollUser() string { return s.o.PollUser }

// hide keeps the shared password and its hash out of the answer, which ends in the
// server's log: a server may have been given the password itself, or MySQL's way to
// write the hash, with an asterisk.
func (s *Service) hide(passwd string, hash []byte) string {
	sum, _ := hexBytes(strings.TrimPrefix(passwd, "*"))
	if passwd == s.o.PollPassword || bytes.Equal(sum, hash) {
		return "******"
	}
	return passwd
}

// hexBytes decodes hex digits; an odd number of them comes to nothing. digits is
// false when there is anything else among them.
func hexBytes(s string) (b []byte, digits bool) {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return nil, false
		}
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, true
	}
	return b, true
}

// canalSum is Canal's hash of a password, SHA-1 twice.
func canalSum(password string) [sha1.Size]byte {
	once := sha1.Sum([]byte(password))
	return sha1.Sum(once[:])
}
