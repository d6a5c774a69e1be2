//go:build unix

package main

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/leak"
)

// TestMain is a server, too, as the program starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-server" {
		main()
		return
	}
	leak.Main(m)
}

var recipes = map[string]bool{"sticky": false, "websocket": true}

// TestCluster has three people on three servers who hear each other, whatever
// becomes of one of the servers.
func TestCluster(t *testing.T) {
	t.Parallel()
	for name, webSocketOnly := range recipes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := begin(t, cluster{webSocketOnly: webSocketOnly, down: time.Hour})

			browsers := []*browser{open(t, c.socket), open(t, c.socket), open(t, c.socket)}
			ada := browsers[0].enter("Ada", webSocketOnly)
			bob := browsers[1].enter("Bob", webSocketOnly)
			cleo := browsers[2].enter("Cleo", webSocketOnly)
			if ada.server == bob.server || bob.server == cleo.server || cleo.server == ada.server {
				t.Fatalf("people are on %s, %s and %s", ada.server, bob.server, cleo.server)
			}
			everybody := []*person{ada, bob, cleo}
			for _, p := range everybody {
				p.sees(everybody...)
			}
			for _, p := range everybody {
				p.say("hello from " + p.name)
				for _, q := range everybody {
					q.hears(p, "hello from "+p.name)
				}
			}

			ada.crash()
			bob.sees(bob, cleo)
			again := browsers[0].enter("Ada", webSocketOnly)
			if again.server == ada.server {
				t.Fatalf("%s is on server %s, which is down", again.name, ada.server)
			}
			bob.sees(again, bob, cleo)
			again.say("I am back")
			cleo.hears(again, "I am back")
			cleo.say("so you are")
			again.hears(cleo, "so you are")
		})
	}
}

// TestServerComesBack has a server that crashes start again and take its clients.
func TestServerComesBack(t *testing.T) {
	t.Parallel()
	c := begin(t, cluster{webSocketOnly: true, down: time.Millisecond})
	b := open(t, c.socket)
	ada := b.enter("Ada", true)
	ada.crash()
	c.says("server " + ada.server + " is back")
	b.enter("Ada", true).say("hello")
}

// TestRefusals has a cluster that cannot start say why.
func TestRefusals(t *testing.T) {
	t.Run("a program is missing", func(t *testing.T) {
		_, err := find("no-such-program", "its-package", "its-formula")
		if err == nil || !strings.Contains(err.Error(), "apt install its-package") {
			t.Errorf("%v", err)
		}
	})
	t.Run("the port is taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c := cluster{addr: l.Addr().String(), out: log.New(io.Discard, "", 0)}
		if err := c.run(t.Context()); err == nil || !strings.Contains(err.Error(), "-addr") {
			t.Errorf("%v", err)
		}
	})
	t.Run("it ends while it starts", func(t *testing.T) {
		p, err := startForeign("false", "false")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.await(t.Context(), "unix", "nowhere.sock"); err == nil || !strings.Contains(err.Error(), "false has ended") {
			t.Errorf("%v", err)
		}
	})
}

// A running cluster ends with its test, and leaves nothing.
type running struct {
	t      *testing.T
	socket string // of nginx
	lines  chan string
}

func begin(t *testing.T, c cluster) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "cluster-test-") //nolint:usetesting // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &running{t: t, socket: filepath.Join(dir, "nginx.sock"), lines: make(chan string, 100)}
	c.addr = "unix:" + r.socket
	c.out = log.New(r, "", 0)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { // ends with ctx
		ended <- c.run(ctx)
		close(r.lines)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	r.says("the chat is on http://" + c.addr + "; Ctrl-C ends it")
	return r
}

// Write takes what the cluster prints.
func (r *running) Write(line []byte) (int, error) {
	r.lines <- strings.TrimSpace(string(line))
	return len(line), nil
}

// says waits for a line.
func (r *running) says(want string) {
	r.t.Helper()
	for line := range r.lines {
		if line == want {
			return
		}
	}
	r.t.Fatalf("the cluster has ended and has not said %q", want)
}
