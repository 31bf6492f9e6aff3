package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// TestLateGet: a GET comes to be served when its client has long gone. A batch that it
// took would be missing on the connection that came after.
func TestLateGet(t *testing.T) {
	for name, pipelined := range map[string]int{"alone": 0, "with requests behind it": 3} {
		t.Run(name, func(t *testing.T) {
			began, left := make(chan struct{}), make(chan error, 1)
			f := &fakeInstance{get: func(ctx context.Context, _ meta.Client, _ int32, _ time.Duration) (delivery.Delivery, error) {
				if err := delivery.Present(ctx); err != nil {
					t.Errorf("while the client was there: %v", err)
				}
				close(began)
				err := error(nil)
				for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
					err = delivery.Present(ctx)
				}
				left <- err
				return delivery.Delivery{}, err
			}}
			s, addr := startServer(t, Options{}, fakeRegistry{instance: f})
			c := login(t, addr)
			// Without a timeout, so that nothing watches the connection meanwhile.
			c.send(&protocol.Get{Destination: "example", ClientID: "1", Timeout: protocol.Some[int64](-1)})
			within(t, "get", began)
			for range pipelined {
				c.send(&protocol.Sub{Destination: "example", ClientID: "1"})
			}
			c.conn.Close()
			if err := <-left; !errors.Is(err, errHungUp) {
				t.Errorf("when the client had gone: %v", err)
			}
			eventually(t, "end of session", func() bool { return s.Sessions() == 0 })
		})
	}
}
