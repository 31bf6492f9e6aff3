package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
)

// maxAuthFrame is the longest authentication request, in bytes. Who has not
// shown a password yet may not make the server keep more.
const maxAuthFrame = 64 << 10

// handshake greets the client with the seed for its password token.
func (s *session) handshake() error {
	rand.Read(s.seed[:])
	_, err := s.reply(&protocol.Handshake{Seeds: s.seed[:]})
	return err
}

// authenticate reads packets until one holds good credentials. As in Canal the
// first packet is taken for a ClientAuth whatever its type says, and a client
// that was refused may try again with the same seed.
func (s *session) authenticate(soft, hard context.Context) error {
	for failures := 0; ; {
		packet, err := s.readPacket(soft, maxAuthFrame)
		if err != nil {
			return err
		}
		auth, err := protocol.ParseClientAuth(packet.Body)
		if err != nil {
			return fmt.Errorf("read authentication: %w", err)
		}
		ok, err := s.server.accepts(&auth, s.seed[:])
		if err != nil {
			return fmt.Errorf("authenticate user %q: %w", auth.Username, err)
		}
		if ok {
			return s.authenticated(hard, &auth)
		}
		failures++
		s.log.Warn("authentication failed", "user", auth.Username, "failures", failures)
		if _, err := s.reply(failure(codeBad, "auth failed for user:"+auth.Username)); err != nil {
			return err
		}
		if failures >= s.server.options.MaxAuthFailures {
			return errAuthLimit
		}
	}
}

// authenticated subscribes the client if it asked for that along with the
// authentication, and opens the session. A subscription that fails closes the
// connection without a reply, as in Canal.
func (s *session) authenticated(hard context.Context, auth *protocol.ClientAuth) error {
	if auth.Destination != "" && auth.ClientID != "" {
		sub := protocol.Sub{Destination: auth.Destination, ClientID: auth.ClientID, Filter: auth.Filter}
		if _, err := s.subscribe(hard, &sub); err != nil {
			return fmt.Errorf("subscribe with authentication: %w", err)
		}
	}
	s.readIdle = idleLimit(auth.NetReadTimeout)
	s.writeIdle = idleLimit(auth.NetWriteTimeout)
	s.authDeadline = time.Time{}
	_, err := s.reply(&protocol.Ack{})
	return err
}

func idleLimit(ms protocol.Opt[int32]) time.Duration {
	if ms.Value <= 0 {
		return defaultIdle
	}
	return time.Duration(ms.Value) * time.Millisecond
}

// errNoToken is a client's mistake, not a wrong password: canal-python 0.4 sends
// the password itself.
var errNoToken = errors.New("password is not a scramble token in hex")

// accepts decides about credentials as Canal's server does. The error says that
// the token is none at all, for which Canal closes the connection.
func (s *Server) accepts(auth *protocol.ClientAuth, seed []byte) (bool, error) {
	user, hash := s.options.User, s.options.PasswdHash
	switch {
	case user != "" && auth.Username != user:
		return false, nil
	case len(hash) == 0:
		return true, nil
	case len(auth.Password) == 0:
		return false, nil
	}
	token, err := protocol.DecodeHex(auth.Password)
	if err != nil || len(token) < protocol.ScrambleSize {
		return false, errNoToken
	}
	return protocol.CheckScramble(token, hash, seed), nil
}
