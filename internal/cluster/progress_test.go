package cluster

import (
	"testing"

	"github.com/towpath-cdc/towpath/internal/zktree"
)

func TestPublish(t *testing.T) {
	w, _, _, r, _ := pair(t)
	lease := r.lease
	for i := range 2 { // the node is made, then written
		want := Progress{Source: "127.0.0.1:3306", File: "mysql-bin.000001", Offset: int64(i), Unacked: 1, AtMs: 5}
		if err := lease.Publish(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		data, _, err := w.admin.Get(t.Context(), zktree.Status("d"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseProgress(data); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if err := w.admin.DeleteAll(t.Context(), zktree.TowpathDestination("d")); err != nil {
		t.Fatal(err)
	}
	if err := lease.Publish(t.Context(), Progress{}); err == nil {
		t.Error("published without owning the destination")
	}
}

func FuzzParseProgress(f *testing.F) {
	f.Add([]byte(`{"file":"mysql-bin.000001","offset":4,"unacked":0,"at":1}`))
	f.Add([]byte(`{"at":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProgress(b)
		if err != nil {
			return
		}
		if again, err := ParseProgress(p.Append(nil)); err != nil || again != p {
			t.Errorf("%+v reads back as %+v, %v", p, again, err)
		}
	})
}
