package database

import (
	"errors"
	"path/filepath"
	"testing"
)

var tester = Actor{UserID: 1, Username: "tester", Address: "192.0.2.1"}

func openTestSQLite(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Driver: SQLite, Path: filepath.Join(t.TempDir(), "data", "admin.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestBasics(t *testing.T) {
	db := openTestSQLite(t)
	ctx := t.Context()
	cluster, err := db.InsertCluster(ctx, tester, Cluster{Name: "c1", ZKHosts: "127.0.0.1:2181"})
	if err != nil {
		t.Fatal(err)
	}
	port := int32(11110)
	alone, err := db.InsertServer(ctx, tester, Server{Name: "s1", IP: "10.0.0.1", AdminPort: &port}, "canal.port = 11111")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.InsertServer(ctx, tester, Server{Name: "s2", IP: "10.0.0.1", AdminPort: &port}, ""); !errors.Is(err, ErrDuplicate) {
		t.Errorf("second server at the address: %v", err)
	}
	c, err := db.ConfigOfServer(ctx, alone)
	if err != nil || c.Content != "canal.port = 11111" || c.ContentMD5 != md5Of(c.Content) {
		t.Errorf("config of the server: %+v, %v", c, err)
	}
	saved, err := db.SaveConfig(ctx, tester, Config{ClusterID: &cluster, Content: "a = 1"}, SaveOptions{})
	if err != nil || saved.ID == adapterID {
		t.Errorf("config of the cluster: %+v, %v", saved, err)
	}
	again, err := db.SaveConfig(ctx, tester, Config{ClusterID: &cluster, Content: "a = 2"}, SaveOptions{BaseMD5: saved.ContentMD5})
	if err != nil || again.ID != saved.ID {
		t.Errorf("second save: %+v, %v", again, err)
	}
	if _, err := db.SaveConfig(ctx, tester, Config{ID: saved.ID, Content: "a = 3"}, SaveOptions{BaseMD5: saved.ContentMD5}); !errors.Is(err, ErrConflict) {
		t.Errorf("save over another text: %v", err)
	}
	revisions, err := db.Revisions(ctx, "config", saved.ID)
	if err != nil || len(revisions) != 2 || revisions[0].MD5 != md5Of("a = 2") {
		t.Errorf("revisions: %+v, %v", revisions, err)
	}
	status := "1"
	id, err := db.InsertInstance(ctx, tester, Instance{Name: "example", ClusterID: &cluster, Status: &status, Content: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteCluster(ctx, tester, cluster); !errors.Is(err, ErrHasInstances) {
		t.Errorf("delete of a cluster in use: %v", err)
	}
	if err := db.DeleteInstance(ctx, tester, id); err != nil {
		t.Error(err)
	}
	if err := db.DeleteCluster(ctx, tester, cluster); err != nil {
		t.Error(err)
	}
	if _, err := db.ConfigOfCluster(ctx, cluster); !errors.Is(err, ErrNotFound) {
		t.Errorf("config of the deleted cluster: %v", err)
	}
	trail, err := db.AuditTrail(ctx, AuditQuery{})
	if err != nil || len(trail) != 9 || trail[0].Action != "cluster.delete" || trail[0].Username != "tester" {
		t.Errorf("audit: %d records %+v, %v", len(trail), trail, err)
	}
}
