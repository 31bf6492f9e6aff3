package polling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Target is the server that a Follower tells what to do. The Follower calls it from
// one goroutine.
type Target interface {
	// Check reads a canal.properties, without anything being started, and says what
	// it asks for. The error says why it cannot be used.
	Check(server string) (Settings, error)

	// Use makes a canal.properties that passed Check the one in force: the server
	// stops as a whole and starts with it and with all known instances. On an error
	// it runs as it did before, or, if that cannot be either, the error is ErrDown.
	Use(server string) error

	// Running says whether the server runs. One that was stopped on request does not,
	// and starts again with the next Use.
	Running() bool

	// Change does what new texts ask for and returns the destinations for which it
	// must be tried again. On a server that does not run it does nothing.
	Change(actions []Action) (again []string)
}

// Settings are what a Follower has to know of a canal.properties.
type Settings struct {
	Interval     time.Duration // canal.auto.scan.interval
	Scan         bool          // canal.auto.scan: the admin says which instances there are
	Destinations []string      // canal.destinations, which count without Scan
}

// ErrDown is returned by Target.Use when no server runs any more.
var ErrDown = errors.New("no server runs")

// FollowerOptions are what a Follower works with.
type FollowerOptions struct {
	Client *Client
	Cache  Cache
	Target Target
	Name   string // canal.admin.manager, for messages
	Logger *slog.Logger

	// The pause between attempts while the server cannot start grows from Retry to
	// MaxRetry; 0 means 1 s and 30 s.
	Retry, MaxRetry time.Duration
}

// Origin says where the configuration in force is from.
type Origin struct {
	Source string // "admin", or "cache" while the server runs from what was remembered; "" before it runs
	MD5    string // of the server's text
	Error  string // why the admin could last not be asked, or why what it said is not in force; "" when all is well
	AtMs   int64  // when the server's text came from the admin, milliseconds since 1970
}

// Follower keeps a server as its admin wants it. Run does the work; the other methods
// may be called from anywhere.
type Follower struct {
	o       FollowerOptions
	asking  trouble // with the admin as a whole
	saving  trouble // with the cache
	using   trouble // with the server's text
	each    map[string]*trouble
	text    Text // the server's text that came last, in force or not
	found   bool // the admin has given a text since Run began
	again   bool // text could not be used for a reason that may pass
	setting Settings

	mu       sync.Mutex
	texts    Texts             // in force; its map is replaced, never changed
	contents map[string]string // of texts.Instances; likewise
	dropped  map[string]bool   // instances to start anew
	origin   Origin
}

// NewFollower returns a follower that follows nobody yet.
func NewFollower(o FollowerOptions) *Follower {
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	if o.MaxRetry == 0 {
		o.MaxRetry = 30 * time.Second
	}
	return &Follower{o: o, each: make(map[string]*trouble)}
}

// Origin says where the configuration in force is from.
func (f *Follower) Origin() Origin {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.origin
}

// Texts are what the admin said. The map is not changed any more.
func (f *Follower) Texts() Texts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.texts
}

// Contents are the texts of the instances without what else is known of them. The
// map is not changed any more.
func (f *Follower) Contents() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.contents
}

// Forget makes the next scan start an instance as if it were new, while the admin
// does not answer with the text that is known.
func (f *Follower) Forget(destination string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dropped == nil {
		f.dropped = make(map[string]bool)
	}
	f.dropped[destination] = true
}

// Run starts the server, with what the admin says or, while that does not answer,
// with what is remembered, and then does what changes until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	defer f.o.Client.Close()
	if !f.begin(ctx) {
		return
	}
	f.found = false // the first question is asked at once and without an MD5, as by Canal
	for {
		f.poll(ctx)
		if !pause(ctx, f.setting.Interval) {
			return
		}
	}
}

// unknown is what a server that its admin does not know is told (CanalLauncher).
func (f *Follower) unknown() error {
	return fmt.Errorf("managerAddress:%s can't not found config for [%s]", f.o.Name, f.o.Cache.Node)
}

// begin starts the server, trying again until it runs; false means that ctx has ended.
func (f *Follower) begin(ctx context.Context) bool {
	remembered, err := f.o.Cache.Load()
	usable := err == nil
	if err != nil && !errors.Is(err, ErrNoCache) {
		f.o.Logger.Error("what the admin said last cannot be read, and is not used", "error", err)
	}
	for wait := f.o.Retry; ; wait = min(2*wait, f.o.MaxRetry) {
		text, ok, err := f.o.Client.Server(ctx, "")
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil && !ok:
			// The admin has spoken: what it said earlier counts no more.
			err = f.unknown()
		case err == nil:
			if err = f.open(ctx, text, remembered.Instances); err == nil {
				f.settled("the server has its configuration from the admin")
				return true
			}
			if usable && text.MD5 != remembered.Server.MD5 && f.openRemembered(remembered, err) {
				f.text = text // it is not asked for again
				return true
			}
		default:
			err = fmt.Errorf("load manager config failed.: %w", err)
			if usable && f.openRemembered(remembered, err) {
				return true
			}
		}
		if f.asking.begins(err) {
			f.o.Logger.Error("## Something goes wrong when starting up the canal Server:", "error", err)
			f.o.Logger.Info("it is tried again until it works")
		}
		f.failed(err)
		if !pause(ctx, wait) {
			return false
		}
	}
}

// open starts the server with a text of the admin's.
func (f *Follower) open(ctx context.Context, text Text, remembered map[string]Text) error {
	setting, err := f.o.Target.Check(text.Content)
	if err != nil {
		return err
	}
	f.setting = setting
	instances, _, err := f.scan(ctx, f.o.Client.Summary(ctx), remembered)
	if errors.Is(err, errUnlisted) {
		err = nil
	}
	if err != nil {
		// The server starts all the same: the instances are asked for again soon.
		instances = remembered
		f.o.Logger.Warn("the admin does not say which instances there are; those that it named last are started", "instances", len(instances), "error", err)
	}
	f.putInstances(instances)
	if err := f.o.Target.Use(text.Content); err != nil {
		return err
	}
	f.inForce("admin", text)
	if err == nil {
		f.save()
	}
	return nil
}

// openRemembered starts the server with what the admin said once, because of why.
func (f *Follower) openRemembered(t Texts, why error) bool {
	setting, err := f.o.Target.Check(t.Server.Content)
	if err == nil {
		f.setting = setting
		f.putInstances(t.Instances)
		err = f.o.Target.Use(t.Server.Content)
	}
	if err != nil {
		f.o.Logger.Error("what the admin said last does not start the server either", "error", err)
		return false
	}
	f.text = t.Server
	f.inForce("cache", t.Server)
	f.failed(why)
	f.asking.begins(why)
	f.o.Logger.Warn("the server runs with what the admin said last, until that gives it something it can use", "said", t.Server.At.Format(time.DateTime), "instances", len(t.Instances), "error", why)
	return true
}

// poll asks once for everything and does what has changed. An admin that does not
// answer changes nothing. Until there was a text the question has no MD5, by which
// the admin registers the server again. An admin of ours answers with one summary as
// long as nothing changes.
func (f *Follower) poll(ctx context.Context) {
	known := ""
	if f.found {
		known = f.text.MD5
	}
	var text Text
	var ok bool
	var err error
	said := f.o.Client.Summary(ctx)
	if known == "" || !said.SameServer(known) {
		text, ok, err = f.o.Client.Server(ctx, known)
	}
	answered := err == nil
	if ok && (text.MD5 != f.text.MD5 || f.Origin().Source == "cache") || f.again {
		f.change(ctx, text, ok)
	}
	f.found = f.found || ok
	if answered && !f.found {
		err = f.unknown()
	}
	if f.setting.Scan && f.o.Target.Running() {
		if answered {
			err = errors.Join(err, f.rescan(ctx, said))
		}
		if err != nil {
			f.revive()
		}
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		if f.asking.begins(err) {
			f.o.Logger.Error("scan failed", "error", err)
		}
		f.failed(err)
	default:
		f.settled("the admin answers again")
	}
}

// change makes a new text of the server, or the last one again, the one in force.
func (f *Follower) change(ctx context.Context, text Text, ok bool) {
	if ok {
		f.text = text
	}
	f.again = false
	if err := f.replace(ctx, f.text); err != nil {
		f.again = errors.Is(err, ErrDown)
		f.wrong(f.text, err)
		return
	}
	f.save()
}

// replace makes a text of the server the one in force.
func (f *Follower) replace(ctx context.Context, text Text) error {
	setting, err := f.o.Target.Check(text.Content)
	if err != nil {
		return err
	}
	old := f.setting
	f.setting = setting
	if !setting.Scan { // nobody else asks for what its canal.destinations names
		if instances, _, err := f.scan(ctx, nil, f.Texts().Instances); err == nil {
			f.putInstances(instances)
		}
	}
	if err := f.o.Target.Use(text.Content); err != nil {
		f.setting = old
		return err
	}
	f.inForce("admin", text)
	return nil
}

// rescan asks for the instances and does what has changed.
func (f *Follower) rescan(ctx context.Context, said *Summary) error {
	f.mu.Lock()
	old, dropped := f.texts.Instances, f.dropped
	f.dropped = nil
	f.mu.Unlock()
	next, actions, err := f.scan(ctx, said, without(old, dropped))
	if err != nil {
		for d := range dropped {
			f.Forget(d)
		}
	}
	switch {
	case errors.Is(err, errUnlisted):
		f.revive()
		return nil
	case err != nil:
		return err
	}
	if len(actions) == 0 {
		return nil
	}
	f.putInstances(next)
	if again := f.o.Target.Change(actions); len(again) > 0 {
		next = maps.Clone(next)
		for _, d := range again {
			if t, was := old[d]; was {
				next[d] = t
			} else {
				delete(next, d)
			}
		}
		f.putInstances(next)
	}
	f.save()
	return nil
}

// revive starts the instances that Forget named with the texts that are known, as
// the admin does not give others.
func (f *Follower) revive() {
	f.mu.Lock()
	var actions []Action
	for _, d := range slices.Sorted(maps.Keys(f.dropped)) {
		if _, ok := f.texts.Instances[d]; ok {
			actions = append(actions, Action{Start, d})
		}
	}
	f.dropped = nil
	f.mu.Unlock()
	if len(actions) > 0 {
		f.o.Target.Change(actions)
	}
}

// errUnlisted is returned by scan when the admin does not know the server, from which
// nothing follows.
var errUnlisted = errors.New("the admin does not list the instances")

// scan asks which instances there are, and for what changed since known, unless the
// admin has said so.
func (f *Follower) scan(ctx context.Context, said *Summary, known map[string]Text) (map[string]Text, []Action, error) {
	names := f.setting.Destinations
	if f.setting.Scan {
		listed, ok, err := f.instances(ctx, said)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return known, nil, errUnlisted
		}
		names = listed
	}
	asked := slices.DeleteFunc(slices.Clone(names), func(d string) bool {
		if validName(d) {
			return false
		}
		f.tell(d, fmt.Errorf("%q cannot be a destination: want the name of a folder", d))
		return true
	})
	changed := slices.DeleteFunc(slices.Clone(asked), func(d string) bool { return said.SameInstance(d, known[d].MD5) })
	answers, err := f.o.Client.Ask(ctx, changed, known)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range asked {
		f.tell(d, answers[d].Err)
	}
	next, actions := Next(known, names, answers)
	return next, actions, nil
}

// instances are those that the admin lists, as Client.Instances.
func (f *Follower) instances(ctx context.Context, said *Summary) ([]string, bool, error) {
	if said == nil {
		return f.o.Client.Instances(ctx)
	}
	names, ok := said.Instances()
	return names, ok, nil
}

// tell logs what is wrong with one instance, when it begins, changes and is over.
func (f *Follower) tell(destination string, err error) {
	t := f.each[destination]
	switch {
	case err == nil && t == nil:
	case err == nil:
		delete(f.each, destination)
		f.o.Logger.Info("the admin tells the configuration of the instance again", "instance", destination)
	default:
		if t == nil {
			t = &trouble{}
			f.each[destination] = t
		}
		if t.begins(err) {
			f.o.Logger.Error("the admin does not tell the configuration of the instance, which stays as it is", "instance", destination, "error", err)
		}
	}
}

// wrong says that a text of the server is not in force.
func (f *Follower) wrong(text Text, err error) {
	switch {
	case !f.using.begins(fmt.Errorf("%s: %w", text.MD5, err)):
	case f.again:
		f.o.Logger.Error("the configuration of the admin does not start the server, and neither does the one before; it is tried again", "md5", text.MD5, "error", err)
	default:
		f.o.Logger.Error("the configuration of the admin cannot be used; the server runs as before", "md5", text.MD5, "error", err,
			"remedy", "correct the server's configuration in the admin")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.origin.Error = fmt.Sprintf("the configuration %s cannot be used: %v", text.MD5, err)
}

// settled notes that the admin answers, and says so when it did not.
func (f *Follower) settled(message string) {
	if f.asking.ends() {
		f.o.Logger.Info(message, "admin", f.o.Name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.origin.MD5 == f.text.MD5 && !f.again {
		f.origin.Error = ""
	}
}

// failed notes why the configuration is not what the admin wants.
func (f *Follower) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.origin.Error = err.Error()
}

// inForce notes which text of the server is in force.
func (f *Follower) inForce(source string, t Text) {
	f.text = t
	f.using.ends()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts.Server = t
	f.origin = Origin{Source: source, MD5: t.MD5, AtMs: t.At.UnixMilli()}
}

func (f *Follower) putInstances(instances map[string]Text) {
	contents := Texts{Instances: instances}.Contents()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts.Instances, f.contents = instances, contents
}

// save writes the cache. One that cannot be written is no reason not to go on.
func (f *Follower) save() {
	err := f.o.Cache.Save(f.Texts())
	switch {
	case err == nil:
		f.saving.ends()
	case f.saving.begins(err):
		f.o.Logger.Warn("what the admin said is not remembered: without the admin this server could not be started", "error", err)
	}
}

// trouble is something that goes wrong again and again and is told once.
type trouble struct {
	text string
}

// begins notes err and says whether it is something new. Which of the questions was
// not answered makes no difference.
func (t *trouble) begins(err error) bool {
	text := err.Error()
	var r *RequestError
	if errors.As(err, &r) {
		text = r.Err.Error()
	}
	if text == t.text {
		return false
	}
	t.text = text
	return true
}

// ends says whether something was wrong.
func (t *trouble) ends() bool {
	was := t.text != ""
	t.text = ""
	return was
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
