package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The wall clock of a Linux machine can be set for all of its processes only. So
// the programs of a campaign are built with a package time whose wall clock goes
// wrong by so many seconds as a file says, which they read when they get SIGUSR2.
// Everything else in them is as it is shipped.

// clockFile is the environment variable that names the file.
const clockFile = "TOWPATH_CHAOS_CLOCK"

const stepSource = `package time

import "sync/atomic"

var wallStep atomic.Int64

// SetWallStep sets the wall clock wrong by so many seconds.
func SetWallStep(seconds int64) { wallStep.Store(seconds) }
`

const listenSource = `package main

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func init() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
	go func() {
		for range c {
			b, err := os.ReadFile(os.Getenv("` + clockFile + `"))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
				time.SetWallStep(n)
			}
		}
	}()
}
`

// The line of time.Now that reads the clock, and what takes its place.
const (
	nowLine     = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	steppedLine = "\tsec, nsec, mono := runtimeNow()\n\tsec += wallStep.Load()\n\tif mono == 0 {"
)

// buildPrograms builds the server and the consumer into dir. root is the folder
// of the module.
func buildPrograms(ctx context.Context, root, dir string) (server, consumer string, err error) {
	overlay, err := writeOverlay(ctx, root, dir)
	if err != nil {
		return "", "", fmt.Errorf("prepare a clock that can be set: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", dir+string(filepath.Separator), "./cmd/towpath", "./test/chaos")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return filepath.Join(dir, "towpath"), filepath.Join(dir, "chaos"), nil
}

// writeOverlay writes the file for go build -overlay, and those that it names.
func writeOverlay(ctx context.Context, root, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	timeDir := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	now, err := os.ReadFile(filepath.Join(timeDir, "time.go"))
	if err != nil {
		return "", err
	}
	stepped := strings.Replace(string(now), nowLine, steppedLine, 1)
	if stepped == string(now) {
		return "", errors.New("this version of Go has another time.Now")
	}
	replace := make(map[string]string)
	for _, f := range []struct{ at, name, source string }{
		{filepath.Join(timeDir, "time.go"), "time.go", stepped},
		{filepath.Join(timeDir, "wallstep.go"), "wallstep.go", stepSource},
		{filepath.Join(root, "cmd", "towpath", "wallstep.go"), "listen.go", listenSource},
		{filepath.Join(root, "test", "chaos", "wallstep.go"), "listen.go", listenSource},
	} {
		to := filepath.Join(dir, "overlay-"+f.name)
		if err := os.WriteFile(to, []byte(f.source), 0o644); err != nil {
			return "", err
		}
		replace[f.at] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o644)
}
