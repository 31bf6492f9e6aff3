package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// ExpireSession ends a session as its expiry would: its ephemeral nodes go, and
// its owner finds it expired when it speaks next. It is an error when the session
// does not exist.
//
// A session's password, which its owner alone is told, follows from its id
// (ZooKeeperServer.generatePasswd). So this joins the session and closes it.
func (z *ZooKeeper) ExpireSession(id int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*askTimeout)
	defer cancel()
	var errs []error
	for i := range z.nodes {
		err := z.closeSession(ctx, i, id)
		if err == nil || errors.Is(err, errNoSession) {
			return err
		}
		errs = append(errs, fmt.Errorf("through ZooKeeper server %d: %w", i, err))
	}
	return fmt.Errorf("expire session %#x: %w", id, errors.Join(errs...))
}

// errNoSession is a session that has expired, was closed or never was.
var errNoSession = errors.New("there is no such ZooKeeper session")

func (z *ZooKeeper) closeSession(ctx context.Context, i int, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", localAddr(z.nodes[i].client))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(joinRequest(id)); err != nil {
		return fmt.Errorf("join session: %w", err)
	}
	answer, err := readFrame(c)
	if err != nil {
		return fmt.Errorf("join session: %w", err)
	}
	// ConnectResponse: protocol version, timeout, session id and password. The
	// timeout of a session that cannot be joined is 0.
	if len(answer) < 8 {
		return fmt.Errorf("join session: answer of %d bytes", len(answer))
	}
	if binary.BigEndian.Uint32(answer[4:]) == 0 {
		return errNoSession
	}
	if _, err := c.Write(closeRequest()); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	if _, err := readFrame(c); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

// joinRequest is a framed ConnectRequest that takes a session over.
func joinRequest(id int64) []byte {
	const size, timeout = 44, 10000 // the timeout in ms has no effect: the session is closed at once
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint32(b, 0) // protocol version
	b = binary.BigEndian.AppendUint64(b, 0) // last transaction seen
	b = binary.BigEndian.AppendUint32(b, timeout)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	password := sessionPassword(id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(password)))
	return append(b, password[:]...)
}

// opCloseSession is ZooDefs.OpCode.closeSession.
const opCloseSession int32 = -11

// closeRequest is a framed request to close the connection's session: a number
// and the kind.
func closeRequest() []byte {
	kind := opCloseSession
	b := binary.BigEndian.AppendUint32(nil, 8)
	b = binary.BigEndian.AppendUint32(b, 1)
	return binary.BigEndian.AppendUint32(b, uint32(kind))
}

// sessionPassword is what ZooKeeperServer.generatePasswd makes: bytes of a
// java.util.Random that starts from the id.
func sessionPassword(id int64) (password [16]byte) {
	const secret, multiplier, mask = 0xB3415C00, 0x5DEECE66D, 1<<48 - 1
	state := (uint64(id) ^ secret ^ multiplier) & mask
	for i := 0; i < len(password); i += 4 {
		state = (state*multiplier + 0xB) & mask
		binary.LittleEndian.PutUint32(password[i:], uint32(state>>16))
	}
	return password
}

// readFrame reads an answer: four bytes of length, then so many bytes.
func readFrame(r io.Reader) ([]byte, error) {
	const limit = 1 << 20
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > limit {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
