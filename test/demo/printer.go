package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mark stands before what the client received.
const mark = "│"

// printer writes the demo's own lines.
type printer struct {
	w       io.Writer
	colour  bool
	columns int // of the terminal; 0: lines may have any length
	steps   int
}

// columnsOf is how many columns a terminal has, 0 when f is none.
func columnsOf(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// fold breaks a line at spaces where it would take more than so many columns,
// unless that is 0 or less.
func fold(line string, columns int) []string {
	if columns <= 0 {
		return []string{line}
	}
	parts, free := []string{""}, columns
	for word := range strings.SplitAfterSeq(line, " ") {
		n := cells(word)
		if n > free && free < columns {
			parts, free = append(parts, ""), columns
		}
		parts[len(parts)-1] += word
		free -= n
	}
	return parts
}

// wide is the first of the characters that take two columns: above it are Chinese,
// Japanese, Korean and emoji, and nothing else that the demo prints.
const wide = '\u2e80'

// cells is how many columns a text takes on a terminal.
func cells(text string) (n int) {
	for _, r := range colours.ReplaceAllString(text, "") {
		n++
		if r >= wide {
			n++
		}
	}
	return n
}

// paint is text in a terminal's style, an ANSI "select graphic rendition" number.
func (p *printer) paint(style int, text string) string {
	if !p.colour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", style, text)
}

const (
	bold = 1
	cyan = 36
	dim  = 2
)

func (p *printer) title(text string) { fmt.Fprintf(p.w, "\n%s\n", p.paint(bold, text)) }
func (p *printer) note(text string)  { fmt.Fprintln(p.w, text) }

// done tells of something that runs now.
func (p *printer) done(what, detail string, began time.Time) {
	took := fmt.Sprintf("%7s", seconds(time.Since(began)))
	fmt.Fprintf(p.w, "  %s  %-14s  %s\n", p.paint(dim, took), what, detail)
}

func (p *printer) step(title string) {
	p.steps++
	fmt.Fprintf(p.w, "\n%s\n", p.paint(bold, fmt.Sprintf("%d. %s", p.steps, title)))
}

// sql shows a statement that is about to run.
func (p *printer) sql(q string) {
	for i, line := range strings.Split(q, "\n") {
		prompt := "  mariadb> "
		if i > 0 {
			prompt = "        -> "
		}
		fmt.Fprintln(p.w, p.paint(dim, prompt)+p.paint(cyan, line))
	}
}

// command shows a command and what it printed.
func (p *printer) command(line string, output []string) {
	fmt.Fprintf(p.w, "\n  %s%s\n", p.paint(dim, "$ "), p.paint(cyan, line))
	for _, l := range output {
		fmt.Fprintln(p.w, strings.TrimRight("  "+l, " "))
	}
}

// received shows a line of the client. What does not fit is indented below it, in
// the style that it began with.
func (p *printer) received(line string) {
	const indent, plain = "  ", "\x1b[0m"
	style := ""
	for i, part := range fold(line, p.columns-len("  | "+indent)) {
		part = style + strings.TrimRight(part, " ")
		if i > 0 {
			part = indent + part
		}
		if used := colours.FindAllString(part, -1); len(used) > 0 {
			style = used[len(used)-1]
		}
		if style == plain {
			style = ""
		}
		if style != "" {
			part += plain
		}
		fmt.Fprintf(p.w, "  %s %s\n", p.paint(dim, mark), part)
	}
}

// seconds and millis are durations as the demo writes them.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
func millis(d time.Duration) string  { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// ending tells how to go on.
func (p *printer) ending() {
	p.note(`
Everything this started is stopped and its files are gone.
  read your own database         README.md, "Quick start"`)
}
