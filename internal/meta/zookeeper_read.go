package meta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// CursorError says that the cursor in a node cannot be read. The instance must
// not start: beginning somewhere else would lose or repeat changes silently.
type CursorError struct {
	Path string
	Err  error
}

// Error names the node, what is wrong with it, and what can be done.
func (e *CursorError) Error() string {
	return fmt.Sprintf("what is in %s is no cursor: %v; either correct it (zkCli: set), "+
		"or delete it to begin at the position of instance.properties (changes may then be missed or repeated)", e.Path, e.Err)
}

// Unwrap is Err.
func (e *CursorError) Unwrap() error { return e.Err }

// Subscription is what ZooKeeper has of a client.
type Subscription struct {
	Client         Client
	Cursor         Cursor
	HasCursor      bool
	CursorModified time.Time // by the clock of ZooKeeper; zero without a cursor node
	Filter         string    // raw; "" for none
	ActiveClient   string    // address of the process that consumes, without port before it is connected; "" for none
	Err            error     // a *CursorError when the cursor cannot be read, which keeps an instance from starting
}

// known is what a manager knows of the nodes of a client.
type known struct {
	stale     bool // has to be read again before the next write
	exists    bool // the client's node
	filter    string
	hasFilter bool
	cursor    string // content; "" for none
	hasCursor bool   // there is a node for it
	version   int32  // of that node
	// attempts are contents that writes of ours, of which the outcome is not
	// known, may have put there since it was read: bounded by maxAttempts.
	attempts []string
}

// storedClient is a Subscription with what is needed to write it.
type storedClient struct {
	Subscription
	known *known
	marks bool // there are batch marks
}

func (s storedClient) record() Record {
	return Record{Client: s.Client, Cursor: s.Cursor, HasCursor: s.HasCursor}
}

// ReadSubscriptions returns the subscriptions to a destination in the order of
// their ids: those that an instance would begin with. Clients that have nothing
// but a node are among them; Canal counts those too.
func ReadSubscriptions(ctx context.Context, s *zk.Session, destination string) ([]Subscription, error) {
	stored, _, err := readClients(ctx, session{s}, destination)
	if err != nil {
		return nil, fmt.Errorf("read the subscriptions of %s: %w", destination, err)
	}
	out := make([]Subscription, len(stored))
	for i := range stored {
		out[i] = stored[i].Subscription
	}
	return out, nil
}

// readStored reads what the destination begins with. A session that expires
// meanwhile, as it may after a long break, is no reason to fail.
func (z *ZooKeeper) readStored(ctx context.Context) ([]storedClient, error) {
	for attempt := 0; ; attempt++ {
		t, err := z.o.tree(ctx)
		if err != nil {
			return nil, err
		}
		stored, odd, err := readClients(ctx, t, z.o.Destination)
		if errors.Is(err, zk.ErrSessionExpired) && attempt < 3 {
			continue
		}
		if len(odd) > 0 {
			z.o.Notice(fmt.Sprintf("children of %s that are no client ids are left aside (a Java server fails on some): %q", zktree.Destination(z.o.Destination), odd))
		}
		return stored, err
	}
}

// readClients reads all subscriptions. odd are names of digits that are not how
// a client id is written.
func readClients(ctx context.Context, t tree, destination string) (stored []storedClient, odd []string, err error) {
	path := zktree.Destination(destination)
	// What the owner before wrote last may not have reached the server that is asked.
	if err := ignoreNoNode(t.Sync(ctx, path)); err != nil {
		return nil, nil, err
	}
	children, _, err := t.Children(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(children)
	for _, name := range children {
		id, ok := zktree.ParseClientID(name)
		switch {
		case ok && strconv.Itoa(int(id)) == name:
			s, err := readClient(ctx, t, Client{Destination: destination, ID: id})
			if err != nil {
				return nil, nil, err
			}
			stored = append(stored, s)
		case allDigits(name):
			odd = append(odd, name)
		}
	}
	slices.SortFunc(stored, func(a, b storedClient) int { return int(a.Client.ID) - int(b.Client.ID) })
	return stored, odd, nil
}

func allDigits(name string) bool {
	for _, r := range name {
		if r < '0' || r > '9' {
			return false
		}
	}
	return name != ""
}

// readClient reads the nodes of one client.
func readClient(ctx context.Context, t tree, c Client) (storedClient, error) {
	d, id := c.Destination, c.ID
	s := storedClient{Subscription: Subscription{Client: c}, known: &known{}}
	k := s.known
	var err error
	if _, k.exists, err = t.Exists(ctx, zktree.Client(d, id)); err != nil || !k.exists {
		return s, err
	}
	if err := s.readCursor(ctx, t); err != nil {
		return s, err
	}
	filter, _, has, err := get(ctx, t, zktree.Filter(d, id))
	if err != nil {
		return s, err
	}
	k.filter, k.hasFilter = string(filter), has
	s.Filter, s.Client.Filter = k.filter, k.filter
	running, _, has, err := get(ctx, t, zktree.RunningClient(d, id))
	if err != nil {
		return s, err
	}
	if r, err := zktree.ParseClientRunning(running); has && (err != nil || r.Address == "") {
		s.ActiveClient = "unknown"
	} else if has {
		s.ActiveClient = r.Address
	}
	_, s.marks, err = t.Exists(ctx, zktree.Marks(d, id))
	return s, err
}

// readCursor reads the cursor. Its node without data is no cursor, as in Canal.
func (s *storedClient) readCursor(ctx context.Context, t tree) error {
	path := zktree.Cursor(s.Client.Destination, s.Client.ID)
	data, stat, has, err := get(ctx, t, path)
	if err != nil || !has {
		return err
	}
	k := s.known
	k.cursor, k.hasCursor, k.version = string(data), true, stat.Version
	s.CursorModified = time.UnixMilli(stat.Mtime)
	if len(data) == 0 {
		return nil
	}
	if s.Cursor, err = ParseCursor(data); err != nil {
		s.Err = &CursorError{path, err}
		return nil
	}
	s.HasCursor = true
	return nil
}

// get is Get for a node that may be missing.
func get(ctx context.Context, t tree, path string) (data []byte, stat zk.Stat, ok bool, err error) {
	data, stat, err = t.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, zk.Stat{}, false, nil
	}
	return data, stat, err == nil, err
}

// ErrConsuming is returned by Expire for a client that is running.
var ErrConsuming = errors.New("a process consumes as this client")

// Expire deletes a subscription with all that is under it, so that it does not
// hold the destination at an old position any more. A client of which a process
// is running is refused with ErrConsuming unless force is set; such a process comes
// back. The owner of the destination gives the subscription up within 10 s,
// unless the client has done something since that owner began.
func Expire(ctx context.Context, s *zk.Session, destination string, id int16, force bool) error {
	path := zktree.Client(destination, id)
	_, running, err := s.Exists(ctx, zktree.RunningClient(destination, id))
	if err == nil && running && !force {
		err = ErrConsuming
	}
	if err == nil {
		err = s.DeleteAll(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("expire client %d of %s: %w", id, destination, err)
	}
	return nil
}
