package zkstore

import (
	"fmt"
	"slices"

	"github.com/towpath-cdc/towpath/internal/history"
)

// fit removes the oldest snapshots, and the changes that only they needed, until
// the rest is within the limit.
func (d *draft) fit() error {
	d.packHead()
	if d.fits() {
		return nil
	}
	snapshots := 0
	changes, err := d.prune()
	if err != nil {
		return err
	}
	for d.packHead(); !d.fits(); d.packHead() {
		all := d.byAge()
		if len(all) < 2 {
			return d.tooLarge()
		}
		oldest := all[0].ID
		d.removeSnapshots(func(s *snapshot) bool { return s.ID == oldest })
		n, err := d.prune()
		if err != nil {
			return err
		}
		snapshots, changes = snapshots+1, changes+n
	}
	text := fmt.Sprintf("the history of the tables of %s is larger than %s in ZooKeeper: %d old snapshots and %d changes have been removed",
		d.name, mega(d.limit), snapshots, changes)
	if all := d.byAge(); len(all) > 0 {
		text += ", so that positions before " + moment(all[0].At.Timestamp) + " cannot be resumed with the tables of their time"
	}
	d.notices = append(d.notices, text)
	return nil
}

func (d *draft) fits() bool { return d.size() <= d.limit && len(d.headAt.data) <= maxNode }

// prune removes the changes that stand before all snapshots: history.Select does
// not ask for them, or leaves them out. It does where there is an initial snapshot, the time of which
// says less than those of statements. Where there is no snapshot it has no use for
// any; only the one that is being added is kept then.
func (d *draft) prune() (int, error) {
	all := d.byAge()
	if len(all) == 0 {
		return d.filter(func(c *history.Change) bool { return c.ID >= d.from.changes })
	}
	if slices.ContainsFunc(all, func(s snapshot) bool { return s.Initial }) {
		return 0, nil
	}
	return d.filter(func(c *history.Change) bool { return !history.Before(c, all[0].At) })
}

// tooLarge tells how large what cannot be removed is.
func (d *draft) tooLarge() error {
	var snapshot, changes int64
	if all := d.byAge(); len(all) > 0 {
		snapshot = all[len(all)-1].blob.size
	}
	for _, p := range d.head.pages {
		changes += p.size
	}
	changes += int64(len(d.tail.data))
	return fmt.Errorf("%w: it may have %s in ZooKeeper and needs %s, of which the newest snapshot of all tables is %s and the changes after it %s; "+
		"keep it in MySQL (canal.instance.tsdb.url) or raise towpath.tsdb.zookeeper.limit",
		history.ErrTooLarge, mega(d.limit), mega(d.size()), mega(snapshot), mega(changes))
}

// mega is a number of bytes for people.
func mega(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
}
