package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const clusterColumns = "id, name, zk_hosts, modified_time"

func scanCluster(scan func(...any) error) (Cluster, error) {
	var c Cluster
	err := scan(&c.ID, &c.Name, &c.ZKHosts, stamp{&c.Modified})
	return c, err
}

// Clusters returns all clusters by id.
func (db *DB) Clusters(ctx context.Context) ([]Cluster, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.clusters), nil
}

// Cluster returns one cluster, or ErrNotFound.
func (db *DB) Cluster(ctx context.Context, id int64) (Cluster, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return Cluster{}, err
	}
	return find(s.clusters, func(c *Cluster) bool { return c.ID == id })
}

// ClustersNamed returns the clusters of a name, which need not be unique.
func (db *DB) ClustersNamed(ctx context.Context, name string) ([]Cluster, error) {
	all, err := db.Clusters(ctx)
	return slices.DeleteFunc(all, func(c Cluster) bool { return !strings.EqualFold(c.Name, name) }), err
}

// InsertCluster adds a cluster and returns its id; those of c and its time are not
// used.
func (db *DB) InsertCluster(ctx context.Context, by Actor, c Cluster) (id int64, err error) {
	if err := checkLengths("name", c.Name, "zk_hosts", c.ZKHosts); err != nil {
		return 0, err
	}
	err = db.write(ctx, by, func(t *tx) error {
		id, err = t.insert("INSERT INTO canal_cluster (name, zk_hosts, modified_time) VALUES (?, ?, ?)", c.Name, c.ZKHosts, t.modified())
		if err != nil {
			return err
		}
		return t.audit("cluster.insert", "cluster", id, c.Name, "ZooKeeper "+c.ZKHosts)
	})
	if err != nil {
		return 0, fmt.Errorf("insert cluster %q: %w", c.Name, err)
	}
	return id, nil
}

// UpdateCluster sets the name and the ZooKeeper servers of a cluster. The error is
// ErrNotFound when there is none.
func (db *DB) UpdateCluster(ctx context.Context, by Actor, c Cluster) error {
	if err := checkLengths("name", c.Name, "zk_hosts", c.ZKHosts); err != nil {
		return err
	}
	err := db.write(ctx, by, func(t *tx) error {
		old, err := scanCluster(t.row("SELECT "+clusterColumns+" FROM canal_cluster WHERE id = ?", c.ID).Scan)
		if err != nil {
			return err
		}
		if err := t.exec("UPDATE canal_cluster SET name = ?, zk_hosts = ?, modified_time = ? WHERE id = ?", c.Name, c.ZKHosts, t.modified(), c.ID); err != nil {
			return err
		}
		return t.audit("cluster.update", "cluster", c.ID, c.Name, changes("name", old.Name, c.Name, "ZooKeeper", old.ZKHosts, c.ZKHosts))
	})
	if err != nil {
		return fmt.Errorf("update cluster %d: %w", c.ID, err)
	}
	return nil
}

// DeleteCluster deletes a cluster and its configuration, whose text stays among the
// revisions. The error is ErrNotFound, ErrHasServers or ErrHasInstances, in this
// order of checks.
func (db *DB) DeleteCluster(ctx context.Context, by Actor, id int64) error {
	err := db.write(ctx, by, func(t *tx) error {
		c, err := scanCluster(t.row("SELECT "+clusterColumns+" FROM canal_cluster WHERE id = ?", id).Scan)
		if err != nil {
			return err
		}
		if err := t.refuse(ErrHasServers, "SELECT id FROM canal_node_server WHERE cluster_id = ?", id); err != nil {
			return err
		}
		if err := t.refuse(ErrHasInstances, "SELECT id FROM canal_instance_config WHERE cluster_id = ?", id); err != nil {
			return err
		}
		if err := t.deleteConfigs("cluster_id = ?", id); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM canal_cluster WHERE id = ?", id); err != nil {
			return err
		}
		return t.audit("cluster.delete", "cluster", id, c.Name, "")
	})
	if err != nil {
		return fmt.Errorf("delete cluster %d: %w", id, err)
	}
	return nil
}

// refuse returns why when a query has a row.
func (t *tx) refuse(why error, query string, args ...any) error {
	found, err := t.exists(query, args...)
	if err == nil && found {
		return why
	}
	return err
}

// checkLengths takes names of columns and their values.
func checkLengths(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if n := len([]rune(pairs[i+1])); n > maxName {
			return fmt.Errorf("%s has %d characters, more than %d: %w", pairs[i], n, maxName, ErrTooLong)
		}
	}
	return nil
}

// changes describes an update for the audit: names of fields, each with its old and
// its new value.
func changes(triples ...string) string {
	var b strings.Builder
	for i := 0; i < len(triples); i += 3 {
		if triples[i+1] == triples[i+2] {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s: %s → %s", triples[i], triples[i+1], triples[i+2])
	}
	return b.String()
}
