package main

import (
	"sort"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is CLOCK_MONOTONIC in nanoseconds: the one clock of all histories,
// which all processes of a machine share and nobody can set.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // every Linux has it
	}
	return ts.Nano()
}

// clock relates ZooKeeper's times, which are of the wall clock and in
// milliseconds, to the monotonic clock, by samples of both.
type clock []clockSample

type clockSample struct {
	mono int64 // nanoseconds
	wall int64 // nanoseconds since the epoch
}

// clockError bounds the error of clock.mono: ZooKeeper cuts its times to
// milliseconds, and the wall clock is being corrected slowly all the time.
const clockError = int64(5 * time.Millisecond)

// mono is when the wall clock showed ms. Without samples it is 0.
func (c clock) mono(ms int64) int64 {
	if len(c) == 0 {
		return 0
	}
	wall := ms * int64(time.Millisecond)
	i := sort.Search(len(c), func(i int) bool { return c[i].wall > wall })
	s := c[max(0, i-1)]
	return wall - s.wall + s.mono
}
