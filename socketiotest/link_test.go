package socketiotest_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/socketiotest"
)

func TestFreezeAndThaw(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}), opts...)
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().Freeze()
		socketiotest.Ask(ann, say, "hello")
		bob.Nothing() // Settle does not wait for a frozen link
		bob.Link().Thaw()
		bob.Expect("said", message{"ann", "hello"})
	})
}

func TestCutAfter(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		h := socketiotest.Serve(t, newChat(socketio.Options{Recovery: &socketio.Recovery{}}), opts...)
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().CutAfter(20) // in the middle of the next event
		socketiotest.Ask(ann, say, "the first event is cut in the middle")
		if r := bob.Left(); r != client.ReasonTransport {
			t.Errorf("bob has left because of %s", r)
		}
		if j := bob.Rejoined(); !j.Recovered {
			t.Error("bob has not recovered")
		}
		bob.Expect("said", message{"ann", "the first event is cut in the middle"})
		bob.Link().CutAfterSent(10)
		_ = bob.Emit("say", strings.Repeat("x", 100))
		bob.Left()
		bob.Rejoined()
		for range 2 {
			ann.Expect("left", "bob", socketio.ReasonTransport)
		}
		ann.Nothing() // the event was cut, so the server has not received it
	})
}

func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}))
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().Slow(1000)
		socketiotest.Ask(ann, say, strings.Repeat("x", 30_000))
		began := time.Now()
		bob.Until("said")
		if took := time.Since(began); took < 25*time.Second || took > 35*time.Second {
			t.Errorf("30 kB took %v at 1 kB/s", took)
		}
	})
}

// A client that does not read is disconnected as slow, once MaxQueue is exceeded.
func TestBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{MaxQueue: 10_000}))
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().Backlog(100)
		bob.Link().Freeze()
		for range 20 {
			socketiotest.Ask(ann, say, strings.Repeat("x", 1000))
		}
		ann.Expect("left", "bob", socketio.ReasonSlow)
	})
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}), opts...)
		ann, bob := h.Connect("ann"), h.Connect("bob")
		bob.Link().HalfClose()
		ann.Expect("left", "bob", socketio.ReasonTransport)
		bob.Left()
		bob.Rejoined()
	})
}

// Clients of both protocols answer heartbeats for as long as the test lasts.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}))
		clients := []*socketiotest.Client{
			h.Connect("ann"), h.Connect("bob", socketiotest.Polling()),
			h.Connect("cat", socketiotest.EIO3()), h.Connect("dan", socketiotest.EIO3(), socketiotest.Polling()),
		}
		bubble.Sleep(time.Hour)
		for _, c := range clients {
			if socketiotest.Ask(c, say, "still here") != 10 || !c.Connected() {
				t.Error("a client is gone")
			}
			c.Drain()
		}
	})
}

// Namespaces share one connection.
func TestOf(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}), opts...)
		ann := h.Connect("ann")
		if err := ann.OfRefused("/admin", "eve"); err.Message != "banned" || string(err.Data) != `{"days":3}` {
			t.Errorf("refused with %v", err)
		}
		admin, bob := ann.Of("/admin", "ann"), h.Connect("bob", socketiotest.Namespace("/admin"))
		socketiotest.Ask(bob, say, "hello")
		if m := socketiotest.Await(admin, said); m != (message{"bob", "hello"}) {
			t.Errorf("admin has received %v", m)
		}
		ann.Nothing()
		ann.Link().Cut()
		ann.Left()
		admin.Left()
		ann.Rejoined()
		admin.Rejoined()
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hosts, bus := cluster(t)
		ann, bob, cat := hosts[0].Connect("ann"), hosts[1].Connect("bob"), hosts[2].Connect("cat")
		hear := func(text string, want ...*socketiotest.Client) {
			t.Helper()
			socketiotest.Ask(ann, say, text)
			for _, c := range want {
				c.Expect("said", message{"ann", text})
			}
			for _, c := range []*socketiotest.Client{ann, bob, cat} {
				c.Nothing()
			}
		}
		hear("hello", bob, cat)
		bus.Partition(2)
		hear("without cat", bob)
		bubble.Sleep(adaptertest.DeadAfter)
		bus.Heal(2)
		hear("again", bob, cat)
		bus.Delay(time.Second)
		began := time.Now()
		socketiotest.Ask(ann, say, "late")
		bob.Expect("said", message{"ann", "late"})
		cat.Expect("said", message{"ann", "late"})
		if took := time.Since(began); took == 0 || took > time.Second {
			t.Errorf("delayed by %v", took)
		}
		bus.Delay(0)
		bus.Lose(1)
		hear("lost")
		bus.Lose(0)
		bus.Duplicate(1)
		hear("once", bob, cat)
		bus.Duplicate(0)
		bus.Stop()
		hear("stopped")
		bus.Start()
		bob.Expect("said", message{"ann", "stopped"})
		cat.Expect("said", message{"ann", "stopped"})
	})
}

// Outside of a bubble Settle waits for what is on the bus.
func TestClusterSettles(t *testing.T) {
	t.Parallel()
	hosts, _ := cluster(t, socketiotest.Patience(30*time.Second))
	ann, bob := hosts[0].Connect("ann"), hosts[1].Connect("bob", socketiotest.Polling())
	var arrived atomic.Int32
	bob.OnAny(func(string, socketio.Args) { arrived.Add(1) })
	for i := range int32(20) {
		_ = ann.Emit("say", "hello")
		ann.Nothing()
		if n := arrived.Load(); n != i+1 {
			t.Errorf("settled when %d of %d events had arrived", n, i+1)
		}
	}
}

func cluster(t *testing.T, opts ...socketiotest.Option) ([]*socketiotest.Host, *socketiotest.Bus) {
	t.Helper()
	opts = append(opts, socketiotest.Allow(func(err error) bool { return strings.Contains(err.Error(), "lost") }))
	return socketiotest.Cluster(t, 3, func(_ int, bus adapter.Adapter) http.Handler {
		return newChat(socketio.Options{Adapter: bus})
	}, opts...)
}

// Settle waits for handlers, for what they emit, and for what clients do with it.
func TestSettle(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		for _, how := range [][]socketiotest.How{nil, {socketiotest.Polling()}} {
			io := newChat(socketio.Options{})
			hops := 0
			io.On("hop", func(s *socketio.Socket, n int) {
				<-time.After(time.Millisecond) //nolint:forbidigo // a handler takes time by either clock
				if hops++; n > 0 {
					_ = s.Emit("hop", n-1)
				}
			})
			h := socketiotest.Serve(t, io, opts...)
			ann := h.Connect("ann", how...)
			ann.On("hop", func(n int) { _ = ann.Emit("hop", n) })
			for range 5 {
				hops = 0
				_ = ann.Emit("hop", 4)
				if len(opts) == 0 { // the fake clock does not move in Settle
					bubble.Sleep(time.Second)
				}
				h.Settle()
				if hops != 5 {
					t.Errorf("settled after %d of 5 hops", hops)
				}
			}
		}
	})
}

// A client that has disconnected can be connected again.
func TestConnectAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, opts ...socketiotest.Option) {
		h := socketiotest.Serve(t, newChat(socketio.Options{}), opts...)
		ann := h.Dial("ann")
		for range 3 {
			if err := ann.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			ann.Rejoined()
			socketiotest.Ask(ann, say, "hello")
			_ = ann.Disconnect()
			if r := ann.Left(); r != client.ReasonClient {
				t.Error(r)
			}
		}
	})
}
