package fleet

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/control"
)

// The statuses of a server, as Canal's calls tell them.
const (
	StatusRunning     = "1"
	StatusStopped     = "0"  // it is up, but its service is stopped
	StatusUnreachable = "-1" // it does not answer
)

// The kinds of servers; "" for one that has never answered.
const (
	KindTowpath = "towpath"
	KindCanal   = "canal"
)

// State is what the last look at a server has shown. It is immutable.
type State struct {
	At      time.Time // when the look ended; zero before the first
	Status  string
	Since   time.Time // of Status
	Kind    string    // of the last look that was answered
	Secure  bool      // it was asked over TLS
	Err     error     // why it could not be asked
	Running []string  // destinations that it runs; nil when it could not be asked

	// Report is what a Towpath server tells; nil of others, and of one that could
	// not be asked.
	Report *control.ServerReport
	Rates  ServerRates

	index map[string]int   // of Report.Instances, by destination
	rates map[string]Rates // by destination, of those that it runs
}

// Instance is the report about a destination; nil when there is none.
func (s *State) Instance(destination string) *control.InstanceReport {
	i, ok := s.index[destination]
	if !ok {
		return nil
	}
	return &s.Report.Instances[i]
}

// host is one server that is registered.
type host struct {
	id      int64
	address string // of its admin port; "" when it has none that can be used
	fleet   *Fleet
	quick   *control.Client // for looks
	patient *control.Client // for what takes its time, so that looks do not wait for it

	mu      sync.Mutex // guards what follows
	state   *State     // never nil
	flight  chan struct{}
	began   time.Time // the flight
	epoch   int       // a look that was begun in an earlier one is worth nothing
	retry   time.Time
	backoff time.Duration // 0 while it answers
	last    counters
}

func newHost(id int64, to string, f *Fleet) *host {
	h := &host{id: id, address: to, fleet: f, state: &State{Status: StatusUnreachable, Since: f.Now(), Err: ErrNotAsked}}
	if to == "" {
		h.state.Err = ErrNoAddress
		return h
	}
	client := func(timeout time.Duration) *control.Client {
		return control.NewClient(control.ClientOptions{
			Address: to, User: f.User, Password: f.Password, TLS: f.TLS, TLSConfig: f.TLSConfig,
			Timeout: timeout, Dial: f.dialer().DialContext,
		})
	}
	h.quick, h.patient = client(lookTimeout), client(orderTimeout)
	return h
}

// Errors of servers that are not even asked.
var (
	// ErrNoAddress says that the server cannot be asked as it is stored.
	ErrNoAddress = errors.New("no address or admin port is stored for the server")
	// ErrNotAsked says that the first look at the server has not ended yet.
	ErrNotAsked = errors.New("the server has not been asked yet")
)

// adminAddress is ip:port of the admin port; "" when there is none.
func adminAddress(s database.Server) string {
	ip := strings.Trim(strings.TrimSpace(s.IP), "[]")
	if ip == "" || s.AdminPort == nil || *s.AdminPort < 1 || *s.AdminPort > 65535 {
		return ""
	}
	return net.JoinHostPort(ip, strconv.Itoa(int(*s.AdminPort)))
}

func (h *host) close() {
	if h.address != "" {
		h.quick.Close()
		h.patient.Close()
	}
}

func (h *host) current() *State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

func (h *host) kind() string { return h.current().Kind }

// refresh begins a look unless one is under way or the last is younger than
// maxAge. What it returns is closed at the end of the look; nil when nobody should
// wait: for a state that is young enough, or for a server that did not answer the
// last time, or does not answer now.
func (h *host) refresh(maxAge time.Duration) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.fleet.Now()
	if h.flight == nil {
		if h.address == "" || now.Sub(h.state.At) < maxAge || now.Before(h.retry) {
			return nil
		}
		h.begin()
	}
	if h.backoff > 0 || now.Sub(h.began) > answerTime {
		return nil
	}
	return h.flight
}

// begin starts a look. The caller holds h.mu.
func (h *host) begin() {
	flight, epoch := make(chan struct{}), h.epoch
	started := h.fleet.start(func() {
		defer close(flight)
		f := h.fleet
		select {
		case f.looks <- struct{}{}:
			defer func() { <-f.looks }()
		case <-f.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(f.life, lookTimeout)
		defer cancel()
		s, err := h.look(ctx)
		h.seen(epoch, s, err)
	})
	if started {
		h.flight, h.began = flight, h.fleet.Now()
	}
}

// look asks the server how it is.
func (h *host) look(ctx context.Context) (State, error) {
	var report control.ServerReport
	err := h.quick.Call(ctx, control.MethodReport, control.ReportParams{}, &report)
	var told *control.Error
	switch {
	case err == nil:
		return stateOf(&report), nil
	case errors.Is(err, control.ErrNotTowpath):
		return h.lookAtCanal(ctx, KindCanal)
	case errors.As(err, &told): // it cannot report
		return h.lookAtCanal(ctx, KindTowpath)
	}
	return State{}, err
}

// lookAtCanal asks with the words that every server knows.
func (h *host) lookAtCanal(ctx context.Context, kind string) (State, error) {
	s := State{Kind: kind, Status: StatusStopped, Running: []string{}}
	up, err := h.quick.Server(ctx, "check")
	if err != nil {
		return s, err
	}
	if strings.TrimSpace(up) == "1" {
		s.Status = StatusRunning
	}
	list, err := h.quick.Server(ctx, "list")
	if err != nil {
		return s, err
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.Running = append(s.Running, name)
		}
	}
	return s, nil
}

func stateOf(r *control.ServerReport) State {
	s := State{Kind: KindTowpath, Status: StatusStopped, Running: []string{}, Report: r, index: make(map[string]int, len(r.Instances))}
	if r.Running {
		s.Status = StatusRunning
	}
	for i := range r.Instances {
		in := &r.Instances[i]
		s.index[in.Destination] = i
		if runs(in.State) {
			s.Running = append(s.Running, in.Destination)
		}
	}
	return s
}

// runs tells whether an instance in this state runs on the server that reports
// it. Like Canal's list it counts one whose source cannot be read.
func runs(state string) bool {
	return state == control.StateRunning || state == control.StateRetrying
}

// seen keeps what a look has shown.
func (h *host) seen(epoch int, s State, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != h.epoch {
		return
	}
	h.flight = nil
	if h.fleet.life.Err() != nil {
		return
	}
	old, now := h.state, h.fleet.Now()
	s.At, s.Err, s.Secure = now, err, h.quick.Secure()
	if err != nil {
		s.Status, s.Kind, s.Running, s.Report = StatusUnreachable, old.Kind, nil, nil
		h.backoff = min(max(2*h.backoff, deadFirst), deadMost)
		h.retry = now.Add(h.backoff)
	} else {
		h.backoff, h.retry = 0, time.Time{}
	}
	s.Since = old.Since
	if s.Status != old.Status || errors.Is(old.Err, ErrNotAsked) {
		s.Since = now
	}
	if s.Report != nil {
		next := countersOf(s.Report, now)
		s.Rates, s.rates = next.since(&h.last)
		h.last = next
	}
	h.state = &s
	h.fleet.sight.touch()
}

// expire makes whatever is known of the server too old, after something has been
// done to it, and what a look under way will tell.
func (h *host) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := *h.state
	s.At = time.Time{}
	h.state, h.flight, h.retry = &s, nil, time.Time{}
	h.epoch++
}

// refresh begins looks at those whose last one is older than maxAge, and waits
// for them until ctx ends.
func (f *Fleet) refresh(ctx context.Context, hosts []*host, maxAge time.Duration) {
	var flights []<-chan struct{}
	for _, h := range hosts {
		if flight := h.refresh(maxAge); flight != nil {
			flights = append(flights, flight)
		}
	}
	land(ctx, flights)
}

// land waits for looks until ctx ends.
func land(ctx context.Context, flights []<-chan struct{}) {
	for _, flight := range slices.Backward(flights) {
		select {
		case <-flight:
		case <-ctx.Done():
			return
		}
	}
}
