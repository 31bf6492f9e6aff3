package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/mysql"
)

// errSwitch ends an attempt because the other server is to be read.
var errSwitch = errors.New("switching to the other server")

// detect runs the heartbeat statement against the server in use and, when it
// has failed too often and the configuration allows it, switches to the other
// server. Source.Run starts it, ctx stops it, Run waits for it.
func (s *Source) detect(ctx context.Context) {
	t := time.NewTicker(s.o.Instance.DetectingInterval)
	defer t.Stop()
	var (
		conn   *mysql.Conn
		failed int
	)
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		server := s.current()
		if conn != nil && conn.Address() != server.Address {
			_ = conn.Close()
			conn = nil
		}
		err := s.beat(ctx, server, &conn)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failed = 0
			continue
		}
		failed++
		s.log.WarnContext(ctx, "heartbeat statement failed", "address", server.Address, "failures", failed, "cause", err.Error())
		if failed > s.o.Instance.DetectingThreshold && s.o.Instance.DetectingHA {
			failed = 0
			s.switchOver(ctx, server, err)
		}
	}
}

// beat runs the statement once, on a new connection if the old one broke.
func (s *Source) beat(ctx context.Context, server endpoint, conn **mysql.Conn) error {
	if *conn == nil {
		c, err := mysql.Connect(ctx, s.mysqlConfig(server))
		if err != nil {
			return err
		}
		*conn = c
	}
	_, err := (*conn).Query(ctx, s.o.Instance.DetectingSQL)
	if err != nil {
		_ = (*conn).Close()
		*conn = nil
	}
	return err
}

// switchOver makes the other server the one in use and ends the attempt under
// way. Without another one it only says so.
func (s *Source) switchOver(ctx context.Context, from endpoint, cause error) {
	s.mu.Lock()
	to := s.servers[1-s.active]
	possible := to.Address != "" && to.Address != from.Address && s.servers[s.active].Address == from.Address
	if possible {
		s.active = 1 - s.active
		s.stats.Switches++
		if s.abort != nil {
			s.abort(errSwitch)
		}
	}
	s.mu.Unlock()
	if !possible {
		s.log.ErrorContext(ctx, fmt.Sprintf("%s does not answer and there is no other server to switch to: set canal.instance.standby.address", from.Address),
			"cause", cause.Error())
		return
	}
	s.log.WarnContext(ctx, fmt.Sprintf("try to ha switch, old:%s, new:%s", from.Address, to.Address), "cause", cause.Error())
	if s.o.Hooks.Switched != nil {
		s.o.Hooks.Switched(from.Address, to.Address)
	}
}
