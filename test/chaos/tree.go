package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// place is where an event stands in the binlog.
type place struct {
	file   string
	offset int64
}

// before compares places. The names of binlog files grow in step.
func (p place) before(q place) bool {
	return p.file < q.file || p.file == q.file && p.offset < q.offset
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.offset) }

// ownership is one life of a destination's running node.
type ownership struct {
	destination string
	server      string // address
	session     int64
	began       int64 // wall clock in ms, as the leader proposed it
	ended       int64 // 0 while it lasts
}

// cursorWrite is a cursor as it was written.
type cursorWrite struct {
	destination string
	client      string
	place       place
	session     int64 // that wrote it
	owner       int64 // session of the running node at that moment; 0 when there was none
	wall        int64 // ms
	zxid        int64
}

// tree is what the transactions of a campaign did to Canal's nodes.
type tree struct {
	ownerships []ownership   // in order
	cursors    []cursorWrite // in order
	current    map[string]int
}

// replay goes through the transactions. It is an error when a node cannot be read.
func replay(changes []change) (*tree, error) {
	t := &tree{current: make(map[string]int)}
	for _, c := range changes {
		if c.op == opClose {
			for d, i := range t.current {
				if t.ownerships[i].session == c.session {
					t.end(d, c.wall)
				}
			}
			continue
		}
		if err := t.apply(c); err != nil {
			return nil, fmt.Errorf("transaction %#x on %s: %w", c.zxid, c.path, err)
		}
	}
	return t, nil
}

func (t *tree) apply(c change) error {
	rest, ok := strings.CutPrefix(c.path, zktree.Destinations+"/")
	if !ok {
		return nil
	}
	destination, rest, _ := strings.Cut(rest, "/")
	switch client, node, _ := strings.Cut(rest, "/"); {
	case rest == "running":
		return t.running(destination, c)
	case node == "cursor" && c.op != opDelete:
		return t.cursor(destination, client, c)
	}
	return nil
}

func (t *tree) running(destination string, c change) error {
	switch c.op {
	case opCreate:
		r, err := zktree.ParseServerRunning(c.data)
		if err != nil {
			return err
		}
		t.end(destination, c.wall)
		t.current[destination] = len(t.ownerships)
		t.ownerships = append(t.ownerships, ownership{destination: destination, server: r.Address, session: c.session, began: c.wall})
	case opDelete:
		t.end(destination, c.wall)
	}
	return nil
}

func (t *tree) end(destination string, wall int64) {
	if i, ok := t.current[destination]; ok {
		t.ownerships[i].ended = wall
		delete(t.current, destination)
	}
}

func (t *tree) cursor(destination, client string, c change) error {
	if _, err := strconv.Atoi(client); err != nil || len(c.data) == 0 {
		return nil // not a subscription, or one without a cursor yet
	}
	cur, err := meta.ParseCursor(c.data)
	if err != nil {
		return err
	}
	w := cursorWrite{
		destination: destination, client: client, place: place{cur.Position.File, cur.Position.Offset},
		session: c.session, wall: c.wall, zxid: c.zxid,
	}
	if i, ok := t.current[destination]; ok {
		w.owner = t.ownerships[i].session
	}
	t.cursors = append(t.cursors, w)
	return nil
}
