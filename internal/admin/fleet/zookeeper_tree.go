package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// Bounds of what is shown of a node. What is beyond them is left out, and the
// numbers tell of it.
const (
	maxNodeData     = 64 << 10 // bytes
	maxNodeChildren = 1000
	maxNodePath     = 1024 // bytes
	childReaders    = 16   // children that are looked at at a time
)

// Node is a node of a ZooKeeper tree.
type Node struct {
	Path     string
	Data     []byte // the first bytes of it
	Stat     zk.Stat
	Children []NodeChild // the first of them, by name
}

// NodeChild is a child of a node.
type NodeChild struct {
	Name      string
	Children  int
	Ephemeral bool
}

// ErrBadPath says that a text is no path of a node.
var ErrBadPath = errors.New("not the path of a node")

// CheckPath gives ErrBadPath unless a text is the absolute path of a node.
func CheckPath(path string) error {
	switch {
	case path == "/":
		return nil
	case len(path) > maxNodePath || !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || !utf8.ValidString(path),
		strings.ContainsFunc(path, unicode.IsControl):
		return ErrBadPath
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return ErrBadPath
		}
	}
	return nil
}

// Node reads a node of the ensemble of a cluster, below its chroot. The error is
// zk.ErrNoNode when there is none.
func (f *Fleet) Node(ctx context.Context, c database.Cluster, path string) (n Node, err error) {
	if err := CheckPath(path); err != nil {
		return n, err
	}
	const limit = 2 * zooTimeout
	err = f.withSession(ctx, c, limit, func(ctx context.Context, s *zk.Session) error {
		n, err = readNode(ctx, s, path)
		return err
	})
	return n, err
}

func readNode(ctx context.Context, s *zk.Session, path string) (Node, error) {
	n := Node{Path: path}
	data, stat, err := s.Get(ctx, path)
	if err != nil {
		return n, err
	}
	n.Data, n.Stat = data[:min(len(data), maxNodeData)], stat
	names, _, err := s.Children(ctx, path)
	if err != nil {
		return n, err
	}
	slices.Sort(names)
	names = names[:min(len(names), maxNodeChildren)]
	n.Children = make([]NodeChild, len(names))
	base := strings.TrimSuffix(path, "/") + "/"
	return n, eachOf(len(names), childReaders, func(i int) error {
		stat, there, err := s.Exists(ctx, base+names[i])
		if there {
			n.Children[i] = NodeChild{names[i], int(stat.NumChildren), stat.EphemeralOwner != 0}
		} else {
			n.Children[i] = NodeChild{Name: names[i]}
		}
		return err
	})
}

// eachOf calls do for 0 to n-1, so many at once, waits for all and gives the first
// error.
func eachOf(n, atOnce int, do func(i int) error) error {
	turns, errs := make(chan struct{}, atOnce), make(chan error, n)
	for i := range n {
		turns <- struct{}{}
		go func() {
			defer func() { <-turns }()
			errs <- do(i)
		}()
	}
	var first error
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
