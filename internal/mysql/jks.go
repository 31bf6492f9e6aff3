package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errCutShort is a key store that ends before what it announces.
var errCutShort = errors.New("the file is cut short or damaged")

// checkJKS walks over the entries of a Java key store without reading them. The
// library that does takes memory for whatever length stands there, so a damaged
// file could ask for more than there is. The layout is that of JavaKeyStore in
// the JDK: magic, version, number of entries, entries, a digest of 20 bytes.
func checkJKS(data []byte) error {
	w := jksWalker{rest: data}
	w.skip(4) // magic, which brought us here
	version, entries := w.number(4), w.number(4)
	if w.short {
		return errCutShort
	}
	if version != 1 && version != 2 {
		return fmt.Errorf("version %d is neither 1 nor 2", version)
	}
	for range entries {
		switch tag := w.number(4); {
		case w.short:
			return errCutShort
		case tag == 1: // private key
			w.entryHead()
			w.skip(w.number(4))
			for n := w.number(4); n > 0 && !w.short; n-- {
				w.certificate(version)
			}
		case tag == 2: // trusted certificate
			w.entryHead()
			w.certificate(version)
		default:
			return fmt.Errorf("an entry of unknown kind %d", tag)
		}
	}
	if w.short {
		return errCutShort
	}
	return nil
}

// jksWalker passes over bytes; short is set when there are too few.
type jksWalker struct {
	rest  []byte
	short bool
}

func (w *jksWalker) skip(n uint64) {
	if n > uint64(len(w.rest)) {
		w.short, w.rest = true, nil
		return
	}
	w.rest = w.rest[n:]
}

// number reads an unsigned number of size bytes, most significant first.
func (w *jksWalker) number(size int) uint64 {
	var b [8]byte
	if len(w.rest) >= size {
		copy(b[8-size:], w.rest)
	}
	w.skip(uint64(size))
	return binary.BigEndian.Uint64(b[:])
}

// entryHead passes over the alias and the date of an entry.
func (w *jksWalker) entryHead() {
	w.skip(w.number(2))
	w.skip(8)
}

func (w *jksWalker) certificate(version uint64) {
	if version == 2 {
		w.skip(w.number(2)) // its type
	}
	w.skip(w.number(4))
}
