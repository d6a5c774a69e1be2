package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
)

// Leaving and joining again at once must not send CONNECT twice, nor anything
// behind DISCONNECT: servers close the connection for that, which "/" would notice.
func TestLeaveAndJoinAgain(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		h.io.Of("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error {
			bubble.Sleep(time.Second)
			return nil
		})
		h.io.Of("/slow").On("echo", func(n int) int { return n })
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		lost := make(chan socketio.Reason, 100)
		c.OnDisconnect(func(r socketio.Reason) { lost <- r })
		slow := c.Of("/slow")
		for i := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Millisecond)
			err := slow.Connect(ctx)
			cancel()
			if err == nil {
				slow.Disconnect()
			}
		}
		if err := slow.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			go func() {
				for slow.Connected() {
					slow.Emit("echo", 1)
				}
			}()
			slow.Disconnect()
			if err := slow.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := slow.EmitWithAck(t.Context(), "echo", 7); err != nil || got.String() != "[7]" {
				t.Fatal(got, err)
			}
			slow.Disconnect()
			if err := slow.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case r := <-lost:
			t.Errorf("/ was disconnected: %s", r)
		default:
		}
	})
}

// Functions of the application that panic, or end their goroutine.
func TestFunctionsThatDoNotReturn(t *testing.T) {
	once := func(how string) func() {
		var done atomic.Bool
		return func() {
			if done.Swap(true) {
				return
			}
			if how == "panic" {
				panic("test")
			}
			runtime.Goexit()
		}
	}
	for _, how := range []string{"panic", "Goexit"} {
		set := map[string]func(o *client.Options, c func() *client.Client, bad func()){
			"URL": func(o *client.Options, _ func() *client.Client, bad func()) {
				o.URL = func(context.Context, int) (string, error) { bad(); return "http://server", nil }
			},
			"Header": func(o *client.Options, _ func() *client.Client, bad func()) {
				o.Header = func(context.Context) (http.Header, error) { bad(); return nil, nil }
			},
			"Auth": func(o *client.Options, _ func() *client.Client, bad func()) {
				o.Auth = func(context.Context, string) (any, error) { bad(); return nil, nil }
			},
			"PacketIn": func(o *client.Options, _ func() *client.Client, bad func()) {
				o.Hooks = &client.Hooks{PacketIn: func(client.Packet) { bad() }}
			},
			"PacketOut": func(o *client.Options, _ func() *client.Client, bad func()) {
				o.Hooks = &client.Hooks{PacketOut: func(client.Packet) { bad() }}
			},
		}
		after := map[string]func(c *client.Client, bad func()){
			"On":           func(c *client.Client, bad func()) { c.On("x", func() { bad() }) },
			"OnAny":        func(c *client.Client, bad func()) { c.OnAny(func(string, socketio.Args) { bad() }) },
			"OnConnect":    func(c *client.Client, bad func()) { c.OnConnect(func(client.Joined) { bad() }) },
			"OnDisconnect": func(c *client.Client, bad func()) { c.OnDisconnect(func(socketio.Reason) { bad() }) },
			"OnState":      func(c *client.Client, bad func()) { c.OnState(func(client.Change) { bad() }) },
			"callback": func(c *client.Client, bad func()) {
				c.Emit("echo", 1, func(socketio.Args, error) { bad() })
			},
		}
		test := func(name string, change func(*client.Options, func() *client.Client, func()), register func(*client.Client, func())) {
			t.Run(name+"/"+how, func(t *testing.T) {
				everyWay(t, func(t *testing.T, opts client.Options) {
					h := serve(t, nil)
					h.io.On("echo", func(n int) int { return n })
					h.io.On("x", func(s *socketio.Socket) { s.Emit("x"); s.Emit("done") })
					bad := once(how)
					if change != nil {
						change(&opts, nil, bad)
					}
					c := h.client(opts)
					if register != nil {
						register(c, bad)
					}
					done := make(chan bool, 10)
					states := make(chan client.Change, 100)
					c.On("done", func() { done <- true })
					c.OnState(func(ch client.Change) { states <- ch })
					if err := c.Connect(t.Context()); err != nil {
						t.Fatal(err)
					}
					h.cut()
					for i := range 5 {
						got, err := c.EmitWithAck(t.Context(), "echo", i)
						if err != nil {
							bubble.Sleep(time.Minute)
							continue
						}
						if got.String() != fmt.Sprintf("[%d]", i) {
							t.Fatal(got, err)
						}
					}
					for handled := false; !handled; { // an event is delivered at most once, and the connection was cut
						c.Emit("x")
						select {
						case handled = <-done:
						case <-bubble.After(time.Minute):
						}
					}
					for {
						if ch := <-states; ch.To == client.Connected {
							break
						}
					}
				})
			})
		}
		for name, change := range set {
			test(name, change, nil)
		}
		for name, register := range after {
			test(name, nil, register)
		}
	}
}

// Events that are emitted at any moment of joining arrive, in order.
func TestEmitWhileJoining(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		got := make(chan int, 100000)
		h.io.On("n", func(n int) { got <- n })
		c := h.client(opts)
		go c.Connect(t.Context())
		const n = 5000
		for i := range n {
			if err := c.Emit("n", i); err != nil {
				t.Fatal(i, err)
			}
			if i%100 == 0 {
				runtime.Gosched()
			}
		}
		for i := range n {
			if v := <-got; v != i {
				t.Fatal(v, i)
			}
		}
	})
}

// A second handler of an event decodes its arguments although another goroutine
// has read on meanwhile.
func TestHandlersAfterHandoff(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		h.io.On("go", func(s *socketio.Socket) {
			for i := range 50 {
				s.Emit("x", strings.Repeat(string(rune('a'+i%26)), 100), i)
			}
		})
		h.io.On("echo", func(n int) int { return n })
		c := h.client(opts)
		c.On("x", func(ctx context.Context, text string, n int) {
			if _, err := c.EmitWithAck(ctx, "echo", n); err != nil {
				t.Error(err)
			}
		})
		second := make(chan string, 100)
		c.On("x", func(text string, n int) { second <- fmt.Sprint(text[:1], len(text), n) })
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Emit("go")
		for i := range 50 {
			if got, want := <-second, fmt.Sprint(string(rune('a'+i%26)), 100, i); got != want {
				t.Fatal(got, want)
			}
		}
	})
}

// The end of a context ends a Connect that waits for a reconnection, not the
// reconnection.
func TestConnectWhileReconnecting(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		life := c.Context()
		h.setDown(true)
		h.cut()
		<-life.Done()
		var lost *socketio.DisconnectError
		if !errors.As(context.Cause(life), &lost) || lost.Reason != client.ReasonTransport && lost.Reason != client.ReasonError {
			t.Error(context.Cause(life))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		h.setDown(false)
		bubble.Sleep(time.Minute)
		if !c.Connected() || c.Context().Err() != nil {
			t.Error("not connected")
		}
		c.Close()
		if c.Emit("x") != client.ErrClosed || c.Connect(t.Context()) != client.ErrClosed || c.Context().Err() == nil {
			t.Error("open after Close")
		}
		if _, err := client.Recv(t.Context(), c, socketio.Event[int]("x")); err != client.ErrClosed {
			t.Error(err)
		}
	})
}

// Disconnect and Connect while waiting make an attempt at once.
func TestConnectAgainWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, nil)
		h.setDown(true)
		c := h.client(client.Options{MinDelay: time.Hour, MaxDelay: time.Hour})
		done := make(chan error, 1)
		go func() { done <- c.Connect(t.Context()) }()
		synctest.Wait()
		if s := c.State(); s != client.Waiting {
			t.Fatal(s)
		}
		h.setDown(false)
		c.Disconnect()
		if err := <-done; err != client.ErrDisconnected {
			t.Error(err)
		}
		began := time.Now()
		if err := c.Connect(t.Context()); err != nil || time.Since(began) > time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

func TestMaxAttempts(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		opts.MaxAttempts = 3
		c := h.client(opts)
		h.setDown(true)
		for range 2 {
			var failed *client.AttemptsError
			if err := c.Connect(t.Context()); !errors.As(err, &failed) || failed.Attempts != 3 {
				t.Fatal(err)
			}
			if s := c.State(); s != client.Idle {
				t.Error(s)
			}
		}
		h.setDown(false)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// A machine that was suspended: the wall clock jumps, timers stand still.
func TestSuspended(t *testing.T) {
	everyWay(t, func(t *testing.T, opts client.Options) {
		h := serve(t, nil)
		got := make(chan int, 1)
		h.io.On("n", func(n int) { got <- n })
		var jump atomic.Int64
		opts.Now = func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
		c := h.client(opts)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		reasons := make(chan socketio.Reason, 1)
		c.OnDisconnect(func(r socketio.Reason) { reasons <- r })
		id := c.ID()
		jump.Store(int64(time.Hour))
		if err := c.Emit("n", 1); err != nil {
			t.Fatal(err)
		}
		if r := <-reasons; r != client.ReasonPingTimeout {
			t.Error(r)
		}
		if n := <-got; n != 1 || c.ID() == id {
			t.Error("the event went over the connection that had expired")
		}
	})
}
