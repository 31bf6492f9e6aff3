package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// stored is the text of an instance as the admin has it.
func (a *adminHome) stored(id int64) string {
	a.t.Helper()
	var got struct{ Content string }
	a.call("GET", fmt.Sprintf("/canal/instance/%d", id), nil, &got)
	return got.Content
}

// relogin logs in again, as after a restart that has forgotten sessions it would
// be necessary.
func (a *adminHome) relogin() {
	a.t.Helper()
	var session struct{ Token string }
	a.call("POST", "/user/login", map[string]string{"username": "admin", "password": webPassword}, &session)
	a.token = session.Token
}

// TestAdminKilledWhileItStores kills the admin at any moment while texts are
// stored. What was answered is there afterwards, the session too; the server that
// has its configuration from it delivers on, and starts without it.
func TestAdminKilledWhileItStores(t *testing.T) {
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "admin_killed")
	from := at(end(t, db))
	z := newTree(t)
	a := newAdmin(t, "")
	a.start()
	a.login()
	id := a.cluster("zookeeper", z.addr(z.zk.Addr()), nil)
	a.instance("itkaven", id, db.Addr(), from.with(only("admin_killed")))
	h, _ := newManaged(t, a, "zookeeper", "kaven")
	h.start()
	a.runsOn("itkaven", "kaven")
	r := read(t, h.options("itkaven"), "admin_killed")
	w.mustWrite(t, 100)
	r.await(w)

	instance := a.listed("itkaven").ID
	base := a.stored(instance)
	a.call("PUT", "/canal/instance", map[string]any{"id": instance, "clusterServerId": fmt.Sprintf("cluster:%d", id), "content": base + "# version 0\n"}, nil)
	last := 0 // number in the last text that is stored
	for round := range 12 {
		// Killed after some texts, at a moment that is another part of a store's time
		// in each round, however long one takes.
		const parts = 7
		var killed chan struct{}
		sent, first := last, last
		for {
			began := time.Now()
			sent++
			got, err := a.ask("PUT", "/canal/instance", map[string]any{
				"id": instance, "clusterServerId": fmt.Sprintf("cluster:%d", id), "content": fmt.Sprintf("%s# version %d\n", base, sent),
			})
			if err != nil {
				if killed == nil {
					t.Fatalf("version %d: %v", sent, err)
				}
				break // it is dead
			}
			if got.Code != 20000 {
				t.Fatalf("version %d was refused: %d %v", sent, got.Code, got.Message)
			}
			last = sent
			if last-first == 2+round%3 {
				after := time.Since(began) * time.Duration(3*round%parts) / parts
				killed = make(chan struct{})
				go func() {
					defer close(killed)
					time.Sleep(after)
					_ = a.cmd.Process.Kill() // its end is waited for below
				}()
			}
		}
		<-killed
		<-a.done
		w.mustWrite(t, 20)
		r.await(w) // nobody has stopped the instance
		a.start()
		text := a.stored(instance) // with the session from before
		var found int              // what was sent last may be stored without an answer
		if _, err := fmt.Sscanf(strings.TrimPrefix(text, base), "# version %d\n", &found); err != nil || found != last && found != sent {
			t.Fatalf("after kill %d: stored is ...%q (%v), want version %d or %d", round, text[max(0, len(text)-40):], err, last, sent)
		}
		last = found
	}
	if last < 20 {
		t.Errorf("only %d texts were stored between the kills", last)
	}

	// The server can be started without the admin, with what it last knew.
	a.kill()
	h.kill()
	h.start()
	w.mustWrite(t, 100)
	r.await(w)
	r.stop().compare(w)
	if !strings.Contains(h.output(), "what the admin said last") {
		t.Error("the log does not say that the last known configuration is used")
	}
}

// TestAdminWithoutItsDatabase takes the MySQL of the admin away and brings it
// back.
func TestAdminWithoutItsDatabase(t *testing.T) {
	source := sharedServer(t, servers.MySQL80)
	w := newWriter(t, source, "admin_db")
	from := at(end(t, source))
	own, err := servers.Start(t.Context(), servers.Options{Kind: servers.MySQL57, Dir: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Kill)
	own.MustExec(t, "CREATE DATABASE canal_manager DEFAULT CHARACTER SET utf8", "GRANT ALL ON canal_manager.* TO 'canal'@'%'")
	z := newTree(t)
	a := newAdmin(t, "")
	a.write("conf/application.yml", onMySQL(a.port, own, ""))
	a.start()
	a.login()
	id := a.cluster("zookeeper", z.addr(z.zk.Addr()), nil)
	a.instance("itkaven", id, source.Addr(), from.with(only("admin_db")))
	h, _ := newManaged(t, a, "zookeeper", "kaven")
	h.start()
	a.runsOn("itkaven", "kaven")
	r := read(t, h.options("itkaven"), "admin_db")
	w.mustWrite(t, 100)
	r.await(w)

	own.Kill()
	began := time.Now()
	got, err := a.ask("GET", "/canal/clusters", nil)
	if err != nil {
		t.Fatalf("without its database the admin does not answer: %v", err)
	}
	if got.Code == 20000 || got.Message == nil || !strings.Contains(*got.Message, "database") {
		t.Errorf("without its database the admin answers %d %s", got.Code, deref(got.Message))
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the answer took %v", took)
	}
	for range 5 { // several rounds of the server's polling
		w.mustWrite(t, 20)
		r.await(w)
	}
	if err := own.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, startLimit, "the admin has its database again", func() bool {
		got, err := a.ask("GET", "/canal/clusters", nil)
		return err == nil && got.Code == 20000
	})
	a.runsOn("itkaven", "kaven")
	w.mustWrite(t, 20)
	r.await(w)
	r.stop().compare(w)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
