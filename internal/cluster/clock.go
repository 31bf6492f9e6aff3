package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is the time since the machine was started, suspended time included,
// which Go's own monotonic clock leaves out on Linux.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart) // a kernel before 2.6.39
	}
	return time.Duration(ts.Nano())
}

var processStart = time.Now()
