package inspect

import "runtime/metrics"

// process is what the process uses.
type process struct {
	cpuSeconds float64 // user and system, since the start
	resident   int64   // bytes; 0 when unknown
	heap       int64   // bytes of objects, dead ones not yet swept included
	goroutines int
}

// readProcess reads the figures without stopping anything.
func readProcess() process {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(samples)
	p := process{cpuSeconds: cpuSeconds(), resident: resident()}
	if v := samples[0].Value; v.Kind() == metrics.KindUint64 {
		p.heap = int64(v.Uint64())
	}
	if v := samples[1].Value; v.Kind() == metrics.KindUint64 {
		p.goroutines = int(v.Uint64())
	}
	return p
}
