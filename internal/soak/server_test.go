//go:build linux

package soak_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server is a server in another process, so that what it takes of memory,
// descriptors and goroutines is its own.
type server struct {
	t     testing.TB
	addr  string
	setup setup
	env   []string

	control string
	cmd     *exec.Cmd
	stdin   io.Closer
	ended   chan struct{}
	http    *http.Client // one connection a request
}

// start starts a server, which ends with the test.
func start(t *testing.T, s setup, env ...string) *server {
	t.Helper()
	raiseFileLimit(t)
	srv := &server{
		t: t, setup: s, env: env,
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * patience},
	}
	srv.run()
	t.Cleanup(srv.kill)
	return srv
}

func (srv *server) run() {
	srv.t.Helper()
	spec, err := json.Marshal(srv.setup)
	if err != nil {
		srv.t.Fatal(err)
	}
	srv.cmd = exec.Command(os.Args[0]) //nolint:noctx // kill ends it
	srv.cmd.Env = append(append(os.Environ(), serverEnv+"="+string(spec)), srv.env...)
	srv.cmd.Stderr = os.Stderr
	stdout, err := srv.cmd.StdoutPipe()
	if err != nil {
		srv.t.Fatal(err)
	}
	if srv.stdin, err = srv.cmd.StdinPipe(); err != nil {
		srv.t.Fatal(err)
	}
	if err := srv.cmd.Start(); err != nil {
		srv.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, scanErr := fmt.Sscan(line, &srv.addr, &srv.control); err != nil || scanErr != nil {
		srv.t.Fatalf("the server said %q: %v, %v", line, err, scanErr)
	}
	srv.setup.Addr = srv.addr
	ended := make(chan struct{})
	srv.ended = ended
	cmd := srv.cmd
	go func() { // kill ends the process, and waits for it
		_ = cmd.Wait()
		close(ended)
	}()
}

// kill ends the process at once.
func (srv *server) kill() {
	_ = srv.cmd.Process.Signal(syscall.SIGKILL)
	<-srv.ended
	srv.stdin.Close()
}

// restart kills the process and starts another one at the same address.
func (srv *server) restart() {
	srv.kill()
	srv.run()
}

func (srv *server) signal(s syscall.Signal) { _ = srv.cmd.Process.Signal(s) }

// order has the server do something.
func (srv *server) order(path string) ([]byte, error) {
	resp, err := srv.http.Get("http://" + srv.control + path) //nolint:noctx // it has a timeout
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}

// state asks the server how it is.
func (srv *server) state(gc bool) (s state) {
	srv.t.Helper()
	s, err := srv.look(gc)
	if err != nil {
		srv.t.Fatalf("asking the server how it is: %v", err)
	}
	if m := s.Messages; m.Emitted != m.Written+m.Pending+m.DroppedVolatile+m.DroppedSlow+m.DroppedClosed {
		srv.t.Errorf("the server's accounts do not balance: %+v", m)
	}
	return s
}

func (srv *server) look(gc bool) (s state, err error) {
	path := "/state"
	if gc {
		path += "?gc=1"
	}
	body, err := srv.order(path)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

func (s state) String() string {
	return fmt.Sprintf("heap %.2f MiB, %d goroutines, %d descriptors, %d connections, %d sockets, %d rooms",
		float64(s.Heap)/(1<<20), s.Goroutines, s.FDs, s.Connections, s.Sockets, s.Rooms)
}

// Back to the baseline is: no connection, socket, room or goroutine more, and
// no descriptor; and of the heap no more than what tables keep that have been
// larger.
func (s state) isBackTo(base state) bool {
	return s.Connections <= base.Connections && s.Sockets <= base.Sockets && s.Rooms <= base.Rooms && s.QueuedBytes <= base.QueuedBytes &&
		s.Goroutines <= base.Goroutines && s.FDs <= base.FDs && s.Heap <= base.Heap+base.Heap/20+keptByTables
}

// keptByTables is what a server that has been full may keep: maps of sessions
// and sockets do not shrink, nor do the pools of the runtime.
const keptByTables = 512 << 10

// wantBaseline waits until the server is as it was before, and returns that.
func (srv *server) wantBaseline(base state) (s state) {
	srv.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if s = srv.state(true); s.isBackTo(base) {
			return s
		}
		if time.Now().After(deadline) {
			srv.t.Errorf("the server has not come back to its baseline:\nbefore: %v\nafter:  %v\nits heap: %s", base, s, srv.profile())
			return s
		}
		pause(srv.t.Context(), 200*time.Millisecond)
	}
}

// profile writes down what the server's heap consists of.
func (srv *server) profile() (path string) {
	body, err := srv.order("/heap")
	if err == nil {
		path = filepath.Join(os.TempDir(), "soak.heap")
		err = os.WriteFile(path, body, 0o600)
	}
	if err != nil {
		return err.Error()
	}
	return path
}

// wantShutdown has the server shut down, after which nothing of it may be left:
// what remains are goroutines of the process that it had before.
func (srv *server) wantShutdown(goroutines int) time.Duration {
	srv.t.Helper()
	begin := time.Now()
	if _, err := srv.order("/shutdown"); err != nil {
		srv.t.Errorf("Shutdown: %v", err)
	}
	took := time.Since(begin)
	var s state
	for deadline := time.Now().Add(patience); ; pause(srv.t.Context(), 20*time.Millisecond) {
		if s = srv.state(false); s.Goroutines <= goroutines && s.Connections == 0 || time.Now().After(deadline) {
			break
		}
	}
	if s.Goroutines > goroutines || s.Connections > 0 || s.Sockets > 0 || s.Rooms > 0 {
		srv.t.Errorf("left after Shutdown: %v; before the first client there were %d goroutines", s, goroutines)
	}
	return took
}

// raiseFileLimit lets this process and the servers open as many connections as
// the system permits.
func raiseFileLimit(t testing.TB) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// A sampler looks at a server from time to time.
type sampler struct {
	stop context.CancelFunc
	done chan struct{}
	most state // the greatest of each; once done is closed
}

func (srv *server) sample() *sampler {
	ctx, stop := context.WithCancel(context.Background()) // until end
	s := &sampler{stop: stop, done: make(chan struct{})}
	go func() { // end waits for it
		defer close(s.done)
		most := &s.most
		for {
			if now, err := srv.look(false); err == nil {
				most.Memory, most.Goroutines, most.FDs = max(most.Memory, now.Memory), max(most.Goroutines, now.Goroutines), max(most.FDs, now.FDs)
				most.Heap, most.Connections = max(most.Heap, now.Heap), max(most.Connections, now.Connections)
			}
			if !pause(ctx, 50*time.Millisecond) {
				return
			}
		}
	}()
	srv.t.Cleanup(func() { s.end() })
	return s
}

func (s *sampler) end() state {
	s.stop()
	<-s.done
	return s.most
}

// inMiB shows a number of bytes.
func inMiB[T int | int64 | uint64](n T) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// counts shows what a server has counted.
func counts(m map[string]uint64) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(m), "map["), "]")
}
