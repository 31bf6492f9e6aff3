// Package clock tells the time by which leases are counted.
package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// SinceBoot is the time since the machine was started, suspended time included,
// which Go's own monotonic clock leaves out on Linux: a lease runs out while its
// owner sleeps.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart) // a kernel before 2.6.39
	}
	return time.Duration(ts.Nano())
}

var processStart = time.Now()
