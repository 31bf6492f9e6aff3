package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// process is a program that is started, stopped and killed again and again.
type process struct {
	name    string                  // in reports, such as "server 1"
	address string                  // of a server
	output  string                  // file
	clock   string                  // file that says how wrong its wall clock is, in seconds
	command func(run int) *exec.Cmd // of its nth run
	rec     *recorder               // of the campaign
	onDeath func(name, reason string)

	mu   sync.Mutex    // guards what follows
	cmd  *exec.Cmd     // nil while it is not meant to run
	done chan struct{} // closed when cmd has ended
	runs int
}

// start starts the process, unless it runs. onDeath is called when it ends without
// having been told to.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	out, err := os.OpenFile(p.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := p.command(p.runs)
	p.runs++
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), clockFile+"="+p.clock)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := servers.StartProcess(cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		_ = cmd.Wait() // ProcessState says how it ended
		p.mu.Lock()
		unexpected := p.cmd == cmd
		p.mu.Unlock()
		if unexpected {
			p.onDeath(p.name, cmd.ProcessState.String())
		}
		close(done)
	}()
	return nil
}

// disown returns the process, which from now on may end; nil when none runs.
func (p *process) disown() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd, done := p.cmd, p.done
	p.cmd = nil
	return cmd, done
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() error {
	cmd, done := p.disown()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-done
	return nil
}

// terminateTimeout is how long an orderly end may take.
const terminateTimeout = 30 * time.Second

// terminate ends the process as an operator would. It is an error when it does
// not end, or not well.
func (p *process) terminate() error {
	cmd, done := p.disown()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("terminate %s: %w", p.name, err)
	}
	select {
	case <-done:
	case <-time.After(terminateTimeout):
		_ = cmd.Process.Kill() // it may just have ended
		<-done
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, terminateTimeout)
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("%s ended with %v after SIGTERM", p.name, cmd.ProcessState)
	}
	return nil
}

// signal is for a process that runs; others are left alone.
func (p *process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	return p.cmd.Process.Signal(s)
}

// pid is 0 when it does not run.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// stop stops the process where it stands, and waits until that has happened.
func (p *process) stop() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid()))
		if err != nil || isStopped(b) {
			break
		}
	}
	p.rec.record(event{Kind: kindStop, Server: p.address})
	return nil
}

// cont ends a stop.
func (p *process) cont() error {
	p.rec.record(event{Kind: kindCont, Server: p.address})
	return p.signal(syscall.SIGCONT)
}

// isStopped reads the state in /proc/PID/stat, which follows the name in brackets.
func isStopped(stat []byte) bool {
	for i := len(stat) - 1; i >= 2; i-- {
		if stat[i-2] == ')' {
			return stat[i] == 'T'
		}
	}
	return false
}

// stepClock sets the wall clock of the process wrong by so many seconds. It is
// errAbsent when that does not run, or has only just been started.
func (p *process) stepClock(seconds int64) error {
	if err := os.WriteFile(p.clock, []byte(strconv.FormatInt(seconds, 10)), 0o644); err != nil {
		return err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil || !catches(string(status), syscall.SIGUSR2) {
		return errAbsent
	}
	return p.signal(syscall.SIGUSR2)
}

// catches reads in /proc/PID/status whether the process handles a signal, which
// would end it otherwise.
func catches(status string, s syscall.Signal) bool {
	_, rest, _ := strings.Cut(status, "\nSigCgt:")
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 16, 64)
	return err == nil && mask>>(s-1)&1 != 0
}
