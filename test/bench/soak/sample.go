package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/bench/process"
)

// sample is the state of the server at a moment.
type sample struct {
	at          time.Duration // since the load began
	resident    int64         // bytes
	heap        int64         // bytes allocated
	goroutines  int
	descriptors int
}

// sampler looks at the server.
type sampler struct {
	process process.ID
	metrics string // URL of its page for Prometheus
	begin   time.Time
}

// take looks once.
func (s *sampler) take(ctx context.Context) (p sample, err error) {
	p.at = time.Since(s.begin)
	if p.resident, err = s.process.Resident(); err != nil {
		return p, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.process))
	if err != nil {
		return p, err
	}
	p.descriptors = len(open)
	figures, err := s.scrape(ctx)
	if err != nil {
		return p, fmt.Errorf("scrape metrics: %w", err)
	}
	p.heap, p.goroutines = int64(figures[heapMetric]), int(figures[goroutinesMetric])
	return p, nil
}

// The metrics that are asked for.
const (
	heapMetric       = "go_memstats_heap_alloc_bytes"
	goroutinesMetric = "go_goroutines"
)

// scrapeTimeout is how long the page may take.
const scrapeTimeout = 20 * time.Second

// await waits until the server, which may serve clients already, shows its metrics.
func (s *sampler) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	for {
		_, err := s.scrape(ctx)
		if err == nil {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("the server shows no metrics: %w", err)
		}
	}
}

func (s *sampler) scrape(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics+"?name[]="+heapMetric+"&name[]="+goroutinesMetric, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return parseMetrics(r.Body)
}

// parseMetrics reads the page of a server: samples without labels, and both that are
// needed.
func parseMetrics(from io.Reader) (map[string]float64, error) {
	all := make(map[string]float64)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		all[name] = v
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	for _, name := range []string{heapMetric, goroutinesMetric} {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("the page has no %s", name)
		}
	}
	return all, nil
}

// run looks every interval until load ends.
func (s *sampler) run(load context.Context, interval time.Duration) (all []sample, err error) {
	for {
		p, err := s.take(context.WithoutCancel(load))
		if err != nil {
			return all, err
		}
		all = append(all, p)
		if !sleep(load, interval) {
			return all, nil
		}
	}
}
