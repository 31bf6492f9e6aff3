// Command towpath reads MySQL and MariaDB binlogs and hands the changes to Canal
// clients and message queues. Each sub-command is in the file of its name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // zones are needed also where the system has none, as in a bare container
)

// Exit codes of all sub-commands.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// command is a sub-command. run gets the arguments after its name and returns the
// exit code; it ends in good order when ctx does.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int
}

// commands are all sub-commands; each adds itself when the program starts.
var commands []command

func register(c command) { commands = append(commands, c) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the sub-command that args name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return exitOK
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "towpath: unknown command %q\n\n", args[0])
	usage(stderr)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: towpath COMMAND [options]\n\n")
	all := slices.Clone(commands)
	slices.SortFunc(all, func(a, b command) int { return strings.Compare(a.name, b.name) })
	for _, c := range all {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\ntowpath COMMAND --help describes the options of a command.\n")
}

// newFlags returns the flag set of a sub-command. Its help goes to stderr; head
// is what stands above the options.
func newFlags(name, head string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		w := flags.Output()
		fmt.Fprintf(w, "usage: towpath %s [options]\n\n%s\n\n", name, head)
		flags.VisitAll(func(f *flag.Flag) {
			value, text := flag.UnquoteUsage(f)
			option := "--" + f.Name
			if value != "" {
				option += " " + value
			}
			if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "false" {
				text += " (" + f.DefValue + ")"
			}
			fmt.Fprintf(w, "  %-22s %s\n", option, text)
		})
	}
	return flags
}

// parseFlags parses args, none of which may be left over. When it returns false
// the sub-command ends with the given exit code.
func parseFlags(flags *flag.FlagSet, args []string) (code int, ok bool) {
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK, false
	case err != nil:
		return exitUsage, false
	case flags.NArg() > 0:
		return usageError(flags.Name(), flags.Output(), fmt.Errorf("unexpected argument %q", flags.Arg(0))), false
	}
	return exitOK, true
}

// usageError reports what is wrong with a sub-command's options.
func usageError(name string, stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "towpath %s: %v (see towpath %s --help)\n", name, err, name)
	return exitUsage
}
