package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
)

// SessionFile remembers a server's session with ZooKeeper. It is locked for as
// long as the process lives, so whoever gets the lock knows that the session in
// it belongs to a process that has died, and can end it: what that process held
// is free at once instead of after the session's timeout.
type SessionFile struct {
	f      *os.File
	config zk.Config
}

// savedSession is what is in the file.
type savedSession struct {
	Session  int64  `json:"session"`
	Password []byte `json:"password"`
	Address  string `json:"address"`
}

// OpenSessionFile opens or makes the file and locks it. It is an error when
// another process has it. config says how to reach ZooKeeper.
func OpenSessionFile(name string, config zk.Config) (*SessionFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) // whoever knows the password can end the session
	if err != nil {
		return nil, fmt.Errorf("open the file that remembers the session: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s, which another server seems to use: %w", name, err), f.Close())
	}
	return &SessionFile{f: f, config: config}, nil
}

// Close releases the file. What is in it stays.
func (f *SessionFile) Close() error { return f.f.Close() }

// Clear forgets the session, which has been closed.
func (f *SessionFile) Clear() error { return f.f.Truncate(0) }

func (f *SessionFile) save(id int64, password []byte, address string) error {
	b, err := json.Marshal(savedSession{Session: id, Password: password, Address: address})
	if err != nil {
		return err
	}
	if err := f.f.Truncate(0); err != nil {
		return err
	}
	_, err = f.f.WriteAt(b, 0)
	return err
}

// load returns the remembered session; false when there is none. What cannot be
// read, after a crash while it was written, is none.
func (f *SessionFile) load() (savedSession, bool) {
	b, err := io.ReadAll(io.NewSectionReader(f.f, 0, 4096))
	if err != nil {
		return savedSession{}, false
	}
	return parseSession(b)
}

func parseSession(b []byte) (savedSession, bool) {
	var s savedSession
	err := json.Unmarshal(b, &s)
	return s, err == nil && s.Session != 0
}

// endPredecessor ends the session of a process that died. It gives up when
// ZooKeeper does not answer: then the session expires by itself.
func (f *SessionFile) endPredecessor(ctx context.Context, address string, log *slog.Logger) {
	s, ok := f.load()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	name := fmt.Sprintf("0x%x", uint64(s.Session))
	if err := zk.CloseSession(ctx, f.config, s.Session, s.Password); err != nil {
		log.Warn("the session of this server's last run could not be ended and holds what it held until it expires", "session", name, "error", err)
		return
	}
	if s.Address != address {
		log.Info("this server had another address in its last run", "then", s.Address, "now", address)
	}
	log.Info("the session of this server's last run is ended", "session", name)
}
