package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// Each server of a cluster asks for the list of its instances and for each of them,
// every five seconds: with 50 servers and 1000 instances that is 10 010 requests a
// second.
func BenchmarkPolling(b *testing.B) {
	w := newWorld(b)
	cluster, err := w.db.InsertCluster(b.Context(), database.Actor{}, database.Cluster{Name: "c"})
	if err != nil {
		b.Fatal(err)
	}
	for i := range int32(50) {
		port := 11110 + i
		if _, err := w.db.InsertServer(b.Context(), database.Actor{}, database.Server{ClusterID: &cluster, Name: "s", IP: "10.0.0.1", AdminPort: &port}, ""); err != nil {
			b.Fatal(err)
		}
	}
	content, err := w.api.template(instanceTemplate)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.db.SaveConfig(b.Context(), database.Actor{}, database.Config{ClusterID: &cluster, Content: "a = b"}, database.SaveOptions{}); err != nil {
		b.Fatal(err)
	}
	status := statusRunning
	for i := range 1000 {
		row := database.Instance{ClusterID: &cluster, Name: fmt.Sprintf("instance-%d", i), Status: &status, Content: content}
		if _, err := w.db.InsertInstance(b.Context(), database.Actor{}, row); err != nil {
			b.Fatal(err)
		}
	}
	var summary struct{ Version string }
	if err := json.Unmarshal(w.poll(b, "towpath_polling?ip=10.0.0.1&port=11111").Data, &summary); err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct{ name, path string }{
		{"list", "instances_polling?ip=10.0.0.1&port=11111&md5="},
		{"unchanged", "instance_polling/instance-500?md5=" + md5Of(content)},
		{"new", "instance_polling/instance-500?md5="},
		{"summary", "towpath_polling?ip=10.0.0.1&port=11111&known=" + summary.Version},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/config/"+bb.path, nil)
			r.Header.Set("user", "admin")
			r.Header.Set("passwd", identity.HashCanal("admin"))
			b.ReportAllocs()
			for b.Loop() {
				rec := httptest.NewRecorder()
				w.api.Handler().ServeHTTP(rec, r)
				if rec.Code != http.StatusOK {
					b.Fatal(rec.Code)
				}
			}
		})
	}
}
