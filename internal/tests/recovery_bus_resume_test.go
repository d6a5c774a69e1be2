package tests_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A slowReturn is a client that claims its session from a bus which does not answer
// before answer is called.
type slowReturn struct {
	*siotest.RecoveringClient
	srv    *siotest.Server
	bus    *logBus
	answer func()
}

func returnSlowly(t *testing.T, opts socketio.Options) *slowReturn {
	t.Helper()
	bus := newLogBus()
	opts.Recovery, opts.Adapter = &socketio.Recovery{}, bus
	srv := siotest.ServeInMemory(t, &opts)
	synctest.Wait()
	srv.Of("/other").On("echo", func(args socketio.Args) socketio.Args { return args })
	c := srv.JoinRecovering(t, siotest.WebSocket)
	nameKey.Set(c.Socket(), "ann")
	srv.Emit("one")
	c.WantEvents("one")
	c.MemConn().Cut()
	synctest.Wait()
	srv.Emit("two")
	synctest.Wait()
	takes := make(chan struct{})
	bus.mu.Lock()
	bus.takes = takes
	bus.mu.Unlock()
	answer := func() {
		bus.mu.Lock()
		bus.takes = nil
		bus.mu.Unlock()
		close(takes)
	}
	c.Client = srv.Open(t, siotest.WebSocket)
	c.Write("40" + c.Claim())
	synctest.Wait()
	return &slowReturn{c, srv, bus, answer}
}

// wantRecovered connects again and recovers.
func (c *slowReturn) wantRecovered() {
	c.T.Helper()
	c.WantMissed("two")
	siotest.WantEqual(c.T, "recovered", c.Recovered, true)
	name, _ := nameKey.Get(c.Socket())
	siotest.WantEqual(c.T, "name", name, "ann")
}

// wantTwo reads the event that it has missed.
func (c *slowReturn) wantTwo() {
	c.T.Helper()
	if text, _ := c.Read().(string); !strings.HasPrefix(text, `42["two",`) {
		c.T.Fatalf("got %s, want the event that was missed", text)
	}
}

// While the bus looks for a session only that namespace waits: the connection is
// read, and whatever happens meanwhile has its usual effect.
func TestWhileASessionIsLookedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		opts socketio.Options
		run  func(t *testing.T, c *slowReturn)
	}{
		{"another namespace is served", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Join("/other", "")
			c.Write(`42/other,1["echo",2]`)
			c.Want("43/other,1[2]")
			c.answer()
			c.wantTwo()
			c.WantConnect("/")
		}},
		{"heartbeats are answered", socketio.Options{PingInterval: time.Second, PingTimeout: time.Second}, func(t *testing.T, c *slowReturn) {
			c.Join("/other", "")
			for range 8 {
				c.Write(`42/other,1["echo",2]`)
				c.Want("43/other,1[2]")
				bubble.Sleep(time.Second / 2)
			}
			c.answer()
			c.wantTwo()
			c.WantConnect("/")
		}},
		{"events wait", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Write(`421["echo",1]`, `422["echo",2]`)
			synctest.Wait()
			c.answer()
			c.wantTwo()
			c.WantConnect("/")
			c.Want("431[1]", "432[2]")
		}},
		{"the client leaves", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Write(`421["echo",1]`, "41")
			synctest.Wait()
			c.answer()
			synctest.Wait()
			c.Join("/other", "")
		}},
		{"the client leaves and joins anew", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Write("41", "40")
			c.WantConnect("/")
			c.answer()
			synctest.Wait()
			siotest.WantEqual(t, "echo", c.Ask(`["echo",5]`), "[5]")
		}},
		{"the connection breaks", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.MemConn().Cut()
			synctest.Wait()
			c.answer()
			synctest.Wait()
			c.wantRecovered()
		}},
		{"a second CONNECT", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Write("40")
			c.WantClosed()
			c.answer()
			synctest.Wait()
		}},
		{"the server closes the connection", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.Join("/other", "")
			for s := range c.srv.Of("/other").LocalSockets() {
				siotest.WantEqual(t, "close", s.CloseConnection(), nil)
			}
			synctest.Wait()
			c.answer()
		}},
		{"ConnectTimeout", socketio.Options{ConnectTimeout: 2 * time.Second}, func(t *testing.T, c *slowReturn) {
			c.Want(`44{"message":"Connection refused"}`)
			c.WantClosed()
			c.answer()
		}},
		{"Shutdown", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			siotest.WantEqual(t, "shutdown", c.srv.Shutdown(t.Context()), nil)
			c.answer()
		}},
		{"the bus never answers", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.bus.mu.Lock()
			c.bus.hung = true
			c.bus.mu.Unlock()
			c.MemConn().Cut()
			c.answer()
			c.Client = c.srv.Open(t, siotest.WebSocket)
			begin := time.Now()
			c.Write("40" + c.Claim())
			c.WantConnect("/")
			siotest.WantEqual(t, "waited", time.Since(begin), 5*time.Second)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test.run(t, returnSlowly(t, test.opts)) })
		})
	}
}
