// Command floor is what any reader of a binlog has to spend at least: it asks a
// database server for the same dump, with checksums, as Towpath does, reads the
// bytes from the socket with large reads, and throws them away. It looks at none
// of them. The benchmark in the folder above runs it as a process of its own, so
// that its CPU time can be set beside a server's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/towpath-cdc/towpath/internal/mysql"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// heartbeat is how often the server speaks when it has nothing to say: as for
// Towpath, and longer than a run.
const heartbeat = 15 * time.Second

func run(ctx context.Context) error {
	source := flag.String("source", "", "`address` of the database server")
	user := flag.String("user", "canal", "account")
	password := flag.String("password", "canal", "its password")
	file := flag.String("file", "", "binlog `file` to begin in, at offset 4")
	size := flag.Int64("bytes", 0, "how many `bytes` of the dump to read, packet headers included")
	id := flag.Uint("server-id", 4_000_000_001, "replica id to register")
	flag.Parse()
	if *source == "" || *file == "" || *size <= 0 {
		return errors.New("-source, -file and -bytes are needed")
	}
	conn, err := mysql.Connect(ctx, mysql.Config{Address: *source, User: *user, Password: *password})
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.PrepareDump(ctx, heartbeat); err != nil {
		return err
	}
	if err := conn.Register(ctx, uint32(*id)); err != nil {
		return err
	}
	begin := time.Now()
	if err := conn.Dump(ctx, uint32(*id), *file, 4); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	reads, err := discard(conn.Stream(), *size)
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes in %.3f s, %d reads\n", *size, time.Since(begin).Seconds(), reads)
	return nil
}

// bufferSize is the most that one read takes, in bytes: many packets of the dump,
// and little enough to stay in a CPU's cache.
const bufferSize = 256 << 10

// discard reads size bytes and says how many reads that took. More may be read,
// up to a buffer full.
func discard(r io.Reader, size int64) (reads int, err error) {
	buf := make([]byte, bufferSize)
	for size > 0 {
		n, err := r.Read(buf)
		reads++
		size -= int64(n)
		if err != nil && size > 0 {
			return reads, fmt.Errorf("%d bytes before the end: %w", size, err)
		}
	}
	return reads, nil
}
