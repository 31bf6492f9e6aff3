package netfault

import (
	"io"
	"net"
	"os/exec"
	"testing"
	"time"
)

// TestNamespace has a program in a namespace that talks to a server of this host
// while the cable is pulled and plugged in again.
func TestNamespace(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	n := NewNamespace(t)
	target, _ := echo(t)
	host, port, err := net.SplitHostPort(n.Forward(t, target).Addr())
	if err != nil {
		t.Fatal(err)
	}
	cmd := n.Command("bash", "-c", `exec 9<>"/dev/tcp/$0/$1" && while read -r line; do echo "$line" >&9; read -r line <&9; echo "$line"; done`, host, port)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		b := make([]byte, 100)
		for {
			k, err := out.Read(b)
			if err != nil {
				return
			}
			lines <- string(b[:k])
		}
	}()
	say := func(s string) {
		if _, err := io.WriteString(in, s); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		select {
		case got := <-lines:
			if got != want {
				t.Fatalf("the program says %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the program does not say %q", want)
		}
	}
	say("a\n")
	hear("a\n")
	if err := n.Cut(); err != nil {
		t.Fatal(err)
	}
	say("b\n")
	select {
	case got := <-lines:
		t.Fatalf("the program says %q without a cable", got)
	case <-time.After(silence):
	}
	if err := n.Heal(); err != nil {
		t.Fatal(err)
	}
	hear("b\n")
	in.Close()
	for range lines {
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
