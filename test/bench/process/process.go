// Package process reads what the kernel knows of a process that a benchmark
// measures. Its central type is ID.
package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ID is the number of a process.
type ID int

// clockTick is the unit of CPU times in /proc, USER_HZ, which is 100 on every
// Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the user and system time so far.
func (p ID) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", p, len(f))
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat: times %q %q", p, f[11], f[12])
	}
	return time.Duration(user+system) * clockTick, nil
}

// Peak is the most memory it has had, in bytes.
func (p ID) Peak() (int64, error) { return p.status("VmHWM:") }

// Resident is the memory that it has, in bytes.
func (p ID) Resident() (int64, error) { return p.status("VmRSS:") }

// status reads a size of /proc/PID/status.
func (p ID) status(key string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key); ok && len(strings.Fields(v)) > 0 {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", p, key)
}
