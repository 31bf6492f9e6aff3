package metrics

import (
	"runtime"
	"runtime/metrics"
)

// runtimeFamilies returns figures of Go's runtime under the names that the
// Prometheus client for Go gives them, by which dashboards and rules know them.
// They are read without stopping the program.
func runtimeFamilies() []family {
	read := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(read)
	value := func(i int) float64 { return float64(read[i].Value.Uint64()) }
	one := func(name, help string, v float64) family {
		f := family{name: name, typ: gauge, help: help}
		f.add(v)
		return f
	}
	return []family{
		one("go_goroutines", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine())),
		one("go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use.", value(0)),
		one("go_memstats_heap_inuse_bytes", "Number of heap bytes that are in use.", value(0)+value(1)),
		one("go_memstats_sys_bytes", "Number of bytes obtained from system.", value(2)),
	}
}
