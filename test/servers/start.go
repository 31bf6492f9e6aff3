package servers

import (
	"os/exec"
	"runtime"
)

// StartProcess starts a process whose death signal (Pdeathsig) is tied to this
// process rather than to the thread that happened to start it: Linux sends it
// when the parent thread ends, so the thread has to last as long as the program.
func StartProcess(cmd *exec.Cmd) error {
	request := startRequest{cmd, make(chan error)}
	starter <- request
	return <-request.result
}

type startRequest struct {
	cmd    *exec.Cmd
	result chan error
}

var starter = func() chan<- startRequest {
	c := make(chan startRequest)
	go func() {
		runtime.LockOSThread()
		for r := range c {
			r.result <- r.cmd.Start()
		}
	}()
	return c
}()
