// Package cputime tells what a test costs in CPU time, which other processes on the
// machine hardly change: a bound of the clock would fail where many tests run at once.
package cputime

import (
	"syscall"
	"testing"
	"time"
)

// Used is the CPU time of this process so far, of all its threads.
func Used(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
