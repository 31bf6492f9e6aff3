package database

import (
	"context"
	"fmt"
	"strings"
)

// InstanceFilter selects instances. Zero fields select all.
type InstanceFilter struct {
	Name                string // a part of it
	ClusterID, ServerID *int64
	Status              string // "1" or "0", as stored
	Offset, Limit       int    // 0: no limit
}

const instanceColumns = "id, cluster_id, server_id, name, status, content, content_md5, modified_time"

func scanInstance(scan func(...any) error) (Instance, error) {
	var i Instance
	err := scan(&i.ID, &i.ClusterID, &i.ServerID, &i.Name, &i.Status, &i.Content, &i.ContentMD5, stamp{&i.Modified})
	return i, err
}

// Instances returns those that a filter selects, by id, and how many there are
// without Offset and Limit.
func (db *DB) Instances(ctx context.Context, f InstanceFilter, withContent bool) ([]Instance, int64, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return nil, 0, err
	}
	var all []Instance
	for n := range s.instances {
		if f.selects(&s.instances[n]) {
			all = append(all, s.instances[n])
		}
	}
	rows := page(all, f.Offset, f.Limit)
	if !withContent {
		for n := range rows {
			rows[n].Content = ""
		}
	}
	return rows, int64(len(all)), nil
}

func (f InstanceFilter) selects(i *Instance) bool {
	return (f.Name == "" || containsFold(i.Name, f.Name)) &&
		(f.ClusterID == nil || same(i.ClusterID, f.ClusterID)) &&
		(f.ServerID == nil || same(i.ServerID, f.ServerID)) &&
		(f.Status == "" || i.Status != nil && *i.Status == f.Status)
}

// Instance returns one instance, or ErrNotFound.
func (db *DB) Instance(ctx context.Context, id int64) (Instance, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return Instance{}, err
	}
	return find(s.instances, func(i *Instance) bool { return i.ID == id })
}

// InstanceNamed returns the instance of a name, or ErrNotFound. Names are unique,
// without regard to case.
func (db *DB) InstanceNamed(ctx context.Context, name string) (Instance, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return Instance{}, err
	}
	i, _, err := s.InstanceNamed(name)
	return i, err
}

// InsertInstance adds an instance and returns its id. The error is ErrDuplicate when
// its name is taken, or ErrTooLong.
func (db *DB) InsertInstance(ctx context.Context, by Actor, i Instance) (id int64, err error) {
	if err := checkLengths("name", i.Name); err != nil {
		return 0, err
	}
	if err := checkContent(i.Content); err != nil {
		return 0, err
	}
	err = db.write(ctx, by, func(t *tx) error {
		if err := t.refuse(ErrDuplicate, "SELECT id FROM canal_instance_config WHERE name = ?", i.Name); err != nil {
			return err
		}
		id, err = t.insert("INSERT INTO canal_instance_config (cluster_id, server_id, name, status, content, content_md5, modified_time) VALUES (?, ?, ?, ?, ?, ?, ?)",
			i.ClusterID, i.ServerID, i.Name, i.Status, i.Content, md5Of(i.Content), t.modified())
		if err != nil {
			return err
		}
		if err := t.audit("instance.insert", "instance", id, i.Name, "owner "+i.owner()); err != nil {
			return err
		}
		return t.revision(Revision{Kind: kindInstance, TargetID: id, Target: i.Name, Content: i.Content})
	})
	if err != nil {
		return 0, fmt.Errorf("insert instance %q: %w", i.Name, err)
	}
	return id, nil
}

func (i Instance) owner() string {
	switch {
	case i.ClusterID != nil:
		return "cluster " + idText(i.ClusterID)
	case i.ServerID != nil:
		return "server " + idText(i.ServerID)
	}
	return "none"
}

// UpdateInstance sets the text and the owner of an instance. The error is
// ErrNotFound, ErrConflict or ErrTooLong.
func (db *DB) UpdateInstance(ctx context.Context, by Actor, i Instance, o SaveOptions) error {
	if err := checkContent(i.Content); err != nil {
		return err
	}
	err := db.write(ctx, by, func(t *tx) error { return t.updateInstance(i, o) })
	if err != nil {
		return fmt.Errorf("update instance %d: %w", i.ID, err)
	}
	return nil
}

func (t *tx) updateInstance(i Instance, o SaveOptions) error {
	old, err := t.instance(i.ID)
	if err != nil {
		return err
	}
	if o.BaseMD5 != "" && o.BaseMD5 != md5Of(old.Content) {
		return ErrConflict
	}
	if err := t.adopt(Revision{Kind: kindInstance, TargetID: old.ID, Target: old.Name, At: old.Modified, Content: old.Content}); err != nil {
		return err
	}
	err = t.exec("UPDATE canal_instance_config SET cluster_id = ?, server_id = ?, content = ?, content_md5 = ?, modified_time = ? WHERE id = ?",
		i.ClusterID, i.ServerID, i.Content, md5Of(i.Content), t.modified(), i.ID)
	if err != nil {
		return err
	}
	detail := changes("owner", old.owner(), i.owner())
	if o.Comment != "" {
		detail = strings.TrimPrefix(detail+", "+o.Comment, ", ")
	}
	if err := t.audit("instance.update", "instance", old.ID, old.Name, detail); err != nil || old.Content == i.Content {
		return err
	}
	return t.revision(Revision{Kind: kindInstance, TargetID: old.ID, Target: old.Name, Comment: o.Comment, Content: i.Content})
}

func (t *tx) instance(id int64) (Instance, error) {
	return scanInstance(t.row("SELECT "+instanceColumns+" FROM canal_instance_config WHERE id = ?", id).Scan)
}

// SetInstanceStatus says whether an instance shall run: "1" or "0". The error is
// ErrNotFound when there is none.
func (db *DB) SetInstanceStatus(ctx context.Context, by Actor, id int64, status string) error {
	err := db.write(ctx, by, func(t *tx) error {
		i, err := t.instance(id)
		if err != nil {
			return err
		}
		if err := t.exec("UPDATE canal_instance_config SET status = ?, modified_time = ? WHERE id = ?", status, t.modified(), id); err != nil {
			return err
		}
		action := "instance.stop"
		if status == "1" {
			action = "instance.start"
		}
		return t.audit(action, "instance", id, i.Name, "")
	})
	if err != nil {
		return fmt.Errorf("set status of instance %d: %w", id, err)
	}
	return nil
}

// DeleteInstance deletes an instance, whose text stays among the revisions. The
// error is ErrNotFound when there is none.
func (db *DB) DeleteInstance(ctx context.Context, by Actor, id int64) error {
	err := db.write(ctx, by, func(t *tx) error {
		i, err := t.instance(id)
		if err != nil {
			return err
		}
		if err := t.exec("DELETE FROM canal_instance_config WHERE id = ?", id); err != nil {
			return err
		}
		if err := t.audit("instance.delete", "instance", id, i.Name, ""); err != nil {
			return err
		}
		return t.revision(Revision{Kind: kindInstance, TargetID: id, Target: i.Name, Content: i.Content, Deleted: true})
	})
	if err != nil {
		return fmt.Errorf("delete instance %d: %w", id, err)
	}
	return nil
}
