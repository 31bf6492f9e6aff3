package zk

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Create creates a node and returns its path, to which the sequential modes have
// added a number. Data that is nil is null, not empty.
func (s *Session) Create(ctx context.Context, path string, data []byte, m Mode) (string, error) {
	o := CreateOp(path, data, m)
	var created string
	err := s.change(ctx, o, func(d *decoder) error {
		created = s.c.config.strip(d.text())
		return nil
	})
	if err != nil {
		return "", err
	}
	return created, nil
}

// Set sets the data of a node that has the version.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) (Stat, error) {
	var stat Stat
	err := s.change(ctx, SetOp(path, data, version), func(d *decoder) error {
		stat = d.stat()
		return nil
	})
	if err != nil {
		return Stat{}, err
	}
	return stat, nil
}

// Delete deletes a node that has the version and no children.
func (s *Session) Delete(ctx context.Context, path string, version int32) error {
	return s.change(ctx, DeleteOp(path, version), nil)
}

// change sends a request that is one operation.
func (s *Session) change(ctx context.Context, o Op, decode func(d *decoder) error) error {
	if err := o.check(); err != nil {
		return err
	}
	frame := o.append(newFrame(o.kind), &s.c.config)
	return s.do(ctx, &request{kind: o.kind, path: o.path, frame: frame, writes: true, decode: decode})
}

// Multi does all operations or none. The error is a *MultiError if one of them is
// the reason that none was done.
func (s *Session) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	for i, o := range ops {
		if err := o.check(); err != nil {
			return nil, fmt.Errorf("multi: operation %d: %w", i, err)
		}
	}
	var results []Result
	err := s.do(ctx, &request{
		kind:   kindMulti,
		frame:  appendMulti(newFrame(kindMulti), ops, &s.c.config),
		writes: true,
		decode: func(d *decoder) (err error) {
			results, err = d.multi(ops, &s.c.config)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// Get is the data of a node. The data of a node that has none is nil.
func (s *Session) Get(ctx context.Context, path string) ([]byte, Stat, error) {
	return s.get(ctx, path, nil)
}

// GetW is Get, and sets a watch unless it fails: it fires when the data changes or
// the node is deleted.
//
// The channel of a watch gets one event and is closed; it is closed without an
// event when the session ends. A watch lasts until then, however often connections
// change, and cannot be taken back: set the next one when the last has fired.
func (s *Session) GetW(ctx context.Context, path string) ([]byte, Stat, <-chan Event, error) {
	watch := make(chan Event, 1)
	data, stat, err := s.get(ctx, path, watch)
	if err != nil {
		return nil, Stat{}, nil, err
	}
	return data, stat, watch, nil
}

func (s *Session) get(ctx context.Context, path string, watch chan Event) ([]byte, Stat, error) {
	var answer struct {
		data []byte
		stat Stat
	}
	err := s.look(ctx, kindGet, path, watch, func(d *decoder) error {
		answer.data, answer.stat = d.bytes(), d.stat()
		return nil
	})
	if err != nil {
		return nil, Stat{}, err
	}
	return answer.data, answer.stat, nil
}

// Exists says whether there is a node.
func (s *Session) Exists(ctx context.Context, path string) (Stat, bool, error) {
	return s.exists(ctx, path, nil)
}

// ExistsW is Exists, and sets a watch: it fires when the node is created, its data
// changes or it is deleted. See GetW.
func (s *Session) ExistsW(ctx context.Context, path string) (Stat, bool, <-chan Event, error) {
	watch := make(chan Event, 1)
	stat, exists, err := s.exists(ctx, path, watch)
	if err != nil {
		return Stat{}, false, nil, err
	}
	return stat, exists, watch, nil
}

func (s *Session) exists(ctx context.Context, path string, watch chan Event) (Stat, bool, error) {
	var stat Stat
	err := s.look(ctx, kindExists, path, watch, func(d *decoder) error {
		stat = d.stat()
		return nil
	})
	switch {
	case errors.Is(err, ErrNoNode):
		return Stat{}, false, nil
	case err != nil:
		return Stat{}, false, err
	}
	return stat, true, nil
}

// Children are the names of the nodes under a node, in no order.
func (s *Session) Children(ctx context.Context, path string) ([]string, Stat, error) {
	return s.children(ctx, path, nil)
}

// ChildrenW is Children, and sets a watch unless it fails: it fires when a child
// is created or deleted, or the node itself is deleted. See GetW.
func (s *Session) ChildrenW(ctx context.Context, path string) ([]string, Stat, <-chan Event, error) {
	watch := make(chan Event, 1)
	names, stat, err := s.children(ctx, path, watch)
	if err != nil {
		return nil, Stat{}, nil, err
	}
	return names, stat, watch, nil
}

func (s *Session) children(ctx context.Context, path string, watch chan Event) ([]string, Stat, error) {
	var answer struct {
		names []string
		stat  Stat
	}
	err := s.look(ctx, kindChildren, path, watch, func(d *decoder) error {
		answer.names, answer.stat = d.texts(), d.stat()
		return nil
	})
	if err != nil {
		return nil, Stat{}, err
	}
	return answer.names, answer.stat, nil
}

// look sends a request that only reads, and can set a watch.
func (s *Session) look(ctx context.Context, kind int32, path string, watch chan Event, decode func(d *decoder) error) error {
	if err := checkPath(path); err != nil {
		return fmt.Errorf("%s: %w", kindNames[kind], err)
	}
	r := &request{kind: kind, path: path, decode: decode, watch: watch, watchKind: dataWatch}
	if kind == kindChildren {
		r.watchKind = childWatch
	}
	r.frame = appendBool(appendText(newFrame(kind), s.c.config.full(path)), watch != nil)
	return s.do(ctx, r)
}

// Sync makes the server catch up with its leader: what was done anywhere before
// the call is seen by what is read after it.
func (s *Session) Sync(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	frame := appendText(newFrame(kindSync), s.c.config.full(path))
	return s.do(ctx, &request{kind: kindSync, path: path, frame: frame})
}

// CreateParents creates the nodes above path that are missing, as persistent nodes
// without data, the chroot included.
func (s *Session) CreateParents(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return fmt.Errorf("create parents: %w", err)
	}
	if err := s.createAbove(ctx, s.c.config.full(path)); err != nil {
		return fmt.Errorf("create parents of %s: %w", path, err)
	}
	return nil
}

// createAbove works with paths that have the chroot. It looks before it creates,
// because in a chroot one may be allowed nothing above it.
func (s *Session) createAbove(ctx context.Context, full string) error {
	parent := full[:strings.LastIndexByte(full, '/')]
	if parent == "" {
		return nil
	}
	exists := &request{kind: kindExists, path: parent, frame: appendBool(appendText(newFrame(kindExists), parent), false)}
	if err := s.do(ctx, exists); !errors.Is(err, ErrNoNode) {
		return err
	}
	if err := s.createAbove(ctx, parent); err != nil {
		return err
	}
	for {
		frame := CreateOp(parent, nil, Persistent).append(newFrame(kindCreate), &Config{ACL: s.c.config.ACL})
		err := s.do(ctx, &request{kind: kindCreate, path: parent, frame: frame, writes: true})
		switch {
		case err == nil || errors.Is(err, ErrNodeExists):
			return nil
		case !errors.Is(err, ErrConnectionLost):
			return err
		}
	}
}

// DeleteAll deletes a node and all below it, and is content if there is none. What
// others create below it meanwhile is deleted too. It is not atomic.
func (s *Session) DeleteAll(ctx context.Context, path string) error {
	for {
		err := s.Delete(ctx, path, AnyVersion)
		switch {
		case err == nil || errors.Is(err, ErrNoNode):
			return nil
		case errors.Is(err, ErrConnectionLost):
			continue
		case !errors.Is(err, ErrNotEmpty):
			return err
		}
		if err := s.deleteBelow(ctx, path); err != nil {
			return err
		}
	}
}

func (s *Session) deleteBelow(ctx context.Context, path string) error {
	names, _, err := s.Children(ctx, path)
	if err != nil && !errors.Is(err, ErrNoNode) {
		return err
	}
	for _, name := range names {
		if err := s.DeleteAll(ctx, strings.TrimSuffix(path, "/")+"/"+name); err != nil {
			return err
		}
	}
	return nil
}
