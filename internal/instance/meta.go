package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/meta"
)

// openTimeout bounds reading the cursors from ZooKeeper.
const openTimeout = 10 * time.Second

// openMeta opens the cursors as the instance is configured.
func openMeta(o Options) (meta.Manager, error) {
	c := &o.Config
	switch {
	case c.Meta == config.MetaMemory:
		return meta.NewMemory(o.Carried...), nil
	case c.Meta.InZooKeeper():
		return openZooKeeperMeta(o)
	}
	return meta.OpenFile(meta.FileOptions{
		Destination: c.Destination, Dir: c.DataDir, Period: c.FlushPeriod,
		Flushed: o.metaLog,
		Failed: func(err error) {
			o.Logger.Error("cursors could not be written and are kept in memory; after a crash clients would get again what they acked since", "error", err)
		},
		Notice: func(text string) { o.Logger.Warn(text) },
	})
}

func openZooKeeperMeta(o Options) (meta.Manager, error) {
	if o.Lease == nil || o.ZooKeeper == nil {
		return nil, fmt.Errorf("destination %s: its cursors are to be kept in ZooKeeper (%s), but canal.zkServers is not set", o.Config.Destination, "default-instance.xml")
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	return meta.OpenZooKeeper(ctx, meta.ZooKeeperOptions{
		Destination: o.Config.Destination, Period: o.Config.FlushPeriod, Mode: zooKeeperModes[o.Config.Meta],
		Session: o.ZooKeeper.Session, Guard: o.Lease.Guard, Lost: o.Lease.Lost(),
		Flushed: o.metaLog,
		Failed: func(err error) {
			if errors.Is(err, meta.ErrNotOwner) {
				o.Lease.Doubt()
			}
			o.Logger.Error("cursors could not be written to ZooKeeper and are kept in memory; after a crash clients would get again what they acked since", "error", err)
		},
		Notice: func(text string) { o.Logger.Warn(text) },
		Alarm:  func(text string) { o.Logger.Error(text) },
		Import: o.importFile,
	})
}

// zooKeeperModes are the forms in which cursors are kept in ZooKeeper.
var zooKeeperModes = map[config.MetaMode]meta.ZooKeeperMode{
	config.MetaZooKeeper:      meta.PeriodMixed,
	config.MetaZooKeeperMixed: meta.Mixed,
	config.MetaZooKeeperPure:  meta.Pure,
}

// importFile reads what an instance of this server that kept its cursors in a
// file has left, for one that has just been changed to keep them in ZooKeeper.
func (o Options) importFile() ([]meta.Record, error) {
	records, err := meta.ReadFile(o.Config.DataDir, o.Config.Destination, func(text string) { o.Logger.Warn(text) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}

// metaLog writes a line of meta.log for each cursor that has moved.
func (o Options) metaLog(moved []meta.Record) {
	if o.MetaLog == nil {
		return
	}
	for _, r := range moved {
		o.MetaLog(r.LogLine())
	}
}
