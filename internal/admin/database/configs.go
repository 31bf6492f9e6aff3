package database

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
)

// SaveOptions say how a text is saved.
type SaveOptions struct {
	BaseMD5 string // of the text that was edited: when another is stored, ErrConflict; "" not to look
	Comment string // for the revision
}

// adapterID is the row of canal_config that Canal's client-adapter takes for its
// own application.yml when it is pointed at this database (DbRemoteConfigLoader).
// No configuration of a server gets this id here; a row that has it and belongs to
// neither a cluster nor a server is the adapter's, and does not exist for us.
const adapterID = 2

const configColumns = "id, cluster_id, server_id, name, status, content, content_md5, modified_time"

func scanConfig(scan func(...any) error) (Config, error) {
	var c Config
	err := scan(&c.ID, &c.ClusterID, &c.ServerID, &c.Name, &c.Status, &c.Content, &c.ContentMD5, stamp{&c.Modified})
	return c, err
}

func (c *Config) isAdapters() bool {
	return c.ID == adapterID && c.ClusterID == nil && c.ServerID == nil
}

// Config returns one configuration, or ErrNotFound.
func (db *DB) Config(ctx context.Context, id int64) (Config, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return Config{}, err
	}
	return find(s.configs, func(c *Config) bool { return c.ID == id && !c.isAdapters() })
}

// ConfigOfCluster returns the configuration of a cluster, or ErrNotFound. A Java
// admin can have stored several: then it is the newest.
func (db *DB) ConfigOfCluster(ctx context.Context, clusterID int64) (Config, error) {
	return db.newestConfig(ctx, func(c *Config) bool { return same(c.ClusterID, &clusterID) })
}

// ConfigOfServer returns a server's own configuration, or ErrNotFound.
func (db *DB) ConfigOfServer(ctx context.Context, serverID int64) (Config, error) {
	return db.newestConfig(ctx, func(c *Config) bool { return same(c.ServerID, &serverID) })
}

func (db *DB) newestConfig(ctx context.Context, wanted func(*Config) bool) (Config, error) {
	s, err := db.snapshot(ctx)
	if err != nil {
		return Config{}, err
	}
	return s.newestConfig(wanted)
}

func (v *View) newestConfig(wanted func(*Config) bool) (Config, error) {
	var newest *Config
	for i := range v.configs { // by id: of two that changed in the same second the later one counts
		if c := &v.configs[i]; wanted(c) && (newest == nil || !c.Modified.Before(newest.Modified)) {
			newest = c
		}
	}
	if newest == nil {
		return Config{}, ErrNotFound
	}
	return *newest, nil
}

// SaveConfig stores the text of c: in the row of its ID, or with ID 0 in that of
// its cluster or server, or a new one. A row keeps its owner. It returns the row as
// it is now. The error is ErrNotFound, ErrConflict or ErrTooLong.
func (db *DB) SaveConfig(ctx context.Context, by Actor, c Config, o SaveOptions) (Config, error) {
	if err := checkContent(c.Content); err != nil {
		return Config{}, err
	}
	var saved Config
	err := db.write(ctx, by, func(t *tx) (err error) {
		saved, err = t.saveConfig(c, o)
		return err
	})
	if err != nil {
		return Config{}, fmt.Errorf("save canal.properties: %w", err)
	}
	return saved, nil
}

func (t *tx) saveConfig(c Config, o SaveOptions) (Config, error) {
	if c.ID == 0 {
		id, err := t.configIDOf(c)
		if err != nil {
			return c, err
		}
		if c.ID = id; id == 0 {
			if o.BaseMD5 != "" {
				return c, ErrConflict // deleted meanwhile
			}
			return t.insertConfig(c, o.Comment)
		}
	}
	old, err := t.config(c.ID)
	if err != nil {
		return c, err
	}
	if o.BaseMD5 != "" && o.BaseMD5 != md5Of(old.Content) {
		return c, ErrConflict
	}
	owner, err := t.ownerOf(old)
	if err != nil {
		return c, err
	}
	if err := t.adopt(Revision{Kind: kindConfig, TargetID: old.ID, Target: owner, At: old.Modified, Content: old.Content}); err != nil {
		return c, err
	}
	saved := old
	saved.Content, saved.ContentMD5, saved.Modified = c.Content, md5Of(c.Content), t.second()
	if err := t.exec("UPDATE canal_config SET content = ?, content_md5 = ?, modified_time = ? WHERE id = ?", saved.Content, saved.ContentMD5, t.modified(), saved.ID); err != nil {
		return c, err
	}
	return saved, t.stored("config.update", saved.ID, owner, saved.Content, o.Comment)
}

// config returns a row, or ErrNotFound.
func (t *tx) config(id int64) (Config, error) {
	c, err := scanConfig(t.row("SELECT "+configColumns+" FROM canal_config WHERE id = ?", id).Scan)
	if err == nil && c.isAdapters() {
		err = ErrNotFound
	}
	return c, err
}

// configIDOf finds the row that a configuration without an id goes to; 0 if none.
func (t *tx) configIDOf(c Config) (id int64, err error) {
	switch {
	case c.ClusterID != nil:
		err = t.row("SELECT COALESCE(MAX(id), 0) FROM canal_config WHERE cluster_id = ? AND modified_time = (SELECT MAX(modified_time) FROM canal_config WHERE cluster_id = ?)", *c.ClusterID, *c.ClusterID).Scan(&id)
	case c.ServerID != nil:
		err = t.row("SELECT COALESCE(MAX(id), 0) FROM canal_config WHERE server_id = ?", *c.ServerID).Scan(&id)
	default:
		err = fmt.Errorf("a configuration belongs to a cluster or to a server: %w", ErrNotFound)
	}
	return id, err
}

// insertConfig adds a row with any id but the adapter's.
func (t *tx) insertConfig(c Config, comment string) (Config, error) {
	if c.ClusterID != nil {
		c.ServerID = nil
	}
	c.Name, c.ContentMD5, c.Modified = configName, md5Of(c.Content), t.second()
	owner, err := t.ownerOf(c)
	if err != nil {
		return c, err
	}
	const query = "INSERT INTO canal_config (cluster_id, server_id, name, status, content, content_md5, modified_time) VALUES (?, ?, ?, ?, ?, ?, ?)"
	values := []any{c.ClusterID, c.ServerID, c.Name, c.Status, c.Content, c.ContentMD5, t.modified()}
	if c.ID, err = t.insert(query, values...); err != nil {
		return c, err
	}
	if c.ID == adapterID {
		if err := t.exec("DELETE FROM canal_config WHERE id = ?", c.ID); err != nil {
			return c, err
		}
		if c.ID, err = t.insert(query, values...); err != nil {
			return c, err
		}
	}
	return c, t.stored("config.insert", c.ID, owner, c.Content, comment)
}

// stored writes audit and revision of a canal.properties.
func (t *tx) stored(action string, id int64, owner, content, comment string) error {
	if err := t.audit(action, "config", id, owner, comment); err != nil {
		return err
	}
	return t.revision(Revision{Kind: kindConfig, TargetID: id, Target: owner, Comment: comment, Content: content})
}

// ownerOf is the name of the cluster or server of a configuration.
func (t *tx) ownerOf(c Config) (string, error) {
	table, id := "canal_cluster", c.ClusterID
	if id == nil {
		table, id = "canal_node_server", c.ServerID
	}
	if id == nil {
		return c.Name, nil
	}
	var names []string
	rows, err := t.QueryContext(t.ctx, "SELECT name FROM "+table+" WHERE id = ?", *id)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		names = append(names, "")
		if err := rows.Scan(&names[len(names)-1]); err != nil {
			return "", err
		}
	}
	names = append(names, c.Name) // when the owner has gone
	return names[0], rows.Err()
}

// deleteConfigs deletes configurations and keeps their texts.
func (t *tx) deleteConfigs(where string, id int64) error {
	rows, err := t.QueryContext(t.ctx, "SELECT "+configColumns+" FROM canal_config WHERE "+where, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []Config
	for rows.Next() {
		c, err := scanConfig(rows.Scan)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, c := range all {
		owner, err := t.ownerOf(c)
		if err != nil {
			return err
		}
		if err := t.revision(Revision{Kind: kindConfig, TargetID: c.ID, Target: owner, Content: c.Content, Deleted: true}); err != nil {
			return err
		}
		if err := t.audit("config.delete", "config", c.ID, owner, ""); err != nil {
			return err
		}
	}
	return t.exec("DELETE FROM canal_config WHERE "+where, id)
}

// md5Of is what Canal stores of a text, and what its servers compare: lower-case
// hex of the MD5 of its UTF-8.
func md5Of(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

func checkContent(content string) error {
	if len(content) > MaxContent {
		return fmt.Errorf("the text has %d bytes, more than %d: %w", len(content), MaxContent, ErrTooLong)
	}
	return nil
}
