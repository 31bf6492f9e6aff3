package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// Package servers has a goroutine that starts processes, from the beginning on.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// towpath runs the program and returns its output and exit code.
func towpath(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &err)
	return out.String(), err.String(), code
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string // what must be in it
	}{
		{nil, exitUsage, "", "usage: towpath COMMAND"},
		{[]string{"help"}, exitOK, "print version", ""},
		{[]string{"--help"}, exitOK, "usage: towpath COMMAND", ""},
		{[]string{"nosuch"}, exitUsage, "", `unknown command "nosuch"`},
		{[]string{"version"}, exitOK, "towpath devel commit ", ""},
		{[]string{"version", "--help"}, exitOK, "", "usage: towpath version"},
		{[]string{"version", "extra"}, exitUsage, "", `towpath version: unexpected argument "extra"`},
		{[]string{"version", "--nosuch"}, exitUsage, "", "flag provided but not defined"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			stdout, stderr, code := towpath(t, tt.args...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
}
