// Command floor is what any reader of a binlog has to spend at least: it asks a
// database server for the same dump, with checksums, as Towpath does, reads the
// bytes from the socket with large reads, and throws them away. It looks at none
// of them. It prints its CPU time since it asked for the dump. The benchmark in the
// folder above sets that beside the servers'.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
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
	before, err := cpu()
	if err != nil {
		return err
	}
	if err := conn.Dump(ctx, uint32(*id), *file, 4); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := discard(conn.Stream(), *size); err != nil {
		return err
	}
	after, err := cpu()
	if err != nil {
		return err
	}
	fmt.Println(after - before)
	return nil
}

// cpu is the user and system time of this process so far.
func cpu() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// bufferSize is the most that one read takes, in bytes: many packets of the dump,
// and little enough to stay in a CPU's cache.
const bufferSize = 256 << 10

// discard reads size bytes. It may read more, up to a buffer full.
func discard(r io.Reader, size int64) error {
	buf := make([]byte, bufferSize)
	for size > 0 {
		n, err := r.Read(buf)
		size -= int64(n)
		if err != nil && size > 0 {
			return fmt.Errorf("%d bytes before the end: %w", size, err)
		}
	}
	return nil
}
