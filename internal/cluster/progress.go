package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
)

// Progress is what the owner of a destination tells of how far it has read. It
// reads no further than its buffer has room, so what clients have still to get
// may be more than what lies between their cursors and this.
type Progress struct {
	Source      string `json:"source,omitempty"` // host:port of the server that is read
	File        string `json:"file,omitempty"`   // binlog position behind the last transaction in the buffer
	Offset      int64  `json:"offset,omitempty"`
	GTIDSet     string `json:"gtid,omitempty"`
	TimestampMs int64  `json:"timestamp,omitempty"` // when what was last read was executed, or when there was last nothing to read
	Unacked     int64  `json:"unacked"`             // entries in the buffer that not all clients have confirmed
	AtMs        int64  `json:"at"`                  // when this was so, by the owner's clock
}

// ParseProgress reads the node of a Progress.
func ParseProgress(b []byte) (Progress, error) {
	var p Progress
	if err := json.Unmarshal(b, &p); err != nil {
		return Progress{}, fmt.Errorf("parse progress: %w", err)
	}
	return p, nil
}

// Append appends p as it stands in its node.
func (p Progress) Append(dst []byte) []byte {
	b, err := json.Marshal(p)
	if err != nil {
		return dst // a struct of plain values
	}
	return append(dst, b...)
}

// Publish writes p for the destination, if it is owned at the moment.
func (l *Lease) Publish(ctx context.Context, p Progress) error {
	s, checks, err := l.Guard()
	if err != nil {
		return err
	}
	path, data := zktree.Status(l.destination), p.Append(nil)
	_, err = s.Multi(ctx, append(checks, zk.SetOp(path, data, zk.AnyVersion))...)
	var failed *zk.MultiError
	if errors.As(err, &failed) && failed.Index == len(checks) && errors.Is(err, zk.ErrNoNode) {
		_, err = s.Multi(ctx, append(checks, zk.CreateOp(path, data, zk.Persistent))...)
	}
	if err != nil {
		return fmt.Errorf("publish how far %s has read: %w", l.destination, err)
	}
	return nil
}
