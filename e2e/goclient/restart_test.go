package goclient_test

import (
	"bufio"
	"context"
	"flag"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/client"
)

var restarts = flag.Int("restarts", 8, "how often TestKilledServer kills its server")

// A killable is a Node server in a process that is killed and started again on the
// same port.
type killable struct {
	t    *testing.T
	port string
	cmd  *exec.Cmd
}

func (k *killable) start() {
	cmd := exec.Command("node", "server.mjs", "4.8", k.port)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		k.t.Fatal(err)
	}
	k.port, k.cmd = strings.TrimSpace(line), cmd
	_ = in // which stays open as long as the process runs
}

func (k *killable) kill() {
	_ = k.cmd.Process.Kill()
	_ = k.cmd.Wait()
}

// A server that is killed again and again while two namespaces have traffic: no
// event is handled twice in one life of the server, every Deliver is handled, in
// order, and nothing is left running.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	srv := &killable{t: t, port: "0"}
	srv.start()
	defer func() { srv.kill() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := client.New("http://127.0.0.1:"+srv.port, &client.Options{
		MinDelay: 10 * time.Millisecond, MaxDelay: 100 * time.Millisecond, Logger: quiet, Dial: new(net.Dialer).DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var mu sync.Mutex
	dials := 0
	c.OnState(func(ch client.Change) {
		if ch.To == client.Connecting {
			mu.Lock()
			dials++
			mu.Unlock()
		}
	})
	var wait sync.WaitGroup
	var checks []func()
	for _, name := range []string{"/", "/other"} {
		s := c.Of(name)
		if err := s.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		// Events that the server sends back: each at most once, in order.
		last, handled := -1, 0
		s.On("again", func(n int) {
			if n <= last {
				t.Errorf("%s: event %d after %d", name, n, last)
			}
			last = n
			handled++
		})
		var delivered []int
		wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := s.Emit("again", n); err != nil && err != client.ErrBufferFull {
					t.Error(err)
					return
				}
				answer, err := s.Deliver(ctx, "echo", n)
				if err != nil {
					return
				}
				var got int
				if err := answer.Decode(&got); err != nil || got != n {
					t.Errorf("%s: answer %v to %d", name, answer, n)
				}
				delivered = append(delivered, got)
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
		checks = append(checks, func() {
			for i, n := range delivered {
				if i != n {
					t.Fatalf("%s: delivery %d is %d", name, i, n)
				}
			}
			t.Logf("%s: %d deliveries, %d events", name, len(delivered), handled)
		})
	}
	for range *restarts {
		srv.kill()
		srv.start()
		for _, name := range []string{"/", "/other"} {
			for range 10 {
				if _, err := c.Of(name).Deliver(ctx, "echo", "back"); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	cancel()
	wait.Wait()
	if err := c.Shutdown(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	for _, check := range checks {
		check()
	}
	mu.Lock()
	defer mu.Unlock()
	if limit := *restarts*200 + 10; dials > limit { // 100 attempts a second at most, and 2 seconds for Node to start
		t.Errorf("%d attempts", dials)
	}
	t.Logf("%d attempts for %d restarts", dials, *restarts)
	s := c.Stats()
	if sum := s.Written + s.Pending + s.Buffered + s.Volatile + s.Dropped.Total(); sum != s.Emitted {
		t.Errorf("emitted %d, accounted for %d: %+v", s.Emitted, sum, s)
	}
}
