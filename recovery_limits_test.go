package socketio_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestRecoveryLimits(t *testing.T) {
	t.Parallel()
	type options = socketio.Recovery
	text := strings.Repeat("x", 80) // about 380 bytes of memory as an event

	for _, test := range []struct {
		name string
		opts options
		// play happens while the client is away.
		play      func(srv *siotest.Server)
		recovered bool
		missed    int
	}{
		{"as many events as are kept", options{MaxEvents: 5}, func(srv *siotest.Server) {
			for range 5 {
				srv.Emit("event")
			}
		}, true, 5},
		{"one more", options{MaxEvents: 5}, func(srv *siotest.Server) {
			for range 6 {
				srv.Emit("event")
			}
		}, false, 0},
		{"one more, for others", options{MaxEvents: 5}, func(srv *siotest.Server) {
			for range 6 {
				srv.To("others").Emit("event")
			}
		}, false, 0},
		{"as many bytes as are kept", options{MaxBytes: 4000}, func(srv *siotest.Server) {
			for range 10 {
				srv.Emit("event", text)
			}
		}, true, 10},
		{"more", options{MaxBytes: 3000}, func(srv *siotest.Server) {
			for range 10 {
				srv.Emit("event", text)
			}
		}, false, 0},
		{"binary counts", options{MaxBytes: 900}, func(srv *siotest.Server) {
			srv.Emit("event", make([]byte, 1000))
		}, false, 0},
		{"events within the window", options{Window: time.Minute}, func(srv *siotest.Server) {
			srv.Emit("event")
			bubble.Sleep(59 * time.Second)
			srv.Emit("event")
		}, true, 2},
		{"volatile events don't count", options{MaxEvents: 5}, func(srv *siotest.Server) {
			for range 10 {
				srv.Volatile().Emit("event", text)
			}
			srv.Emit("event")
		}, true, 1},
		{"half of what a queue may hold", options{}, func(srv *siotest.Server) {
			for range 5 {
				srv.Emit("event", strings.Repeat("x", 800))
			}
		}, true, 5},
		{"more than half of what a queue may hold", options{}, func(srv *siotest.Server) {
			for range 6 {
				srv.Emit("event", strings.Repeat("x", 800))
			}
		}, false, 0},
	} {
		siotest.SpecifyRecovery(t, test.name, socketio.Options{Recovery: &test.opts, MaxPayload: 1000, MaxQueue: 10000}, func(t *testing.T, srv *siotest.Server) {
			c := srv.JoinRecovering(t, siotest.WebSocket)
			c.Disconnect()
			test.play(srv)
			missed := c.Reconnect()
			siotest.WantEqual(t, "recovered", c.Recovered, test.recovered)
			siotest.WantEqual(t, "missed", len(missed), test.missed)
			c.WantNothing()
			if kept, most := socketio.KeptBy(srv.Of("/")), test.opts; most.MaxEvents > 0 && kept.Events > most.MaxEvents || most.MaxBytes > 0 && kept.Bytes > most.MaxBytes {
				t.Errorf("%+v are kept", kept)
			}
		})
	}

	siotest.SpecifyRecovery(t, "the half of a queue is for all namespaces of a connection", socketio.Options{MaxPayload: 1000, MaxQueue: 10000}, func(t *testing.T, srv *siotest.Server) {
		first := srv.JoinRecovering(t, siotest.Polling)
		list := []*siotest.RecoveringClient{first}
		for i := range 5 {
			name := fmt.Sprint("/", i)
			srv.Of(name)
			c := &siotest.RecoveringClient{Srv: srv, Transport: siotest.Polling, Namespace: name, Client: first.Client}
			c.Rejoin()
			list = append(list, c)
		}
		first.Disconnect()
		for n := range srv.Namespaces() {
			for range 3 {
				n.Emit("event", strings.Repeat("x", 600))
			}
		}
		recovered := 0
		first.Client = srv.Open(t, siotest.Polling)
		for _, c := range list {
			c.Client = first.Client
			if missed := c.Rejoin(); c.Recovered != (len(missed) == 3) {
				t.Errorf("recovered: %v, but missed %d", c.Recovered, len(missed))
			}
			if c.Recovered {
				recovered++
			}
		}
		siotest.WantEqual(t, "how many have recovered", recovered, 2)
		siotest.WantEqual(t, "slow clients", srv.Stats().Slow, 0)
	})

	siotest.SpecifyRecovery(t, "sessions", socketio.Options{Recovery: &options{MaxSessions: 2}}, func(t *testing.T, srv *siotest.Server) {
		var list []*siotest.RecoveringClient
		for range 3 {
			list = append(list, srv.JoinRecovering(t, siotest.WebSocket))
		}
		for _, c := range list {
			c.Disconnect()
		}
		siotest.WantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, 2)
		list[0].WantNotRecovered() // the oldest
		list[1].WantMissed()
		list[2].WantMissed()
		siotest.WantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, 0)
	})

	siotest.SpecifyRecovery(t, "the smallest bounds", socketio.Options{Recovery: &options{MaxSessions: 1, MaxEvents: 1, MaxBytes: 1}}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		srv.Emit("hello")
		c.WantEvents("hello")
		c.Disconnect()
		c.Reconnect()
		c.WantNothing()
	})

	siotest.SpecifyRecovery(t, "time", socketio.Options{Recovery: &options{Window: time.Minute}}, func(t *testing.T, srv *siotest.Server) {
		siotest.WantEqual(t, "at first", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		a, b := srv.JoinRecovering(t, siotest.WebSocket), srv.JoinRecovering(t, siotest.WebSocket)
		a.Disconnect()
		srv.Emit("hello", 1)
		b.WantEvents("hello 1")
		bubble.Sleep(30 * time.Second)
		b.Disconnect()
		siotest.WantEqual(t, "with both", socketio.KeptBy(srv.Of("/")).Sessions, 2)
		bubble.Sleep(31 * time.Second)
		synctest.Wait()
		siotest.WantEqual(t, "with one", socketio.KeptBy(srv.Of("/")), socketio.Kept{Sessions: 1, Timer: true})
		bubble.Sleep(30 * time.Second)
		synctest.Wait()
		siotest.WantEqual(t, "at last", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		b.WantNotRecovered()
		b.Disconnect()
		siotest.WantEqual(t, "once more", socketio.KeptBy(srv.Of("/")), socketio.Kept{Sessions: 1, Timer: true})
		b.WantMissed()
	})

	// What is for others may fill the log while a client hears nothing.
	siotest.SpecifyRecovery(t, "a quiet client among busy ones", socketio.Options{Recovery: &options{MaxEvents: 3}}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		others := func(n int) {
			for range n {
				srv.To("others").Emit("event")
				c.Socket().Broadcast().Emit("event")
			}
		}
		others(10)
		c.Disconnect()
		c.WantMissed()
		others(10)
		c.Socket().Emit("hello")
		c.WantEvents("hello")
		others(10)
		c.Disconnect()
		srv.Emit("missed")
		c.WantMissed("missed")
		others(10)
		c.Disconnect()
		c.WantMissed()
		others(10)

		// But not if it has not received what was for it.
		c.MemConn().Freeze()
		srv.Emit("lost")
		others2 := srv.To("others")
		for range 3 {
			others2.Emit("event")
		}
		c.WantNotRecovered()
	})

	siotest.SpecifyRecovery(t, "rooms joined and left again and again", socketio.Options{Recovery: &options{MaxEvents: 10}}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		s := c.Socket()
		for range 10000 {
			s.Join("room", "other")
			s.Leave("room", "other")
		}
		siotest.WantEqual(t, "stays without an event", s.Stays(), 1)
		for i := range 10000 {
			s.Join("room", fmt.Sprint(i))
			srv.To("nobody").Emit("event")
			s.Leave("room", fmt.Sprint(i))
			if n := s.Stays(); n > 100 {
				t.Fatalf("%d stays are kept", n)
			}
		}
		c.Disconnect()
		srv.To("room").Emit("not for it")
		c.WantMissed()
	})
}

func TestRecoveryAndSlowClients(t *testing.T) {
	t.Parallel()
	siotest.SpecifyRecovery(t, "who missed too much", socketio.Options{MaxPayload: 1000, MaxQueue: 4000}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.MemConn().In().SetCapacity(0)
		c.MemConn().Freeze()
		for range 10 {
			srv.Emit("event", strings.Repeat("x", 900))
		}
		srv.WantDisconnect(t, c.ID, socketio.ReasonSlow)
		c.WantNotRecovered()
	})
	siotest.SpecifyRecovery(t, "who can catch up", socketio.Options{MaxPayload: 1000, MaxQueue: 4000}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		for i := range 10 { // what it has received, it does not miss
			srv.Emit("event", i)
			c.WantEvents(fmt.Sprint("event ", i))
		}
		c.MemConn().In().SetCapacity(0)
		c.MemConn().Freeze()
		srv.Emit("event", strings.Repeat("x", 1700))
		s, _ := srv.LocalSocket(c.ID)
		_, err := s.EmitWithAck(t.Context(), "not kept", strings.Repeat("x", 2500))
		siotest.WantEqual(t, "EmitWithAck", err, socketio.ErrSlow)
		srv.WantDisconnect(t, c.ID, socketio.ReasonSlow)
		c.WantMissed(`event "` + strings.Repeat("x", 1700) + `"`)
	})
}

func TestRecoveryOfChildren(t *testing.T) {
	t.Parallel()
	siotest.SpecifyRecovery(t, "of a template", socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute, MaxSessions: 1}}, func(t *testing.T, srv *siotest.Server) {
		children := srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
		wantChildren := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for n := range srv.Namespaces() {
				if n.Name() != "/" {
					got = append(got, n.Name())
				}
			}
			if got = siotest.Sorted(got); !slices.Equal(got, want) {
				t.Errorf("children %q, want %q", got, want)
			}
		}
		arrive := func(name string) *siotest.RecoveringClient {
			c := &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket, Namespace: name, Client: srv.Open(t, siotest.WebSocket)}
			c.Rejoin()
			return c
		}
		c := arrive("/child-1")
		c.MemConn().Cut()
		wantChildren("/child-1")
		children.Emit("to all children")
		c.WantMissed("to all children")
		c.MemConn().Cut()
		bubble.Sleep(59 * time.Second)
		wantChildren("/child-1")
		bubble.Sleep(2 * time.Second)
		wantChildren()
		c.WantNotRecovered()
		c.MemConn().Cut()
		synctest.Wait()
		d := arrive("/child-1") // while the other is kept
		d.MemConn().Cut()       // now this one is
		wantChildren("/child-1")
		d.WantMissed()
		wantChildren("/child-1")
		c.WantNotRecovered()
		for _, left := range []*siotest.RecoveringClient{c, d} {
			left.Write("41/child-1,")
		}
		wantChildren()
	})
}

func TestShutdownOfRecovery(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"Shutdown", "Close"} {
		siotest.SpecifyRecovery(t, how, socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
			gone, here := srv.JoinRecovering(t, siotest.WebSocket), srv.JoinRecovering(t, siotest.WebSocket)
			gone.Disconnect()
			srv.Emit("hello")
			siotest.WantEqual(t, "before", socketio.KeptBy(srv.Of("/")).Timer, true)
			if how == "Close" {
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
			} else {
				done := make(chan error)
				go func() { done <- srv.Shutdown(t.Context()) }()
				here.WantEvents("hello")
				here.WantClosed()
				siotest.WantEqual(t, "Shutdown", <-done, nil)
			}
			srv.WantDisconnect(t, here.ID, socketio.ReasonShutdown)
			siotest.WantEqual(t, "after", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
			srv.Emit("to nobody") // which must do no harm
		})
	}
}

// What is kept for nobody is forgotten in time, too: a burst of events does not
// stay in memory until the next event.
func TestQuietLogIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}, PingInterval: time.Hour})
		srv.Join(t, siotest.WebSocket)
		for range 2 {
			srv.Emit("v")
			bubble.Sleep(30 * time.Second)
			srv.Emit("v")
			synctest.Wait()
			if kept := socketio.KeptBy(srv.Of("/")); kept.Events != 2 || !kept.Timer {
				t.Errorf("kept before the window is over: %+v", kept)
			}
			bubble.Sleep(30 * time.Second)
			synctest.Wait()
			if kept := socketio.KeptBy(srv.Of("/")); kept.Events != 1 || !kept.Timer {
				t.Errorf("kept when the first event is too old: %+v", kept)
			}
			bubble.Sleep(30 * time.Second)
			synctest.Wait()
			siotest.WantEqual(t, "kept when the second is, too", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		}
		srv.Emit("v")
	})
}
