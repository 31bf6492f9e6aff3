package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// calibration is work whose time tells how fast a machine is, now: it changes with
// the machine, its clock and whoever else uses it, but not with the program. Of three
// parts each stands for something that the benchmarks spend their time on, and the
// geometric mean of their times counts, so that none outweighs the others.
//
//   - numbers: multiplications, shifts and additions, each waiting for the one
//     before, as in checksums and in the digits of numbers;
//   - copies: blocks of memory that fit no first-level cache, as text is copied from
//     an event into an entry;
//   - branches: varints of random lengths, taken apart byte by byte, as the fields of
//     events and entries are, where the processor guesses wrongly now and then.
type calibration struct {
	from, to []byte // of copies
	varints  []byte // of branches
	sink     uint64 // keeps the compiler from leaving the work out
}

// Sizes of the calibration's parts: each takes some milliseconds.
const (
	calibrationNumbers = 2_000_000
	calibrationBlock   = 256 << 10
	calibrationCopies  = 200
	calibrationVarints = 300_000
	calibrationRounds  = 5
)

func newCalibration() *calibration {
	c := &calibration{from: make([]byte, calibrationBlock), to: make([]byte, calibrationBlock)}
	r := rand.New(rand.NewPCG(1, 2)) // the same everywhere
	for range calibrationVarints {
		c.varints = binary.AppendUvarint(c.varints, r.Uint64()>>r.IntN(64))
	}
	return c
}

// measure is the time of the calibration, in nanoseconds: of each part the shortest of
// some rounds, since whatever disturbs makes them longer.
func (c *calibration) measure() float64 {
	return geometricMean(timed(c.numbers), timed(c.copies), timed(c.branches))
}

// timed is the shortest time of f in nanoseconds.
func timed(f func()) float64 {
	least := math.Inf(1)
	for range calibrationRounds {
		start := time.Now()
		f()
		least = min(least, float64(time.Since(start)))
	}
	return least
}

func (c *calibration) numbers() {
	x := c.sink | 1
	for range calibrationNumbers {
		x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
		x += x >> 7
	}
	c.sink = x
}

func (c *calibration) copies() {
	for i := range calibrationCopies {
		c.from[i] = byte(c.sink)
		copy(c.to, c.from)
		c.sink += uint64(c.to[i]) + 1
	}
}

func (c *calibration) branches() {
	var v uint64
	shift := 0
	for _, b := range c.varints {
		if b < 0x80 {
			c.sink += v | uint64(b)<<shift
			v, shift = 0, 0
			continue
		}
		v |= uint64(b&0x7f) << shift
		shift += 7
	}
}

func geometricMean(all ...float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(all)))
}
