package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/test/peers"
)

// javas is Canal's Java client, unmodified, in a process of its own with the
// defaults of the Java machine. It does what ours does.
func javas(ctx context.Context, addr, marker string, w way, timeout time.Duration) (figures, error) {
	built, err := peers.Build(ctx, peers.JavaClient)
	if err != nil {
		return figures{}, err
	}
	args := []string{"--address", addr, "--destination", destination, "--quiet", "--rows", "--until", marker,
		"--batch", strconv.Itoa(w.batch), "--timeout", strconv.FormatInt(timeout.Milliseconds(), 10)}
	if w.rounds > 0 {
		args = append(args, "--max-batches", strconv.Itoa(w.rounds))
	}
	line := peers.JavaClient.Command(built, nil, args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return figures{}, fmt.Errorf("java client: %w\n%s", err, out.Bytes())
	}
	return parseSummary(out.String())
}

// summary is the last line that the Java client prints.
var summary = regexp.MustCompile(`gets=(\d+) rows=(\d+) .*sinceFirstGet=([0-9.]+)\n$`)

func parseSummary(out string) (f figures, err error) {
	m := summary.FindStringSubmatch(out)
	if m == nil {
		return f, fmt.Errorf("java client: no summary in %q", out)
	}
	if f.gets, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return f, err
	}
	if f.rows, err = strconv.ParseInt(m[2], 10, 64); err != nil {
		return f, err
	}
	seconds, err := strconv.ParseFloat(m[3], 64)
	f.wall = time.Duration(seconds * float64(time.Second))
	return f, err
}
