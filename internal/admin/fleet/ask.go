package fleet

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
)

// ServerStatuses tells by id how each server is: a Status constant. It looks at
// those that were not looked at within the last second, and waits less than a
// second for them.
func (f *Fleet) ServerStatuses(ctx context.Context, servers []database.Server) map[int64]string {
	out := make(map[int64]string, len(servers))
	for id, s := range f.States(ctx, servers, answerTime) {
		out[id] = s.Status
	}
	return out
}

// RunningInstances tells by id which destinations each server runs; nil of one
// that does not answer. It waits like ServerStatuses. The slices must not be
// changed.
func (f *Fleet) RunningInstances(ctx context.Context, servers []database.Server) map[int64][]string {
	out := make(map[int64][]string, len(servers))
	for id, s := range f.States(ctx, servers, answerTime) {
		out[id] = s.Running
	}
	return out
}

// States looks at the servers that were not looked at within the last second,
// waits for that no longer than wait, and tells by id what was last seen. Servers that
// were seen lately are not waited for longer than for a Snapshot: one that has just
// died, or many with long reports, do not hold a page up.
func (f *Fleet) States(ctx context.Context, servers []database.Server, wait time.Duration) map[int64]*State {
	hosts := make([]*host, len(servers))
	var known, others []<-chan struct{}
	for i, s := range servers {
		h := f.host(s)
		hosts[i] = h
		lately := f.Now().Sub(h.current().At) < knownAge
		switch flight := h.refresh(lookAge); {
		case flight == nil:
		case lately:
			known = append(known, flight)
		default:
			others = append(others, flight)
		}
	}
	briefly, cancel := context.WithTimeout(ctx, min(wait, snapshotTime))
	defer cancel()
	land(briefly, known)
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	land(waiting, others)
	out := make(map[int64]*State, len(servers))
	for _, h := range hosts {
		out[h.id] = h.current()
	}
	return out
}

// ServerAction orders check, start, stop or restart; false is the server's no. It
// waits up to a minute.
func (f *Fleet) ServerAction(ctx context.Context, s database.Server, action string) (bool, error) {
	return f.order(ctx, s, func(ctx context.Context, c *control.Client) (string, error) { return c.Server(ctx, action) })
}

// InstanceAction orders check, start, stop, release or restart of a destination
// on one server; false is the server's no. It waits up to a minute.
func (f *Fleet) InstanceAction(ctx context.Context, s database.Server, destination, action string) (bool, error) {
	return f.order(ctx, s, func(ctx context.Context, c *control.Client) (string, error) {
		return c.Instance(ctx, destination, action)
	})
}

// order asks for something after which nothing that was seen before counts.
func (f *Fleet) order(ctx context.Context, s database.Server, ask func(context.Context, *control.Client) (string, error)) (bool, error) {
	answer := ""
	err := f.ask(ctx, s, func(ctx context.Context, c *control.Client) (err error) {
		answer, err = ask(ctx, c)
		return err
	})
	f.host(s).expire()
	f.sight.touch()
	return err == nil && strings.TrimSpace(answer) == "1", err
}

// ask talks to the admin port of a server with patience.
func (f *Fleet) ask(ctx context.Context, s database.Server, talk func(context.Context, *control.Client) error) error {
	h := f.host(s)
	err := h.current().Err
	if h.address != "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, orderTimeout)
		defer cancel()
		defer context.AfterFunc(f.life, cancel)()
		err = talk(ctx, h.patient)
	}
	if err != nil {
		return fmt.Errorf("ask server %s: %w", s.Name, err)
	}
	return nil
}

// Log reads the last count lines: of canal.log when destination is "", else of the
// log of the instance.
func (f *Fleet) Log(ctx context.Context, s database.Server, destination string, count int) (lines string, err error) {
	err = f.ask(ctx, s, func(ctx context.Context, c *control.Client) (err error) {
		lines, err = c.Log(ctx, logKind(destination), "file", destination, "", count)
		return err
	})
	return lines, err
}

// LogFile reads the last count lines of one of the files that LogFiles lists; of
// a server's own folder Canal has no other than canal.log.
func (f *Fleet) LogFile(ctx context.Context, s database.Server, destination, file string, count int) (lines string, err error) {
	err = f.ask(ctx, s, func(ctx context.Context, c *control.Client) (err error) {
		lines, err = c.Log(ctx, logKind(destination), "file", destination, file, count)
		return err
	})
	return lines, err
}

// LogFiles lists the names of log files in Canal's way, without folders.
func (f *Fleet) LogFiles(ctx context.Context, s database.Server, destination string) (names []string, err error) {
	err = f.ask(ctx, s, func(ctx context.Context, c *control.Client) error {
		list, err := c.Log(ctx, logKind(destination), "list", destination, "", 0)
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
		return err
	})
	return names, err
}

// logKind is the type of a LogAdmin: that of com.alibaba.otter.canal.admin's.
func logKind(destination string) string {
	if destination == "" {
		return "server"
	}
	return "instance"
}

// Call asks a Towpath server for something beyond Canal's protocol: see the
// methods of package control. The error of a Canal server is
// control.ErrNotTowpath.
func (f *Fleet) Call(ctx context.Context, s database.Server, method string, params, result any) error {
	return f.ask(ctx, s, func(ctx context.Context, c *control.Client) error { return c.Call(ctx, method, params, result) })
}

// detailKey names a destination on a server.
type detailKey struct {
	server      int64
	destination string
}

// details are the reports about single destinations that somebody looks at.
type details struct {
	mu  sync.Mutex
	all map[detailKey]*shared[*control.InstanceReport]
}

func (d *details) of(key detailKey) *shared[*control.InstanceReport] {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = make(map[detailKey]*shared[*control.InstanceReport])
	}
	if d.all[key] == nil {
		d.all[key] = new(shared[*control.InstanceReport])
	}
	return d.all[key]
}

// forgetOld drops what nobody has looked at for a while.
func (d *details) forgetOld(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.all, func(_ detailKey, s *shared[*control.InstanceReport]) bool {
		_, at := s.last()
		return now.Sub(at) > watchTime && !s.busy()
	})
}

// InstanceReport is what the server that runs an instance tells of it in full, and
// when that was: a second ago at most, unless ctx ends before it answers.
func (f *Fleet) InstanceReport(ctx context.Context, v *InstanceView) (*control.InstanceReport, time.Time, error) {
	if v.On == nil {
		return nil, time.Time{}, control.ErrNotTowpath
	}
	on, destination := v.On.Row, v.Row.Name
	s := f.details.of(detailKey{on.ID, destination})
	report, err := s.get(ctx, f, lookAge, func(ctx context.Context) (*control.InstanceReport, error) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		var all control.ServerReport
		if err := f.Call(ctx, on, control.MethodReport, control.ReportParams{Destination: destination}, &all); err != nil {
			return nil, err
		}
		for i := range all.Instances {
			if all.Instances[i].Destination == destination {
				return &all.Instances[i], nil
			}
		}
		return nil, &control.Error{Code: control.CodeUnknownDestination, Message: "the server does not know the destination"}
	})
	if err == nil && report == nil {
		err = context.DeadlineExceeded
	}
	_, at := s.last()
	return report, at, err
}
