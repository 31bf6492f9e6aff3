package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// mark stands before what the client received.
const mark = "│"

// printer writes the demo's own lines.
type printer struct {
	w      io.Writer
	colour bool
	steps  int
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
	took := fmt.Sprintf("%5.1f s", time.Since(began).Seconds())
	fmt.Fprintf(p.w, "  %s %-14s  %s\n", p.paint(dim, took), what, detail)
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
		fmt.Fprintf(p.w, "  %s\n", l)
	}
}

// received shows a line of the client.
func (p *printer) received(line string) { fmt.Fprintf(p.w, "  %s %s\n", p.paint(dim, mark), line) }

// ending tells how to go on.
func (p *printer) ending() {
	p.note(`
Everything this started is stopped and its files are gone.
  keep it running to play with   go run ./test/demo -keep
  read your own database         README.md, "Quick start"`)
}
