//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long a process may take to stop.
const patience = 20 * time.Second

// A process ends when its standard input does, so that nothing is left whatever
// becomes of this program.
type process struct {
	name  string
	cmd   *exec.Cmd
	input io.Closer

	done chan struct{} // closed when the process has ended
	err  error         // why, then
}

// start starts a program that watches its input itself.
func start(name string, argv ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us: there is an order to stop in
	var err error
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { // ends with the process
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// untilInputEnds runs a program that does not watch its input. The shell ends with
// the program, and the program with the shell's input.
const untilInputEnds = `
	exec 3<&0
	"$@" </dev/null 3<&- & program=$!
	{ cat <&3 >/dev/null 2>&1; kill $program; } & watch=$!
	wait $program; code=$?
	kill $watch 2>/dev/null
	exit $code`

// startForeign starts a program that knows nothing of all this.
func startForeign(name string, argv ...string) (*process, error) {
	return start(name, append([]string{"/bin/sh", "-c", untilInputEnds, "sh"}, argv...)...)
}

// await waits until p accepts connections. It has stopped p if there is an error.
func (p *process) await(ctx context.Context, network, addr string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial(network, addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-p.done:
			return p.ended()
		case <-ctx.Done():
			p.stop()
			return ctx.Err()
		}
	}
}

// ended says that p has ended, which nobody wanted.
func (p *process) ended() error {
	if p.err == nil {
		return fmt.Errorf("%s has ended", p.name)
	}
	return fmt.Errorf("%s has ended: %w", p.name, p.err)
}

// stop ends p and waits for that.
func (p *process) stop() {
	_ = p.input.Close()
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // with its children
		<-p.done
	}
}

// find returns the path of a program.
func find(program, debian, brew string) (string, error) {
	for _, name := range []string{program, "/usr/sbin/" + program} { // Debian's nginx is not in a user's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed. On Debian and Ubuntu: apt install %s; on macOS: brew install %s", program, debian, brew)
}
