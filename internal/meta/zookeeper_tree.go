package meta

import (
	"context"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// tree is what a manager needs of a session. The methods with capital letters
// are those of zk.Session.
type tree interface {
	Sync(ctx context.Context, path string) error
	Get(ctx context.Context, path string) ([]byte, zk.Stat, error)
	Exists(ctx context.Context, path string) (zk.Stat, bool, error)
	Children(ctx context.Context, path string) ([]string, zk.Stat, error)
	CreateParents(ctx context.Context, path string) error
	// commit is one transaction. A zk.MultiError counts the operations through.
	commit(ctx context.Context, checks []zk.Op, ops []op, extra []zk.Op) error
}

// op is an operation on a node: zk.Op, which cannot be looked into.
type op struct {
	kind    opKind
	path    string
	data    []byte
	version int32 // of set and delete
}

type opKind int

const (
	opCreate opKind = iota
	opSet
	opDelete
)

func (o op) zk() zk.Op {
	switch o.kind {
	case opCreate:
		return zk.CreateOp(o.path, o.data, zk.Persistent)
	case opSet:
		return zk.SetOp(o.path, o.data, o.version)
	default:
		return zk.DeleteOp(o.path, o.version)
	}
}

// session is the tree that is in ZooKeeper.
type session struct{ *zk.Session }

func (s session) commit(ctx context.Context, checks []zk.Op, ops []op, extra []zk.Op) error {
	all := make([]zk.Op, 0, len(checks)+len(ops)+len(extra))
	all = append(all, checks...)
	for _, o := range ops {
		all = append(all, o.zk())
	}
	_, err := s.Multi(ctx, append(all, extra...)...)
	return err
}

// marker is a node that says that the cursors of a destination are kept in
// ZooKeeper, so that a meta.dat that lies about is not imported any more, even
// after all clients have unsubscribed.
func marker(destination string) string { return zktree.TowpathDestination(destination) + "/cursors" }
