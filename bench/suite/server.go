//go:build linux

package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The servers, by the names that results know them by.
const (
	Ours = "ours" // this library
	Raw  = "raw"  // gorilla/websocket in the plain arrangement
	Node = "node" // socket.io for Node
)

// Fixtures know how to start every server.
type Fixtures struct {
	commands map[string][]string
}

// Build compiles the Go fixtures into dir and installs the packages of the
// Node fixture if they are missing. bench is the directory of this module.
func Build(ctx context.Context, bench, dir string, servers []string) (*Fixtures, error) {
	f := &Fixtures{commands: make(map[string][]string)}
	for _, server := range servers {
		source := filepath.Join(bench, "fixtures", server)
		switch server {
		case Ours, Raw:
			binary := filepath.Join(dir, server)
			if err := command(ctx, source, "go", "build", "-o", binary, "."); err != nil {
				return nil, err
			}
			f.commands[server] = []string{binary}
		case Node:
			if !installed(source) {
				if err := command(ctx, source, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
					return nil, err
				}
			}
			f.commands[server] = []string{"node", "--expose-gc", filepath.Join(source, "server.mjs")}
		default:
			return nil, fmt.Errorf("no server %q; there are %s, %s and %s", server, Ours, Raw, Node)
		}
	}
	return f, nil
}

// installed reports whether the packages are those of package-lock.json. npm
// writes its own copy of that last.
func installed(dir string) bool {
	wanted, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return false
	}
	found, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	return err == nil && !found.ModTime().Before(wanted.ModTime())
}

// command runs a program whose output only matters when it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return nil
}

// A server is a running fixture, or a Redis.
type server struct {
	name        string
	addr, debug string
	cmd         *exec.Cmd
	stderr      bytes.Buffer
	exited      chan struct{} // closed when it has
}

// start starts a server on the given CPU, or on any if that is empty, and
// returns when it accepts connections. redis joins it to others, if not empty.
func (f *Fixtures) start(ctx context.Context, name, cpu, redis string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	debug, err := freeAddr()
	if err != nil {
		return nil, err
	}
	argv := append(slices.Clip(f.commands[name]), "-addr", addr, "-debug", debug)
	if redis != "" {
		argv = append(argv, "-redis", redis)
	}
	return launch(ctx, &server{name: name, addr: addr, debug: debug}, onCPU(cpu, argv))
}

// startRedis starts a Redis that keeps nothing.
func startRedis(ctx context.Context, cpu string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(addr)
	return launch(ctx, &server{name: "redis-server", addr: addr}, onCPU(cpu, []string{
		"redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", os.TempDir(),
	}))
}

// launch runs a command and returns when it accepts connections.
func launch(ctx context.Context, s *server, argv []string) (*server, error) {
	s.exited = make(chan struct{})
	s.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which stop awaits
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	for range 100 {
		select {
		case <-s.exited:
			return nil, fmt.Errorf("%s has ended: %s", s.name, s.stderr.String())
		case <-time.After(50 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return s, conn.Close()
		}
	}
	_ = s.stop()
	return nil, fmt.Errorf("%s does not listen", s.name)
}

// stop ends the server. The error says if it had ended before.
func (s *server) stop() error {
	select {
	case <-s.exited:
		return fmt.Errorf("%s has ended: %.500s", s.name, s.stderr.String())
	default:
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	return nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// onCPU returns argv to be run on one CPU only.
func onCPU(cpu string, argv []string) []string {
	if cpu == "" {
		return argv
	}
	return append([]string{"taskset", "--cpu-list", cpu}, argv...)
}

// cpus returns two CPUs that this process may use: one for the server and one
// for the generator. They are the same if there is only one.
func cpus() (server, generator string, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", "", err
	}
	_, list, ok := strings.Cut(string(status), "Cpus_allowed_list:")
	if !ok {
		return "", "", errors.New("no list of CPUs in /proc/self/status")
	}
	list, _, _ = strings.Cut(strings.TrimSpace(list), "\n")
	bounds := strings.FieldsFunc(list, func(r rune) bool { return r == '-' || r == ',' })
	return bounds[0], bounds[len(bounds)-1], nil
}
