package database

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

var tester = Actor{UserID: 1, Username: "tester", Address: "192.0.2.1"}

func ptr[T any](v T) *T { return &v }

// TestConformance runs what every kind of database has to do alike, also one that a
// Java admin has filled.
func TestConformance(t *testing.T) {
	forEach(t, func(t *testing.T, o Options) {
		db := open(t, o)
		for _, s := range []struct {
			name string
			test func(*testing.T, *DB)
		}{
			{"clusters", testClusters}, {"servers", testServers}, {"configs", testConfigs}, {"instances", testInstances},
			{"revisions", testRevisions}, {"users", testUsers}, {"sessions", testSessions}, {"audit", testAudit}, {"concurrent", testConcurrent},
		} {
			t.Run(s.name, func(t *testing.T) { s.test(t, db) })
		}
		t.Run("opened again", func(t *testing.T) {
			again := open(t, o)
			if c, err := again.ClustersNamed(t.Context(), "kept"); err != nil || len(c) != 1 {
				t.Errorf("cluster of before: %v, %v", c, err)
			}
		})
	})
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func testClusters(t *testing.T, db *DB) {
	ctx := t.Context()
	id := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{ID: 77, Name: "kept", ZKHosts: "z1:2181"}))
	c := must[Cluster](t)(db.Cluster(ctx, id))
	if id == 77 || c.Name != "kept" || c.ZKHosts != "z1:2181" || time.Since(c.Modified).Abs() > time.Minute {
		t.Errorf("inserted %+v", c)
	}
	other := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{Name: "other", ZKHosts: "z"}))
	if err := db.UpdateCluster(ctx, tester, Cluster{ID: other, Name: "kept", ZKHosts: "z2"}); err != nil {
		t.Fatal(err)
	}
	if named := must[[]Cluster](t)(db.ClustersNamed(ctx, "kept")); len(named) != 2 || named[1].ZKHosts != "z2" {
		t.Errorf("two clusters of a name: %+v", named)
	}
	wantError(t, "update of none", db.UpdateCluster(ctx, tester, Cluster{ID: 999}), ErrNotFound)
	wantError(t, "delete of none", db.DeleteCluster(ctx, tester, 999), ErrNotFound)
	_, err := db.Cluster(ctx, 999)
	wantError(t, "cluster that is none", err, ErrNotFound)
	_, err = db.InsertCluster(ctx, tester, Cluster{Name: strings.Repeat("ä", 256)})
	wantError(t, "long name", err, ErrTooLong)

	server := must[int64](t)(db.InsertServer(ctx, tester, Server{ClusterID: &other, Name: "s", IP: "10.1.0.1", AdminPort: ptr(int32(1))}, ""))
	instance := must[int64](t)(db.InsertInstance(ctx, tester, Instance{ClusterID: &other, Name: "in-other", Content: "x"}))
	config := must[Config](t)(db.SaveConfig(ctx, tester, Config{ClusterID: &other, Content: "kept text"}, SaveOptions{}))
	wantError(t, "delete with servers", db.DeleteCluster(ctx, tester, other), ErrHasServers)
	wantError(t, "delete of its server", db.DeleteServer(ctx, tester, server), nil)
	wantError(t, "delete with instances", db.DeleteCluster(ctx, tester, other), ErrHasInstances)
	wantError(t, "delete of its instance", db.DeleteInstance(ctx, tester, instance), nil)
	wantError(t, "delete", db.DeleteCluster(ctx, tester, other), nil)
	_, err = db.ConfigOfCluster(ctx, other)
	wantError(t, "config after the cluster", err, ErrNotFound)
	left := must[[]Revision](t)(db.Revisions(ctx, "config", config.ID))
	if len(left) != 2 || !left[0].Deleted || left[0].Target != "kept" {
		t.Errorf("revisions of the deleted config: %+v", left)
	}
}

func testServers(t *testing.T, db *DB) {
	ctx := t.Context()
	cluster := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{Name: "of servers", ZKHosts: "z"}))
	one := must[int64](t)(db.InsertServer(ctx, tester, Server{Name: "one", IP: "10.2.0.1", AdminPort: ptr(int32(11110)), TCPPort: ptr(int32(11111))}, "p = 1"))
	two := must[int64](t)(db.InsertServer(ctx, tester, Server{ClusterID: &cluster, Name: "10%_!", IP: "10.2.0.2"}, ""))
	s := must[Server](t)(db.ServerAt(ctx, "10.2.0.1", 11110))
	if s.ID != one || s.Status != "-1" || s.ClusterID != nil || *s.TCPPort != 11111 || s.MetricPort != nil {
		t.Errorf("server %+v", s)
	}
	if c := must[Config](t)(db.ConfigOfServer(ctx, one)); c.Content != "p = 1" || c.Name != "canal.properties" || *c.ServerID != one || c.Status != nil {
		t.Errorf("its config %+v", c)
	}
	_, err := db.InsertServer(ctx, tester, s, "")
	wantError(t, "address taken", err, ErrDuplicate)
	if _, count, _ := db.Servers(ctx, ServerFilter{IP: "10.2.0.1"}); count != 1 {
		t.Errorf("%d servers after a duplicate", count)
	}
	wantError(t, "update onto the address", db.UpdateServer(ctx, tester, Server{ID: two, Name: "x", IP: "10.2.0.1", AdminPort: ptr(int32(11110))}), ErrDuplicate)
	wantError(t, "update onto itself", db.UpdateServer(ctx, tester, Server{ID: one, ClusterID: &cluster, Name: "ONE", IP: "10.2.0.1", AdminPort: ptr(int32(11110))}), nil)
	if s := must[Server](t)(db.Server(ctx, one)); s.TCPPort != nil || *s.ClusterID != cluster || s.Status != "-1" {
		t.Errorf("updated %+v", s)
	}
	for _, c := range []struct {
		filter ServerFilter
		want   string
		count  int64
	}{
		{ServerFilter{ClusterID: &cluster}, "ONE 10%_!", 2},
		{ServerFilter{ClusterID: &cluster, Limit: 1}, "ONE", 2},
		{ServerFilter{ClusterID: &cluster, Offset: 1, Limit: 5}, "10%_!", 2},
		{ServerFilter{ClusterID: &cluster, Offset: 9}, "", 2},
		{ServerFilter{Name: "on", IP: "10.2.0.1"}, "ONE", 1},
		{ServerFilter{Name: "%_"}, "10%_!", 1},
		{ServerFilter{IP: "10.2.0."}, "", 0},
		{ServerFilter{ClusterID: ptr(int64(-1)), Name: "on", IP: "10.2.0.1"}, "", 0},
	} {
		rows, count, err := db.Servers(ctx, c.filter)
		var names []string
		for _, r := range rows {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want || count != c.count {
			t.Errorf("%+v: %q %d %v, want %q %d", c.filter, got, count, err, c.want, c.count)
		}
	}
	instance := must[int64](t)(db.InsertInstance(ctx, tester, Instance{ServerID: &one, Name: "of-one", Content: "x"}))
	wantError(t, "delete with instances", db.DeleteServer(ctx, tester, one), ErrHasInstances)
	wantError(t, "delete of its instance", db.DeleteInstance(ctx, tester, instance), nil)
	wantError(t, "delete", db.DeleteServer(ctx, tester, one), nil)
	_, err = db.ConfigOfServer(ctx, one)
	wantError(t, "config after the server", err, ErrNotFound)
	wantError(t, "delete again", db.DeleteServer(ctx, tester, one), ErrNotFound)
}

func testConfigs(t *testing.T, db *DB) {
	ctx := t.Context()
	cluster := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{Name: "of configs", ZKHosts: "z"}))
	first := must[Config](t)(db.SaveConfig(ctx, tester, Config{ClusterID: &cluster, Content: "a = 中文"}, SaveOptions{Comment: "first"}))
	if first.ID == adapterID || first.ContentMD5 != md5Of("a = 中文") {
		t.Errorf("saved %+v", first)
	}
	again := must[Config](t)(db.SaveConfig(ctx, tester, Config{ClusterID: &cluster, Content: "a = 2"}, SaveOptions{}))
	if again.ID != first.ID {
		t.Errorf("a second row %d beside %d", again.ID, first.ID)
	}
	if got := must[Config](t)(db.ConfigOfCluster(ctx, cluster)); got.Content != "a = 2" || got.ContentMD5 != again.ContentMD5 {
		t.Errorf("got %+v", got)
	}
	_, err := db.SaveConfig(ctx, tester, Config{ID: first.ID, Content: "b"}, SaveOptions{BaseMD5: first.ContentMD5})
	wantError(t, "edit of an old text", err, ErrConflict)
	_, err = db.SaveConfig(ctx, tester, Config{ID: first.ID, Content: "b"}, SaveOptions{BaseMD5: again.ContentMD5})
	wantError(t, "edit of the present text", err, nil)
	_, err = db.SaveConfig(ctx, tester, Config{ID: 999, Content: "b"}, SaveOptions{})
	wantError(t, "no such row", err, ErrNotFound)
	_, err = db.SaveConfig(ctx, tester, Config{Content: "b"}, SaveOptions{})
	wantError(t, "no owner", err, ErrNotFound)
	_, err = db.SaveConfig(ctx, tester, Config{ID: first.ID, Content: strings.Repeat("x", MaxContent+1)}, SaveOptions{})
	wantError(t, "64 KiB", err, ErrTooLong)
	_, err = db.SaveConfig(ctx, tester, Config{ID: first.ID, Content: strings.Repeat("x", MaxContent)}, SaveOptions{})
	wantError(t, "64 KiB but one byte", err, nil)
	_, err = db.SaveConfig(ctx, tester, Config{ID: first.ID, Content: "# \U0001F600"}, SaveOptions{})
	if db.dialect == (mysqlDialect{}) {
		wantError(t, "beyond utf8", err, ErrCharacters)
	} else {
		wantError(t, "beyond U+FFFF", err, nil)
	}
}

func testInstances(t *testing.T, db *DB) {
	ctx := t.Context()
	cluster := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{Name: "of instances", ZKHosts: "z"}))
	a := must[int64](t)(db.InsertInstance(ctx, tester, Instance{ClusterID: &cluster, Name: "ins_a", Status: ptr("1"), Content: "a"}))
	b := must[int64](t)(db.InsertInstance(ctx, tester, Instance{ClusterID: &cluster, Name: "ins_b", Status: ptr("1"), Content: "b"}))
	_, err := db.InsertInstance(ctx, tester, Instance{ClusterID: &cluster, Name: "INS_A", Content: "x"})
	wantError(t, "same name", err, ErrDuplicate)
	got := must[Instance](t)(db.InstanceNamed(ctx, "ins_a"))
	if got.ID != a || *got.ContentMD5 != md5Of("a") || *got.Status != "1" || got.ServerID != nil {
		t.Errorf("got %+v", got)
	}
	list := func(f InstanceFilter) string {
		rows, _, err := db.Instances(ctx, f, false)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.Name+r.Content)
		}
		return strings.Join(names, ",")
	}
	running := InstanceFilter{ClusterID: &cluster, Status: "1"}
	if got := list(running); got != "ins_a,ins_b" {
		t.Errorf("running: %s", got)
	}
	wantError(t, "stop", db.SetInstanceStatus(ctx, tester, a, "0"), nil)
	if got := list(running); got != "ins_b" {
		t.Errorf("running after the stop of one: %s", got)
	}
	wantError(t, "stop of none", db.SetInstanceStatus(ctx, tester, 999, "0"), ErrNotFound)
	err = db.UpdateInstance(ctx, tester, Instance{ID: b, ServerID: ptr(int64(7)), Content: "b2", Name: "ignored"}, SaveOptions{BaseMD5: md5Of("other")})
	wantError(t, "edit of another text", err, ErrConflict)
	err = db.UpdateInstance(ctx, tester, Instance{ID: b, ServerID: ptr(int64(7)), Content: "b2", Name: "ignored"}, SaveOptions{BaseMD5: md5Of("b")})
	wantError(t, "edit", err, nil)
	got = must[Instance](t)(db.Instance(ctx, b))
	if got.Name != "ins_b" || got.Content != "b2" || *got.ContentMD5 != md5Of("b2") || got.ClusterID != nil || *got.ServerID != 7 || *got.Status != "1" {
		t.Errorf("edited %+v", got)
	}
	got.Content = "changed by the caller"
	if kept := must[Instance](t)(db.Instance(ctx, b)); kept.Content != "b2" {
		t.Error("a caller can change the copy in memory")
	}
	wantError(t, "delete", db.DeleteInstance(ctx, tester, b), nil)
	_, err = db.InstanceNamed(ctx, "ins_b")
	wantError(t, "after the delete", err, ErrNotFound)
	wantError(t, "delete again", db.DeleteInstance(ctx, tester, b), ErrNotFound)
	wantError(t, "update of none", db.UpdateInstance(ctx, tester, Instance{ID: b}, SaveOptions{}), ErrNotFound)
}

func testRevisions(t *testing.T, db *DB) {
	ctx := t.Context()
	id := must[int64](t)(db.InsertInstance(ctx, tester, Instance{Name: "with-history", Content: "v1"}))
	update := func(content, comment string) {
		if err := db.UpdateInstance(ctx, tester, Instance{ID: id, Content: content}, SaveOptions{Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	update("v2", "second")
	update("v2", "only the owner") // no new text
	// Somebody else, such as a Java admin, writes twice.
	for _, content := range []string{"by java 1", "by java 2"} {
		if _, err := db.sql.ExecContext(ctx, "UPDATE canal_instance_config SET content = ? WHERE id = ?", content, id); err != nil {
			t.Fatal(err)
		}
		db.generation.Add(1) // read it now
		must[[]Revision](t)(db.Revisions(ctx, "instance", id))
	}
	update("v3", "")
	if err := db.DeleteInstance(ctx, tester, id); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range must[[]Revision](t)(db.Revisions(ctx, "instance", id)) {
		full := must[Revision](t)(db.Revision(ctx, r.ID))
		if r.Content != "" || full.MD5 != md5Of(full.Content) || full.Target != "with-history" || full.At.IsZero() {
			t.Errorf("revision %+v", full)
		}
		got = append(got, fmt.Sprintf("%s|%s|%s|%v", full.Content, full.Username, full.Comment, full.Deleted))
	}
	want := "v3|tester||true\nv3|tester||false\nby java 2|||false\nby java 1|||false\nv2|tester|second|false\nv1|tester||false"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	_, err := db.Revision(ctx, 99999)
	wantError(t, "no such revision", err, ErrNotFound)
}

func testUsers(t *testing.T, db *DB) {
	ctx := t.Context()
	if users := must[[]User](t)(db.Users(ctx)); len(users) == 0 {
		must[int64](t)(db.InsertUser(ctx, Actor{}, User{Username: "admin", PasswordHash: "6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9", Name: "Canal Manager", Roles: "admin"}))
	}
	admin := must[User](t)(db.UserNamed(ctx, "admin"))
	if admin.Disabled || admin.PasswordHash != "6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9" || admin.Introduction != nil {
		t.Errorf("admin %+v", admin)
	}
	wantError(t, "delete of the last admin", db.DeleteUser(ctx, tester, admin.ID), ErrLastAdmin)
	demoted := admin
	demoted.Roles = "operator"
	wantError(t, "demotion of the last admin", db.UpdateUser(ctx, tester, demoted), ErrLastAdmin)
	disabled := admin
	disabled.Disabled = true
	wantError(t, "disabling of the last admin", db.UpdateUser(ctx, tester, disabled), ErrLastAdmin)
	if kept := must[User](t)(db.User(ctx, admin.ID)); kept.Roles != admin.Roles || kept.Disabled || !kept.Created.Equal(admin.Created) {
		t.Errorf("after refused changes: %+v", kept)
	}

	id := must[int64](t)(db.InsertUser(ctx, tester, User{Username: "second", Name: "Second", Roles: "admin", Avatar: ptr("a.png")}))
	if u := must[User](t)(db.User(ctx, id)); u.PasswordHash != UpgradedHash || *u.Avatar != "a.png" {
		t.Errorf("second %+v", u)
	}
	_, err := db.InsertUser(ctx, tester, User{Username: "second"})
	wantError(t, "name taken", err, ErrDuplicate)
	_, err = db.UserNamed(ctx, "\U0001F600")
	wantError(t, "a name beyond utf8", err, ErrNotFound)
	demoted.Username = "second"
	wantError(t, "renaming onto another", db.UpdateUser(ctx, tester, demoted), ErrDuplicate)
	wantError(t, "disabling", db.UpdateUser(ctx, tester, disabled), nil)
	wantError(t, "delete of the last enabled admin", db.DeleteUser(ctx, tester, id), ErrLastAdmin)
	wantError(t, "enabling", db.UpdateUser(ctx, tester, admin), nil)
	wantError(t, "delete of one of two", db.DeleteUser(ctx, tester, id), nil)
	wantError(t, "delete again", db.DeleteUser(ctx, tester, id), ErrNotFound)

	if p := must[Password](t)(db.PasswordOf(ctx, 999)); p != (Password{}) {
		t.Errorf("password of nobody: %+v", p)
	}
	p := Password{Hash: "h", CanalHash: UpgradedHash, MustChange: true, Changed: time.UnixMilli(1700000000123).UTC()}
	wantError(t, "password set meanwhile", db.SetPassword(ctx, tester, admin.ID, p, PasswordChange{OnlyIfHash: "other"}), ErrConflict)
	wantError(t, "set password", db.SetPassword(ctx, tester, admin.ID, p, PasswordChange{Action: "user.password"}), nil)
	if got := must[Password](t)(db.PasswordOf(ctx, admin.ID)); got != p {
		t.Errorf("got %+v, want %+v", got, p)
	}
	if u := must[User](t)(db.User(ctx, admin.ID)); u.PasswordHash != UpgradedHash || !u.Created.Equal(admin.Created) {
		t.Errorf("after the password: %+v, created %s before", u, admin.Created)
	}
	wantError(t, "set password of none", db.SetPassword(ctx, tester, 999, p, PasswordChange{}), ErrNotFound)
}

func testSessions(t *testing.T, db *DB) {
	ctx := t.Context()
	user := must[int64](t)(db.InsertUser(ctx, tester, User{Username: "sessions", Roles: "viewer"}))
	at := time.UnixMilli(1700000000456).UTC()
	insert := func(hash string, seen time.Time) {
		if err := db.InsertSession(ctx, tester, Session{TokenHash: hash, UserID: user, Created: at, LastSeen: seen, Address: "::1", Agent: strings.Repeat("é", 200), MustChange: true}); err != nil {
			t.Fatal(err)
		}
	}
	a, b, c := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	insert(a, at)
	insert(b, at.Add(time.Hour))
	s := must[Session](t)(db.SessionByHash(ctx, a))
	if s.UserID != user || !s.Created.Equal(at) || !s.LastSeen.Equal(at) || !s.MustChange || s.Address != "::1" || len(s.Agent) != 254 {
		t.Errorf("session %+v", s)
	}
	wantError(t, "touch", db.TouchSession(ctx, a, at.Add(2*time.Hour)), nil)
	if all := must[[]Session](t)(db.SessionsOf(ctx, user)); len(all) != 2 || all[0].TokenHash != a {
		t.Errorf("sessions %+v", all)
	}
	wantError(t, "expire", db.DeleteExpiredSessions(ctx, at.Add(90*time.Minute)), nil)
	_, err := db.SessionByHash(ctx, b)
	wantError(t, "expired session", err, ErrNotFound)
	insert(b, at)
	insert(c, at)
	wantError(t, "end the others", db.DeleteSessionsOf(ctx, user, b), nil)
	wantError(t, "end none", db.DeleteSession(ctx, a), nil)
	if all := must[[]Session](t)(db.SessionsOf(ctx, user)); len(all) != 1 || all[0].TokenHash != b {
		t.Errorf("sessions %+v", all)
	}
	u := must[User](t)(db.User(ctx, user))
	u.Name = "renamed"
	wantError(t, "rename", db.UpdateUser(ctx, tester, u), nil)
	if all := must[[]Session](t)(db.SessionsOf(ctx, user)); len(all) != 1 {
		t.Error("a new name ended the session")
	}
	u.Roles = "operator"
	wantError(t, "new role", db.UpdateUser(ctx, tester, u), nil)
	if all := must[[]Session](t)(db.SessionsOf(ctx, user)); len(all) != 0 {
		t.Error("the session outlived the role")
	}
	insert(c, at)
	wantError(t, "delete the user", db.DeleteUser(ctx, tester, user), nil)
	_, err = db.SessionByHash(ctx, c)
	wantError(t, "session of nobody", err, ErrNotFound)
}

func testAudit(t *testing.T, db *DB) {
	ctx := t.Context()
	by := Actor{Username: "auditor", Address: "2001:db8::1"}
	for i := range 5 {
		r := AuditRecord{Action: "probe", Kind: "thing", TargetID: int64(i), Target: fmt.Sprintf("t%d_%%", i), OK: i%2 == 0, Detail: "\U0001F600\xff" + strings.Repeat("d", 5000)}
		if err := db.Audit(ctx, by, r); err != nil {
			t.Fatal(err)
		}
	}
	all := must[[]AuditRecord](t)(db.AuditTrail(ctx, AuditQuery{Username: "auditor"}))
	if len(all) != 5 || all[0].TargetID != 4 || !all[0].OK || all[1].OK || all[0].Address != by.Address || time.Since(all[0].At).Abs() > time.Minute {
		t.Fatalf("trail %+v", all)
	}
	if d := all[0].Detail; !strings.HasPrefix(d, "\U0001F600d") || len(d) > maxDetail {
		t.Errorf("detail of %d bytes: %.20q", len(d), d)
	}
	for _, c := range []struct {
		query AuditQuery
		want  int
	}{
		{AuditQuery{Action: "probe", Limit: 2}, 2},
		{AuditQuery{Action: "probe", Before: all[2].ID}, 2},
		{AuditQuery{Kind: "thing", Target: "3_%"}, 1},
		{AuditQuery{Kind: "thing", Target: "_"}, 5},
		{AuditQuery{Kind: "thing", Target: "3%"}, 0},
		{AuditQuery{Action: "probe", From: time.Now().Add(time.Hour)}, 0},
		{AuditQuery{Action: "probe", To: time.Now().Add(time.Hour)}, 5},
		{AuditQuery{Username: "nobody"}, 0},
	} {
		if got := must[[]AuditRecord](t)(db.AuditTrail(ctx, c.query)); len(got) != c.want {
			t.Errorf("%+v: %d records, want %d", c.query, len(got), c.want)
		}
	}
	if n := len(must[[]AuditRecord](t)(db.AuditTrail(ctx, AuditQuery{Action: "instance.insert"}))); n == 0 {
		t.Error("inserting an instance left no record")
	}
}

// testConcurrent checks what no index keeps unique.
func testConcurrent(t *testing.T, db *DB) {
	ctx := t.Context()
	cluster := must[int64](t)(db.InsertCluster(ctx, tester, Cluster{Name: "contended", ZKHosts: "z"}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := db.InsertServer(ctx, tester, Server{Name: "s", IP: "10.9.9.9", AdminPort: ptr(int32(9))}, "c")
			if err != nil && !errors.Is(err, ErrDuplicate) {
				t.Error(err)
			}
			if _, err := db.SaveConfig(ctx, tester, Config{ClusterID: &cluster, Content: "c"}, SaveOptions{}); err != nil {
				t.Error(err)
			}
			if _, _, err := db.Instances(ctx, InstanceFilter{}, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, n, _ := db.Servers(ctx, ServerFilter{IP: "10.9.9.9"}); n != 1 {
		t.Errorf("%d servers at one address", n)
	}
	if n := text(t, db.sql, "SELECT COUNT(*) FROM canal_config WHERE cluster_id = ?", cluster); n != "1" {
		t.Errorf("%s configurations of one cluster", n)
	}
}

// TestAdapterRow keeps row 2 of canal_config for Canal's client-adapter.
func TestAdapterRow(t *testing.T) {
	for _, b := range backends(t)[:3] {
		t.Run(b.name, func(t *testing.T) {
			o := b.fresh(t)
			db := open(t, o)
			ctx := t.Context()
			var ids []int64
			for i := range 3 {
				server := must[int64](t)(db.InsertServer(ctx, tester, Server{Name: "s", IP: fmt.Sprintf("10.0.0.%d", i), AdminPort: ptr(int32(1))}, "c"))
				ids = append(ids, must[Config](t)(db.ConfigOfServer(ctx, server)).ID)
			}
			if ids[0] != 1 || ids[1] != 3 || ids[2] != 4 {
				t.Errorf("ids %v, want 1 3 4", ids)
			}
			if n := text(t, db.sql, "SELECT COUNT(*) FROM canal_config"); n != "3" {
				t.Errorf("%s rows", n)
			}
			if _, err := db.sql.ExecContext(ctx, "INSERT INTO canal_config (id, name, content, content_md5) VALUES (2, 'application.yml', 'adapter', '')"); err != nil {
				t.Fatal(err)
			}
			db.generation.Add(1)
			_, err := db.Config(ctx, 2)
			wantError(t, "the adapter's row", err, ErrNotFound)
			_, err = db.SaveConfig(ctx, tester, Config{ID: 2, Content: "x"}, SaveOptions{})
			wantError(t, "save into the adapter's row", err, ErrNotFound)
			if s := text(t, db.sql, "SELECT content FROM canal_config WHERE id = 2"); s != "adapter" {
				t.Errorf("the adapter's text is now %q", s)
			}
		})
	}
}

// TestJavaDatabase works on databases that a Java admin has made, and then looks at
// the rows as it would: D1, D2 and D3 of the checklist of conformance.
func TestJavaDatabase(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   servers.Kind
		tables []string
	}{{"1.1.7", servers.MySQL57, canal117}, {"1.1.8", servers.MySQL80, canal118}} {
		t.Run(c.name, func(t *testing.T) { testJavaDatabase(t, onRunning(t, servers.ForTest(t, c.kind), c.tables)) })
	}
}

func testJavaDatabase(t *testing.T, o Options) {
	ctx := t.Context()
	bare, _, err := openMySQL(o)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	columns := func() string {
		return text(t, bare, "SELECT MD5(GROUP_CONCAT(CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, column_default, extra) ORDER BY table_name, ordinal_position)) "+
			"FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'canal%'")
	}
	before := columns()
	db := open(t, o)
	if after := columns(); after != before {
		t.Error("the columns of Canal's tables have changed")
	}
	// What there is.
	if c := must[Config](t)(db.ConfigOfCluster(ctx, 1)); c.ID != 3 || c.Content != "v = 3" {
		t.Errorf("of three configurations: %+v", c)
	}
	i := must[Instance](t)(db.InstanceNamed(ctx, "../up,two"))
	if i.Content != "中文" || *i.ContentMD5 != "by hand" || !i.Modified.Equal(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("instance %+v", i)
	}
	admin := must[User](t)(db.UserNamed(ctx, "admin"))
	if !admin.Created.Equal(time.Date(2019, 7, 14, 0, 5, 28, 0, time.UTC)) {
		t.Errorf("admin %+v", admin)
	}
	// What is changed.
	must[Config](t)(db.SaveConfig(ctx, tester, Config{ID: 3, Content: "v = 4"}, SaveOptions{}))
	if err := db.UpdateInstance(ctx, tester, Instance{ID: 2, ClusterID: ptr(int64(1)), Content: "新"}, SaveOptions{}); err != nil {
		t.Error(err)
	}
	if err := db.SetInstanceStatus(ctx, tester, 1, "0"); err != nil {
		t.Error(err)
	}
	must[int64](t)(db.InsertServer(ctx, tester, Server{Name: "new", IP: "10.0.0.3", AdminPort: ptr(int32(1))}, "n"))
	must[int64](t)(db.InsertInstance(ctx, tester, Instance{ServerID: ptr(int64(2)), Name: "new", Status: ptr("1"), Content: "c"}))
	if err := db.DeleteServer(ctx, tester, 1); err != nil {
		t.Error(err)
	}
	_, err = db.InsertInstance(ctx, tester, Instance{Name: strings.Repeat("n", 200), Content: "x"})
	if narrow := strings.Contains(t.Name(), "1.1.7"); narrow != errors.Is(err, ErrTooLong) {
		t.Errorf("a name of 200 characters: %v", err)
	}
	// How it is read by Java.
	for query, want := range map[string]string{
		"SELECT CONCAT_WS('|', cluster_id, IFNULL(server_id, 'NULL'), name, IFNULL(status, 'NULL'), content, content_md5 = MD5(content), modified_time > NOW() - INTERVAL 1 HOUR) FROM canal_config WHERE id = 3": "1|NULL|canal.properties|NULL|v = 4|1|1",
		"SELECT CONCAT_WS('|', cluster_id, IFNULL(server_id, 'NULL'), name, status, content, content_md5 = MD5(content), modified_time > NOW() - INTERVAL 1 HOUR) FROM canal_instance_config WHERE id = 2":        "1|NULL|../up,two|0|新|1|1",
		"SELECT CONCAT_WS('|', status, content, content_md5 = MD5(content)) FROM canal_instance_config WHERE id = 1":                                                                                              "0|canal.instance.master.address = 10.0.0.9:3306|1",
		"SELECT CONCAT_WS('|', IFNULL(cluster_id, 'NULL'), name, ip, admin_port, IFNULL(tcp_port, 'NULL'), status) FROM canal_node_server WHERE name = 'new'":                                                     "NULL|new|10.0.0.3|1|NULL|-1",
		"SELECT CONCAT_WS('|', c.name, c.content, c.content_md5 = MD5(c.content)) FROM canal_config c JOIN canal_node_server s ON s.id = c.server_id WHERE s.name = 'new'":                                        "canal.properties|n|1",
		"SELECT CONCAT_WS('|', server_id, status, content_md5 = MD5(content)) FROM canal_instance_config WHERE name = 'new'":                                                                                      "2|1|1",
		"SELECT GROUP_CONCAT(id ORDER BY id) FROM canal_node_server WHERE id < 3":                                                                                                                                 "2",
		"SELECT GROUP_CONCAT(CONCAT(content, ' ', content_md5 = MD5(content)) ORDER BY id) FROM canal_config WHERE id IN (1, 4, 5)":                                                                               "v = 1 1,v = 2 1, 1",
		"SELECT CONCAT_WS('|', username, password, name, roles, UNIX_TIMESTAMP(creation_date)) FROM canal_user":                                                                                                   "admin|6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9|Canal Manager|admin|1563062728",
	} {
		if got := text(t, bare, query); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
}

// TestOtherAdmin has two admins on one database.
func TestOtherAdmin(t *testing.T) {
	for _, b := range backends(t)[:3] {
		t.Run(b.name, func(t *testing.T) {
			o := b.fresh(t)
			one, two := open(t, o), open(t, o)
			ctx := t.Context()
			id := must[int64](t)(one.InsertInstance(ctx, tester, Instance{Name: "shared", Content: "v1"}))
			eventually(t, "the other admin has the instance", 10*time.Second, func() bool {
				_, err := two.InstanceNamed(ctx, "shared")
				return err == nil
			})
			for n := range 3 {
				content := fmt.Sprintf("v%d", n+2)
				if err := one.UpdateInstance(ctx, tester, Instance{ID: id, Content: content}, SaveOptions{}); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the other admin has the new text", 10*time.Second, func() bool {
					i, err := two.InstanceNamed(ctx, "shared")
					return err == nil && i.Content == content
				})
			}
			err := two.UpdateInstance(ctx, tester, Instance{ID: id, Content: "x"}, SaveOptions{BaseMD5: md5Of("v3")})
			wantError(t, "edit of what the other has changed", err, ErrConflict)
			var wg sync.WaitGroup
			for n := range 10 {
				for _, db := range []*DB{one, two} {
					wg.Go(func() {
						_, err := db.InsertServer(ctx, tester, Server{Name: "s", IP: "10.0.0.1", AdminPort: ptr(int32(n))}, "")
						if err != nil && !errors.Is(err, ErrDuplicate) {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			if n := text(t, one.sql, "SELECT COUNT(*) FROM canal_node_server"); n != "10" {
				t.Errorf("%s servers at 10 addresses", n)
			}
		})
	}
}

// TestServerGone stops MySQL: what servers ask for is still answered, the rest fails
// soon, and all works again by itself.
func TestServerGone(t *testing.T) {
	s := servers.ForTest(t, servers.MySQL80)
	o := onRunning(t, s, nil)
	db := open(t, o)
	ctx := t.Context()
	must[int64](t)(db.InsertInstance(ctx, tester, Instance{Name: "polled", Content: "v1"}))
	must[Instance](t)(db.InstanceNamed(ctx, "polled"))
	s.Kill()
	eventually(t, "stale", 10*time.Second, func() bool {
		if i, err := db.InstanceNamed(ctx, "polled"); err != nil || i.Content != "v1" {
			t.Fatalf("while MySQL is down: %+v, %v", i, err)
		}
		since, err := db.Stale()
		return !since.IsZero() && errors.Is(err, ErrUnavailable)
	})
	begun := time.Now()
	_, err := db.InsertCluster(ctx, tester, Cluster{Name: "c"})
	wantError(t, "a change", err, ErrUnavailable)
	_, err = db.Users(ctx)
	wantError(t, "a read", err, ErrUnavailable)
	wantError(t, "ping", db.Ping(ctx), ErrUnavailable)
	if _, err = Open(ctx, o); !errors.Is(err, ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("four calls failed in %s", d)
	}
	if err := s.Up(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "answers again", 20*time.Second, func() bool {
		_, err := db.InsertCluster(ctx, tester, Cluster{Name: "c"})
		return err == nil
	})
	eventually(t, "no longer stale", 20*time.Second, func() bool {
		c, err := db.ClustersNamed(ctx, "c")
		since, _ := db.Stale()
		return err == nil && len(c) > 0 && since.IsZero()
	})
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"no driver": {}, "no path": {Driver: SQLite}, "a folder": {Driver: SQLite, Path: dir},
		"no address": {Driver: MySQL}, "bad address": {Driver: MySQL, DSN: "root:topsecret@(x"}, "bad jdbc": {Driver: MySQL, DSN: "jdbc:mysql://u:topsecret@h/x?password=topsecret"},
	} {
		db, err := Open(t.Context(), o)
		if err == nil {
			db.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error has the password: %v", name, err)
		}
	}
}

// TestNewerTables refuses what a newer program has made, and runs no step twice.
func TestNewerTables(t *testing.T) {
	for _, b := range backends(t)[:2] {
		t.Run(b.name, func(t *testing.T) {
			o := b.fresh(t)
			db := open(t, o)
			exec := func(query string) {
				if _, err := db.sql.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			exec("UPDATE towpath_schema SET version = 0") // as if the first step had been cut off
			open(t, o)
			if v := text(t, db.sql, "SELECT version FROM towpath_schema"); v != fmt.Sprint(len(sqliteMigrations)) {
				t.Errorf("version %s", v)
			}
			exec("UPDATE towpath_schema SET version = 99")
			if again, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer") {
				again.Close()
				t.Errorf("opened tables of version 99: %v", err)
			}
		})
	}
}

// TestReadOnly reads on when nothing can be written any more.
func TestReadOnly(t *testing.T) {
	db := open(t, Options{Driver: SQLite, Path: filepath.Join(t.TempDir(), "admin.db")})
	if _, err := db.sql.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	_, err := db.InsertCluster(t.Context(), tester, Cluster{Name: "c"})
	wantError(t, "insert", err, ErrUnavailable)
	if _, err := db.Clusters(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestPollingIsCheap counts what polling servers cost: nothing while the copy is fresh.
func TestPollingIsCheap(t *testing.T) {
	now := time.Now()
	db := open(t, Options{Driver: SQLite, Path: filepath.Join(t.TempDir(), "admin.db"), Now: func() time.Time { return now }})
	must[int64](t)(db.InsertInstance(t.Context(), tester, Instance{Name: "i", Content: "c"}))
	must[Instance](t)(db.InstanceNamed(t.Context(), "i"))
	if err := db.sql.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		must[Instance](t)(db.InstanceNamed(t.Context(), "i"))
	}
	now = now.Add(freshFor)
	if _, err := db.InstanceNamed(t.Context(), "i"); err == nil {
		t.Error("the copy is never read again")
	}
}

// TestCancelled says what ended: the caller, not the database.
func TestCancelled(t *testing.T) {
	db := open(t, Options{Driver: SQLite, Path: filepath.Join(t.TempDir(), "admin.db")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.Users(ctx)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	_, err = db.InsertCluster(ctx, tester, Cluster{Name: "c"})
	wantError(t, "insert", err, context.Canceled)
}

// TestTLS encrypts where the address asks for it, and verifies where it says so.
func TestTLS(t *testing.T) {
	s, plain := servers.ForTest(t, servers.MySQL80), servers.ForTest(t, servers.MySQL57) // the latter has no certificate
	for _, c := range []struct {
		server     *servers.Server
		params     string
		encrypted  bool
		wantFailed bool
	}{
		{s, "useSSL=false", false, false}, {s, "", true, false}, {s, "useSSL=true", true, false}, {s, "sslMode=REQUIRED", true, false},
		{s, "sslMode=VERIFY_CA", false, true}, {s, "sslMode=VERIFY_IDENTITY", false, true},
		{plain, "", false, false}, {plain, "sslMode=REQUIRED", false, true},
	} {
		db, _, err := openMySQL(Options{DSN: "jdbc:mysql://" + c.server.Addr() + "/mysql?" + c.params, User: "root"})
		if err != nil {
			t.Fatal(err)
		}
		var name, cipher string
		err = db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher)
		db.Close()
		if (err != nil) != c.wantFailed || (cipher != "") != c.encrypted {
			t.Errorf("%s %q: cipher %q, %v", c.server.Kind, c.params, cipher, err)
		}
	}
}

// TestSHA2Account logs in by the authentication of MySQL 8, without TLS.
func TestSHA2Account(t *testing.T) {
	s := servers.ForTest(t, servers.MySQL80)
	o := onRunning(t, s, nil)
	s.MustExec(t, "CREATE USER towpath@'%' IDENTIFIED WITH caching_sha2_password BY 'p@:/?#&='", "GRANT ALL ON *.* TO towpath@'%'")
	o.User, o.Password, o.DSN = "towpath", "p@:/?#&=", o.DSN+"&allowPublicKeyRetrieval=true"
	open(t, o)
	o.Password = "topsecret"
	db, err := Open(t.Context(), o)
	if err == nil {
		db.Close()
		t.Fatal("a wrong password is right")
	}
	if strings.Contains(err.Error(), "topsecret") || errors.Is(err, ErrUnavailable) {
		t.Errorf("wrong password: %v", err)
	}
}

// TestAccountWithoutCreate uses tables that somebody else has made.
func TestAccountWithoutCreate(t *testing.T) {
	s := servers.ForTest(t, servers.MySQL57)
	o := onRunning(t, s, canal118)
	name := o.DSN[strings.LastIndex(o.DSN, "/")+1 : strings.Index(o.DSN, "?")]
	s.MustExec(t, "CREATE USER small@'%' IDENTIFIED BY 'x'", "GRANT SELECT, INSERT, UPDATE, DELETE ON "+name+".* TO small@'%'")
	small := o
	small.User, small.Password = "small", "x"
	if db, err := Open(t.Context(), small); err == nil {
		db.Close()
		t.Fatal("tables are made without the right to")
	} else if !strings.Contains(err.Error(), "needs CREATE") {
		t.Error(err)
	}
	open(t, o)
	must[int64](t)(open(t, small).InsertCluster(t.Context(), tester, Cluster{Name: "c"}))
}
