package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// Bounds of the streams. A stream keeps no queue: what it sends is what is true
// when the client has taken what came before, so a slow client gets less often
// something newer. Streams beyond the bounds are refused.
const (
	maxStreams        = 256
	maxSessionStreams = 8
	maxTopics         = 16
	maxTopic          = 300 // bytes of its name

	streamPeriod  = 3 * time.Second // of what no round of the fleet has had sent earlier
	clusterPeriod = 5 * time.Second // reading a cluster is hundreds of questions to ZooKeeper
	logPeriod     = time.Second
	javaLogPeriod = 3 * time.Second

	writeTime = 10 * time.Second // that a client has to take what is sent
)

// heartbeatPeriod is between two comments, and two looks whether the session
// lasts. Tests shorten it.
var heartbeatPeriod = 15 * time.Second

// streams counts those that are open.
type streams struct {
	mu    sync.Mutex
	total int
	of    map[string]int // by token hash
}

// enter counts a stream. leave is nil when there are too many.
func (s *streams) enter(session string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxStreams || s.of[session] >= maxSessionStreams {
		return nil
	}
	if s.of == nil {
		s.of = make(map[string]int)
	}
	s.total++
	s.of[session]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.of[session]--; s.of[session] == 0 {
			delete(s.of, session)
		}
	})
}

// topic is one thing that is watched. next gives what is to be sent: nil when
// there is nothing new.
type topic struct {
	name  string
	every time.Duration
	due   time.Time
	next  func(ctx context.Context) (any, error)
}

type streamRequest struct {
	Topics   string `query:"topics" json:"-" required:"true" doc:"separated by commas: dashboard, instances, servers, instance:{id}, cluster:{id}, log:{servers|instances}:{id}:{serverId}:{file}"`
	Language string `query:"lang" json:"-" doc:"zh or en; else the header Accept-Language decides"`
}

// serveStream sends events until the client or the session is gone.
func (a *API) serveStream(w http.ResponseWriter, r *http.Request, p identity.Principal, req streamRequest, open *streams) error {
	f, err := a.watched()
	if err != nil {
		return err
	}
	topics, err := a.topics(req.Topics)
	if err != nil {
		return err
	}
	leave := open.enter(p.TokenHash)
	if leave == nil {
		return fail(reasonUnavailable, text{"Too many pages are open", "打开的页面过多"}).withRemedy(text{"close some of them", "请关闭部分页面"})
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	ctx := r.Context()
	if req.Language != "" {
		c := callerOf(ctx)
		c.chinese = req.Language == "zh"
		ctx = context.WithValue(ctx, callerKey{}, c)
	}
	s := sender{w: w, rc: http.NewResponseController(w)}
	a.sendEvents(ctx, f, &s, p, topics)
	return nil // also when the client has gone
}

// sendEvents is the loop of a stream.
func (a *API) sendEvents(ctx context.Context, f *fleet.Fleet, s *sender, p identity.Principal, topics []*topic) {
	if s.comment() != nil {
		return
	}
	lively := time.Now().Add(heartbeatPeriod)
	for {
		f.Watch()
		changed := f.Changed()
		now := time.Now()
		if now.After(lively) {
			lively = now.Add(heartbeatPeriod)
			if a.identity.Check(ctx, p.TokenHash) != nil || s.comment() != nil {
				return
			}
		}
		wait := lively.Sub(now)
		for _, t := range topics {
			if !t.due.After(now) {
				data, err := t.next(ctx)
				switch {
				case ctx.Err() != nil:
					return
				case err != nil: // a GET of the same tells why
				case data != nil && s.event(t.name, data) != nil:
					return
				}
				t.due = now.Add(t.every)
			}
			wait = min(wait, t.due.Sub(now))
		}
		timer := time.NewTimer(max(wait, streamPeriod/10))
		select {
		case <-changed: // the figures are new: tell them at once
			for _, t := range topics {
				if t.every == streamPeriod {
					t.due = time.Time{}
				}
			}
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// sender writes events to one client.
type sender struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf bytes.Buffer
}

func (s *sender) comment() error {
	s.buf.Reset()
	s.buf.WriteString(":\n\n")
	return s.flush()
}

// event sends one event; JSON has no ends of lines, and neither has a topic.
func (s *sender) event(name string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	s.buf.Reset()
	fmt.Fprintf(&s.buf, "event: %s\ndata: %s\n\n", name, body)
	err = s.flush()
	if s.buf.Cap() > maxPooled {
		s.buf = bytes.Buffer{}
	}
	return err
}

func (s *sender) flush() error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	return s.rc.Flush()
}

// topics reads the topics of a request.
func (a *API) topics(list string) ([]*topic, error) {
	names := strings.Split(list, ",")
	if len(names) > maxTopics {
		return nil, fail(reasonInvalid, text{"At most %d topics", "最多 %d 个主题"}, maxTopics)
	}
	var out []*topic
	for _, name := range names {
		if slices.ContainsFunc(out, func(t *topic) bool { return t.name == name }) {
			continue
		}
		t, err := a.topic(name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (a *API) topic(name string) (*topic, error) {
	t := &topic{name: name, every: streamPeriod}
	kind, rest, _ := strings.Cut(name, ":")
	switch {
	case len(name) > maxTopic || strings.ContainsFunc(name, unicode.IsControl):
		return nil, errNoTopic
	case name == "dashboard":
		t.next = a.dashboardTopic()
	case name == "instances":
		t.next = a.instancesTopic()
	case name == "servers":
		t.next = a.serversTopic()
	case kind == "log":
		return a.logTopic(t, rest)
	default:
		id, err := strconv.ParseInt(rest, 10, 64)
		switch {
		case err != nil:
			return nil, errNoTopic
		case kind == "instance":
			t.next = a.instanceTopic(id)
		case kind == "cluster":
			t.every = clusterPeriod
			t.next = func(ctx context.Context) (any, error) {
				return a.oneClusterDetail(ctx, identity.Principal{}, idRequest{id})
			}
		default:
			return nil, errNoTopic
		}
	}
	return t, nil
}

var errNoTopic = fail(reasonInvalid, text{"There is no such topic", "没有该主题"})

// dashboardTopic sends the dashboard, with the points that have not been sent.
func (a *API) dashboardTopic() func(context.Context) (any, error) {
	last := time.Now().UnixMilli()
	return func(ctx context.Context) (any, error) {
		d, err := a.dashboardAfter(ctx, last)
		if n := len(d.Series); n > 0 {
			last = d.Series[n-1].AtMs
		}
		return d, err
	}
}

func (a *API) instanceTopic(id int64) func(context.Context) (any, error) {
	last := time.Now().UnixMilli()
	return func(ctx context.Context) (any, error) {
		d, err := a.detailOf(ctx, id, last)
		if n := len(d.Series); n > 0 {
			last = d.Series[n-1].AtMs
		}
		return d, err
	}
}

// instancesTopic sends all instances at first, then those that have changed. Of
// what was sent it keeps a hash only.
func (a *API) instancesTopic() func(context.Context) (any, error) {
	sent, seed := make(map[int64]uint64), maphash.MakeSeed()
	return func(ctx context.Context) (any, error) {
		s, err := a.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		chinese := callerOf(ctx).chinese
		changed := []InstanceSummary{}
		for _, v := range s.Instances {
			one := instanceSummary(v, chinese)
			if hash := maphash.Comparable(seed, one); sent[one.ID] != hash {
				sent[one.ID] = hash
				changed = append(changed, one)
			}
		}
		for id := range sent {
			if s.Instance(id) == nil {
				delete(sent, id)
			}
		}
		if len(changed) == 0 {
			return nil, nil
		}
		return changed, nil
	}
}

func (a *API) serversTopic() func(context.Context) (any, error) {
	return func(ctx context.Context) (any, error) {
		return a.servers(ctx, identity.Principal{}, serversOfRequest{})
	}
}

// logTopic reads what is behind log: in the name of a topic.
func (a *API) logTopic(t *topic, rest string) (*topic, error) {
	parts := strings.SplitN(rest, ":", 4)
	if len(parts) != 4 || parts[0] != "servers" && parts[0] != "instances" {
		return nil, errNoTopic
	}
	id, err1 := strconv.ParseInt(parts[1], 10, 64)
	server, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return nil, errNoTopic
	}
	place := a.serverLogPlace
	if parts[0] == "instances" {
		place = a.instanceLogPlace
	}
	tail := logTail{file: parts[3], next: -1}
	t.every = logPeriod
	t.next = func(ctx context.Context) (any, error) {
		at, err := place(ctx, logsRequest{id, server})
		if err != nil {
			return nil, err
		}
		begins := tail.next < 0
		page, err := tail.read(ctx, at)
		if tail.java {
			t.every = javaLogPeriod
		}
		if err != nil || len(page.Lines) == 0 && (tail.java || !begins) {
			return nil, err
		}
		page.Lines = orEmpty(page.Lines)
		return page, nil
	}
	return t, nil
}

// logTail follows a log from its present end on. Of a Towpath server it tells at
// first where that is, in a page without lines: what was written before can be
// asked for.
type logTail struct {
	file  string
	next  int64 // -1 before the first look
	java  bool
	lines []control.LogLine // the last ones, of a Java server
}

func (l *logTail) read(ctx context.Context, at logPlace) (control.LogPage, error) {
	first := l.next < 0
	var page control.LogPage
	params := control.LogReadParams{Destination: at.destination, File: l.file, Offset: l.next, Lines: javaLines}
	err := at.fleet.Call(ctx, at.server, control.MethodLogRead, params, &page)
	if errors.Is(err, control.ErrNotTowpath) {
		return l.readJava(ctx, at)
	}
	if err != nil {
		return page, err
	}
	if page.Size < l.next { // another file has taken its place
		l.next = 0
		return control.LogPage{}, nil
	}
	l.next = page.Next
	if first {
		page.Lines = nil
	}
	return page, nil
}

// readJava compares the end of a log with what it was.
func (l *logTail) readJava(ctx context.Context, at logPlace) (control.LogPage, error) {
	page, err := at.javaPage(ctx, logPageRequest{File: l.file, Lines: javaLines})
	if err != nil {
		return page, err
	}
	all, first := page.Lines, !l.java
	page.Lines = newLines(l.lines, all)
	l.lines, l.java = all, true
	if first {
		page.Lines = nil
	}
	return page, nil
}

// newLines are those of now behind what it has in common with before.
func newLines(before, now []control.LogLine) []control.LogLine {
	for i := range before {
		if common := before[i:]; len(common) <= len(now) && slices.Equal(common, now[:len(common)]) {
			return now[len(common):]
		}
	}
	return now
}
