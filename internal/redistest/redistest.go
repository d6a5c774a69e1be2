// Package redistest runs Redis servers for tests, on free ports of the loopback
// interface and without persistence. They end with the test.
package redistest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// waitLimit is how long a server may take to start.
const waitLimit = 30 * time.Second

// A Server is a Redis server. It can be killed and started again on its port.
type Server struct {
	tb   testing.TB
	port string
	tls  *tls.Config // nil without TLS
	args []string
	conf string // of a sentinel, which rewrites it
	dir  string

	mu   sync.Mutex // guards the following
	hold io.Closer  // keeps the process alive
	done chan struct{}
	log  *bytes.Buffer

	process int // 0 if it is not known
}

// Start starts a server that runs until the end of the test.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return startWith(tb, nil, args)
}

func startWith(tb testing.TB, config *tls.Config, args []string) *Server {
	tb.Helper()
	s := &Server{tb: tb, tls: config, args: args, dir: tb.TempDir()}
	tb.Cleanup(s.Kill)
	var err error
	for range 5 { // another process may take the port first
		if s.port, err = freePort(); err != nil {
			continue
		}
		if err = s.start(); err == nil {
			return s
		}
	}
	tb.Fatalf("redistest: %v (Debian has it in the package redis-server)", err)
	return nil
}

// StartCluster starts a Redis Cluster, whose nodes have equal shares of the slots.
func StartCluster(tb testing.TB, nodes int) []*Server {
	tb.Helper()
	return startCluster(tb, nodes, nodes)
}

// startCluster starts a cluster in which only the first of the nodes have slots.
func startCluster(tb testing.TB, nodes, masters int) []*Server {
	tb.Helper()
	const slots = 16384
	servers := make([]*Server, nodes)
	for i := range servers {
		bus, err := freePort()
		if err != nil {
			tb.Fatalf("redistest: %v", err)
		}
		servers[i] = Start(tb, "--cluster-enabled", "yes", "--cluster-port", bus,
			"--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no")
		if i < masters {
			servers[i].Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(slots*i/masters), strconv.Itoa(slots*(i+1)/masters-1))
		}
		if i > 0 {
			servers[i].Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
			servers[0].Do("CLUSTER", "MEET", "127.0.0.1", servers[i].port, bus)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(waitLimit); ; <-tick.C {
		ready := 0
		for _, s := range servers {
			info := s.Do("CLUSTER", "INFO")
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprint("cluster_known_nodes:", nodes, "\r")) {
				ready++
			}
		}
		if ready == nodes {
			return servers
		}
		if time.Now().After(end) {
			tb.Fatal("redistest: the cluster does not get ready")
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// Addr returns the server's address.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// Kill ends the server, as a crash would.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold == nil {
		return
	}
	s.hold.Close()
	<-s.done
	s.hold = nil
}

// Restart starts a server that was killed.
func (s *Server) Restart() {
	s.tb.Helper()
	if err := s.start(); err != nil {
		s.tb.Fatalf("redistest: %v", err)
	}
}

// untilEOF runs a command until its own input ends. That happens in any case when the
// process that holds the other end is gone.
const untilEOF = `"$@" & cat >/dev/null; kill -9 $!; wait`

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain, encrypted := s.port, "0"
	if s.tls != nil {
		plain, encrypted = encrypted, plain
	}
	args := append([]string{
		"-c", untilEOF, "sh", "redis-server", "--port", plain, "--tls-port", encrypted, "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--loglevel", "warning", "--repl-diskless-sync-delay", "0",
	}, s.args...)
	if s.conf != "" {
		args = []string{"-c", untilEOF, "sh", "redis-server", s.conf, "--sentinel", "--port", s.port, "--bind", "127.0.0.1"}
	}
	cmd := exec.Command("sh", args...)
	s.log = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	hold, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { // ends when hold is closed
		defer close(done)
		_ = cmd.Wait() // it is killed
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(waitLimit); time.Now().Before(end); <-tick.C {
		if reply := s.try("INFO", "server"); strings.Contains(reply, "tcp_port:"+s.port+"\r") {
			s.hold, s.done, s.process = hold, done, 0
			return nil
		}
	}
	hold.Close()
	<-done
	return fmt.Errorf("redis-server does not start: %s", s.log)
}

// Do sends one command on a connection of its own, and returns the raw reply. An error
// fails the test.
func (s *Server) Do(words ...string) string {
	s.tb.Helper()
	reply := s.try(words...)
	if reply == "" || reply[0] == '-' {
		s.tb.Fatalf("redistest: %q: %q", words, reply)
	}
	return reply
}

// try returns "" if the server does not respond.
func (s *Server) try(words ...string) string {
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return ""
	}
	if s.tls != nil {
		config := s.tls.Clone()
		config.ServerName = "127.0.0.1"
		conn = tls.Client(conn, config)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(waitLimit)); err != nil {
		return ""
	}
	request := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write(request); err != nil {
		return ""
	}
	reply, err := readReply(bufio.NewReader(conn), nil)
	if err != nil {
		return ""
	}
	return string(reply)
}

// readReply appends one raw reply.
func readReply(r *bufio.Reader, reply []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	reply = append(reply, line...)
	n, _ := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	switch line[0] {
	case '$':
		if n >= 0 {
			text := make([]byte, n+len("\r\n"))
			if _, err := io.ReadFull(r, text); err != nil {
				return nil, err
			}
			reply = append(reply, text...)
		}
	case '*':
		for range n {
			if reply, err = readReply(r, reply); err != nil {
				return nil, err
			}
		}
	}
	return reply, nil
}
