package metrics

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// clockTicks is the unit of times in /proc, which Linux fixes for programs at
// 1/100 s whatever the kernel's own clock does.
const clockTicks = 100

// processFamilies returns metrics of the process under the names the Java client
// gives them. What cannot be found out is left out.
func processFamilies() []family {
	var all []family
	add := func(name, typ, help string, value float64, ok bool) {
		if ok {
			f := family{name: name, typ: typ, help: help}
			f.add(value)
			all = append(all, f)
		}
	}
	p, ok := readProcess()
	add("process_cpu_seconds_total", counter, "Total user and system CPU time spent in seconds.", p.cpu, ok)
	boot, bootOK := bootTime()
	add("process_start_time_seconds", gauge, "Start time of the process since unix epoch in seconds.", boot+p.start, ok && bootOK)
	fds, err := os.ReadDir("/proc/self/fd")
	add("process_open_fds", gauge, "Number of open file descriptors.", float64(len(fds)), err == nil)
	var limit syscall.Rlimit
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	add("process_max_fds", gauge, "Maximum number of open file descriptors.", float64(limit.Cur), err == nil)
	add("process_virtual_memory_bytes", gauge, "Virtual memory size in bytes.", p.virtual, ok)
	add("process_resident_memory_bytes", gauge, "Resident memory size in bytes.", p.resident, ok)
	return all
}

// process is what /proc/self/stat tells.
type process struct {
	cpu, start        float64 // seconds; start since the boot
	virtual, resident float64 // bytes
}

func readProcess() (process, bool) {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return process{}, false
	}
	return parseStat(b)
}

// parseStat reads the line of /proc/self/stat. Fields are counted from the one
// after the program's name, which is in brackets and may contain blanks.
func parseStat(line []byte) (process, bool) {
	f := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	const state, utime, stime, startTime, vsize, rss = 3, 14, 15, 22, 23, 24 // numbers in proc(5)
	if len(f) <= rss-state {
		return process{}, false
	}
	ok := true
	number := func(field int) float64 {
		v, err := strconv.ParseFloat(f[field-state], 64)
		ok = ok && err == nil
		return v
	}
	p := process{
		cpu:      (number(utime) + number(stime)) / clockTicks,
		start:    number(startTime) / clockTicks,
		virtual:  number(vsize),
		resident: number(rss) * float64(os.Getpagesize()),
	}
	return p, ok
}

// bootTime returns when the system was started, in seconds since the epoch.
func bootTime() (float64, bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	_, after, ok := strings.Cut(string(b), "\nbtime ")
	text, _, _ := strings.Cut(after, "\n")
	v, err := strconv.ParseFloat(text, 64)
	return v, ok && err == nil
}
