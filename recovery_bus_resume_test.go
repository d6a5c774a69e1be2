package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// A slowReturn is a client that claims its session from a bus which does not answer
// before answer is called.
type slowReturn struct {
	*returner
	srv    *testServer
	bus    *logBus
	answer func()
}

func returnSlowly(t *testing.T, opts socketio.Options) *slowReturn {
	t.Helper()
	bus := newLogBus()
	opts.Recovery, opts.Adapter = &socketio.Recovery{}, bus
	srv := serveInMemory(t, &opts)
	synctest.Wait()
	srv.Of("/other").On("echo", func(args socketio.Args) socketio.Args { return args })
	c := srv.arrive(t, webSocket)
	nameKey.Set(c.socket(), "ann")
	srv.Emit("one")
	c.wantEvents("one")
	c.conn().Cut()
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
	c.client = srv.open(t, webSocket)
	c.write("40" + c.claim())
	synctest.Wait()
	return &slowReturn{c, srv, bus, answer}
}

// wantRecovered connects again and recovers.
func (c *slowReturn) wantRecovered() {
	c.t.Helper()
	c.wantMissed("two")
	wantEqual(c.t, "recovered", c.recovered, true)
	name, _ := nameKey.Get(c.socket())
	wantEqual(c.t, "name", name, "ann")
}

// wantTwo reads the event that it has missed.
func (c *slowReturn) wantTwo() {
	c.t.Helper()
	if text, _ := c.read().(string); !strings.HasPrefix(text, `42["two",`) {
		c.t.Fatalf("got %s, want the event that was missed", text)
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
			c.join("/other", "")
			c.write(`42/other,1["echo",2]`)
			c.want("43/other,1[2]")
			c.answer()
			c.wantTwo()
			c.wantJoined("/")
		}},
		{"heartbeats are answered", socketio.Options{PingInterval: time.Second, PingTimeout: time.Second}, func(t *testing.T, c *slowReturn) {
			c.join("/other", "")
			for range 8 {
				c.write(`42/other,1["echo",2]`)
				c.want("43/other,1[2]")
				<-time.After(time.Second / 2)
			}
			c.answer()
			c.wantTwo()
			c.wantJoined("/")
		}},
		{"events wait", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.write(`421["echo",1]`, `422["echo",2]`)
			synctest.Wait()
			c.answer()
			c.wantTwo()
			c.wantJoined("/")
			c.want("431[1]", "432[2]")
		}},
		{"the client leaves", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.write(`421["echo",1]`, "41")
			synctest.Wait()
			c.answer()
			synctest.Wait()
			c.join("/other", "")
		}},
		{"the client leaves and joins anew", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.write("41", "40")
			c.wantJoined("/")
			c.answer()
			synctest.Wait()
			wantEqual(t, "echo", c.ask(`["echo",5]`), "[5]")
		}},
		{"the connection breaks", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.conn().Cut()
			synctest.Wait()
			c.answer()
			synctest.Wait()
			c.wantRecovered()
		}},
		{"a second CONNECT", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.write("40")
			c.wantClosed()
			c.answer()
			synctest.Wait()
		}},
		{"the server closes the connection", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.join("/other", "")
			for s := range c.srv.Of("/other").LocalSockets() {
				wantEqual(t, "close", s.CloseConnection(), nil)
			}
			synctest.Wait()
			c.answer()
		}},
		{"ConnectTimeout", socketio.Options{ConnectTimeout: 2 * time.Second}, func(t *testing.T, c *slowReturn) {
			c.want(`44{"message":"Connection refused"}`)
			c.wantClosed()
			c.answer()
		}},
		{"Shutdown", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			wantEqual(t, "shutdown", c.srv.Shutdown(t.Context()), nil)
			c.answer()
		}},
		{"the bus never answers", socketio.Options{}, func(t *testing.T, c *slowReturn) {
			c.bus.mu.Lock()
			c.bus.hung = true
			c.bus.mu.Unlock()
			c.conn().Cut()
			c.answer()
			c.client = c.srv.open(t, webSocket)
			begin := time.Now()
			c.write("40" + c.claim())
			c.wantJoined("/")
			wantEqual(t, "waited", time.Since(begin), 5*time.Second)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test.run(t, returnSlowly(t, test.opts)) })
		})
	}
}
