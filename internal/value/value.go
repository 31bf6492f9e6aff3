// Package value turns the bytes of one column in a binlog row image into the
// text that Canal puts into a Column message.
//
// Everything is append style: a function appends the text to dst and returns
// the extended slice, like strconv.AppendInt. Nothing here allocates beyond the
// growth of dst. Functions that read a variable layout return an error for
// bytes that cannot be a value of the type, with dst as it was given; none
// panics on foreign bytes.
//
// The package does not know columns, tables or events: the caller finds the
// length of each cell and picks the function by the column's type and metadata.
// Where Canal's text is peculiar (decimals, the hour 100, dates inside JSON) it
// is so here, because consumers compare and parse it.
package value

import (
	"errors"
	"fmt"
)

// ErrTruncated reports a value that ends before its layout does.
var ErrTruncated = errors.New("truncated value")

// errFraction reports fractional seconds outside of their range, which means
// that the bytes are not what the column's metadata says.
var errFraction = errors.New("fractional seconds out of range")

func errPrecision(fsp int) error {
	return fmt.Errorf("fractional seconds precision %d out of range 0..6", fsp)
}
