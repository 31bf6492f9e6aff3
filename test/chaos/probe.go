package main

import (
	"context"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/client"
)

// probe asks one server for batches as a client would that knows nothing of
// ZooKeeper, and so goes on asking a server that has lost its destination. It
// neither acks nor gives back what it gets: the consumer notices that a batch is
// missing, and asks for it again.
type probe struct {
	conns  []*client.Conn
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// newProbe connects to a server for those destinations that it runs now.
func newProbe(s *server) *probe {
	p := &probe{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, d := range destinations {
		c, err := client.Dial(ctx, client.Options{Addr: s.tap.addr(), Destination: d, SOTimeout: time.Minute})
		if err != nil {
			continue
		}
		if c.Subscribe(ctx, "") != nil {
			c.Close()
			continue
		}
		p.conns = append(p.conns, c)
	}
	return p
}

// start begins to ask after a delay, until the connection fails, as after
// the answer that the server does not run the destination, or stop is called.
func (p *probe) start(delay time.Duration) {
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	for _, c := range p.conns {
		p.wg.Go(func() {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			for {
				select {
				case <-timer.C:
				case <-ctx.Done():
					return
				}
				if _, err := c.GetWithoutAck(ctx, 64, -1); err != nil {
					return
				}
				timer.Reset(10 * time.Millisecond)
			}
		})
	}
}

// stop ends the asking after a while, and the connections.
func (p *probe) stop(after time.Duration) {
	time.AfterFunc(after, p.cancel)
	p.wg.Wait()
	p.cancel()
	for _, c := range p.conns {
		_ = c.Close() // it may be broken
	}
}

// probed has a probe ask the server while a fault lasts, from after a delay on, and
// a moment longer.
func probed(s *server, f fault, delay time.Duration) fault {
	begin, end := f.begin, f.end
	var p *probe
	f.begin = func() error {
		p = newProbe(s)
		err := begin()
		p.start(delay)
		return err
	}
	f.end = func() error {
		err := end()
		p.stop(300 * time.Millisecond)
		return err
	}
	return f
}
