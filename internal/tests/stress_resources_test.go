//go:build unix

package tests_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A scarceListener has no file descriptors left, for some calls.
type scarceListener struct {
	*memnet.Listener

	failures atomic.Int32 // to come
}

func (l *scarceListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "mem", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// Without file descriptors nobody new comes in for a while, and those who are
// there do not notice.
func TestNoFileDescriptors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &scarceListener{Listener: memnet.Listen()}
		srv := siotest.ServeOn(t, nil, l, l.DialContext)
		srv.WaitLimit = time.Hour
		c := srv.Join(t, siotest.WebSocket)
		l.failures.Store(10)
		last := srv.Join(t, siotest.WebSocket) // its Accept was called before
		start := time.Now()
		joined := make(chan time.Duration)
		go func() {
			srv.Join(t, siotest.WebSocket)
			joined <- time.Since(start)
		}()
		siotest.WantEqual(t, "echo", c.Ask(`["echo",1]`), `[1]`)
		srv.Emit("hello")
		c.Want(`42["hello"]`)
		last.Want(`42["hello"]`)
		if took := <-joined; took < time.Second || took > time.Minute {
			t.Errorf("the next one was let in after %v", took)
		}
		siotest.WantEqual(t, "connections", srv.Stats().Connections, 3)
	})
}

const (
	stoppedChild    = "SOCKETIO_TEST_CHILD" // set in the process that is stopped
	stoppedInterval = 50 * time.Millisecond
	stoppedTimeout  = time.Second
)

// A process that is stopped for longer than clients have patience for, as when
// its machine sleeps, goes on as if nothing had happened: each of its clients
// ends at most once, and heartbeats that were due meanwhile are not made up for.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(stoppedChild) != "" {
		serveStopped(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStoppedProcess$", "-test.count=1")
	child.Env = append(os.Environ(), stoppedChild+"=1")
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	url := ""
	for url == "" && out.Scan() {
		url, _ = strings.CutPrefix(out.Text(), "serving ")
	}
	srv := &siotest.Server{URL: url, WaitLimit: siotest.WaitLimit, Dial: new(net.Dialer).DialContext}
	srv.HTTP = &http.Client{Transport: &http.Transport{DialContext: srv.Dial}}
	defer srv.HTTP.CloseIdleConnections()

	type listener struct {
		id    string
		pings atomic.Int32
		ended chan struct{}
	}
	var clients []*listener
	var reading sync.WaitGroup
	for i := range 6 {
		c := srv.Open(t, siotest.WebSocket)
		l := &listener{id: c.Join("/", ""), ended: make(chan struct{})}
		clients = append(clients, l)
		reading.Go(func() {
			defer close(l.ended)
			for {
				packet, err := c.Wire.Read()
				if err != nil {
					return
				}
				if packet == "2" {
					l.pings.Add(1)
					if i%3 > 0 && c.Wire.Write("3") != nil { // some of them answer
						return
					}
				}
			}
		})
	}
	signal := func(s os.Signal) {
		t.Helper()
		if err := child.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	<-time.After(stoppedTimeout + 10*stoppedInterval) //nolint:forbidigo // time passes for a process that is stopped
	before := make([]int32, len(clients))
	for i, l := range clients {
		before[i] = l.pings.Load()
	}
	start := time.Now()
	signal(syscall.SIGCONT)
	for attempt := 0; ; attempt++ { // one who comes then is served
		c := srv.Open(t, siotest.WebSocket)
		c.Write(`40`, `421["echo","anew"]`)
		served := false
		for {
			packet, err := c.Next()
			if err != nil {
				break
			}
			if served = packet == `431["anew"]`; served {
				break
			}
		}
		if served {
			break
		}
		if attempt > 20 {
			t.Fatal("nobody is served any more")
		}
	}
	for i, l := range clients {
		most := time.Since(start)/stoppedInterval + 3 // some were on their way
		if n := l.pings.Load() - before[i]; n > int32(most) {
			t.Errorf("%d heartbeats at once", n)
		}
	}
	for i, l := range clients {
		if i%3 == 0 {
			<-l.ended // its time to answer has begun when it was sent the ping
		}
	}
	if err := stdin.Close(); err != nil { // let it shut down
		t.Fatal(err)
	}
	left := make(map[string][]string)
	for out.Scan() {
		if fields := strings.SplitN(out.Text(), " ", 3); len(fields) == 3 && fields[0] == "left" {
			left[fields[1]] = append(left[fields[1]], fields[2])
		}
	}
	if err := errors.Join(out.Err(), child.Wait()); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	reading.Wait()
	for i, l := range clients {
		reasons := strings.Join(left[l.id], ", ")
		if i%3 == 0 {
			siotest.WantEqual(t, "how a silent client left", reasons, string(socketio.ReasonPingTimeout))
		} else if reasons != string(socketio.ReasonPingTimeout) && reasons != string(socketio.ReasonShutdown) {
			t.Errorf("a client left with %q", reasons)
		}
	}
}

// serveStopped is what the process does that is stopped.
func serveStopped(t *testing.T) {
	srv := siotest.Serve(t, &socketio.Options{PingInterval: stoppedInterval, PingTimeout: stoppedTimeout})
	srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) { fmt.Println("left", s.ID(), reason) })
	fmt.Println("serving", srv.URL)
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it is closed
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
