//go:build !linux

package inspect

// cpuSeconds and resident are read from what only Linux has.
func cpuSeconds() float64 { return 0 }

func resident() int64 { return 0 }
