package inspect

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/meta"
)

// BenchmarkReport is a report of 500 running instances in brief, each with a client,
// with what it costs to write it as JSON. An admin asks for one every 2 s at most.
func BenchmarkReport(b *testing.B) {
	const instances = 500
	w := newWorld(b, "canal.instance.memory.buffer.size = 64", "canal.instance.memory.batch.mode = ITEMSIZE")
	s := database(b, 2)
	for n := range instances {
		w.destination(fmt.Sprintf("destination-%03d", n), s.Address(), "canal.instance.parser.parallel = false")
	}
	w.up()
	for n := range instances {
		d := fmt.Sprintf("destination-%03d", n)
		w.start(d)
		in := w.parts.Manager.Instance(d)
		if err := in.Subscribe(b.Context(), meta.Client{ID: 1001}); err != nil {
			b.Fatal(err)
		}
		got, err := in.Get(b.Context(), meta.Client{ID: 1001}, 1, 30*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		got.Release()
	}
	ask := func() []byte {
		r, err := w.Call(b.Context(), control.MethodReport, nil)
		if err != nil {
			b.Fatal(err)
		}
		out, err := json.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	until(b, "the end of the binlog", func() bool {
		r := call[control.ServerReport](b, w.Inspector, control.MethodReport, control.ReportParams{})
		return len(r.Instances) == instances && r.Instances[instances-1].Source.HeadAtMs > 0
	})
	b.SetBytes(int64(len(ask())))
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}
