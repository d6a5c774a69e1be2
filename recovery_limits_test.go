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
)

func TestRecoveryLimits(t *testing.T) {
	t.Parallel()
	type options = socketio.Recovery
	text := strings.Repeat("x", 80) // about 380 bytes of memory as an event

	for _, test := range []struct {
		name string
		opts options
		// play happens while the client is away.
		play      func(srv *testServer)
		recovered bool
		missed    int
	}{
		{"as many events as are kept", options{MaxEvents: 5}, func(srv *testServer) {
			for range 5 {
				srv.Emit("event")
			}
		}, true, 5},
		{"one more", options{MaxEvents: 5}, func(srv *testServer) {
			for range 6 {
				srv.Emit("event")
			}
		}, false, 0},
		{"one more, for others", options{MaxEvents: 5}, func(srv *testServer) {
			for range 6 {
				srv.To("others").Emit("event")
			}
		}, false, 0},
		{"as many bytes as are kept", options{MaxBytes: 4000}, func(srv *testServer) {
			for range 10 {
				srv.Emit("event", text)
			}
		}, true, 10},
		{"more", options{MaxBytes: 3000}, func(srv *testServer) {
			for range 10 {
				srv.Emit("event", text)
			}
		}, false, 0},
		{"binary counts", options{MaxBytes: 900}, func(srv *testServer) {
			srv.Emit("event", make([]byte, 1000))
		}, false, 0},
		{"events within the window", options{Window: time.Minute}, func(srv *testServer) {
			srv.Emit("event")
			<-time.After(59 * time.Second)
			srv.Emit("event")
		}, true, 2},
		{"volatile events don't count", options{MaxEvents: 5}, func(srv *testServer) {
			for range 10 {
				srv.Volatile().Emit("event", text)
			}
			srv.Emit("event")
		}, true, 1},
		{"half of what a queue may hold", options{}, func(srv *testServer) {
			for range 5 {
				srv.Emit("event", strings.Repeat("x", 800))
			}
		}, true, 5},
		{"more than half of what a queue may hold", options{}, func(srv *testServer) {
			for range 6 {
				srv.Emit("event", strings.Repeat("x", 800))
			}
		}, false, 0},
	} {
		specifyRecovery(t, test.name, socketio.Options{Recovery: &test.opts, MaxPayload: 1000, MaxQueue: 10000}, func(t *testing.T, srv *testServer) {
			c := srv.arrive(t, webSocket)
			c.leave()
			test.play(srv)
			missed := c.comeBack()
			wantEqual(t, "recovered", c.recovered, test.recovered)
			wantEqual(t, "missed", len(missed), test.missed)
			c.wantNothing()
			if kept, most := socketio.KeptBy(srv.Of("/")), test.opts; most.MaxEvents > 0 && kept.Events > most.MaxEvents || most.MaxBytes > 0 && kept.Bytes > most.MaxBytes {
				t.Errorf("%+v are kept", kept)
			}
		})
	}

	specifyRecovery(t, "the half of a queue is for all namespaces of a connection", socketio.Options{MaxPayload: 1000, MaxQueue: 10000}, func(t *testing.T, srv *testServer) {
		first := srv.arrive(t, polling)
		list := []*returner{first}
		for i := range 5 {
			name := fmt.Sprint("/", i)
			srv.Of(name)
			c := &returner{srv: srv, transport: polling, namespace: name, client: first.client}
			c.joinAgain()
			list = append(list, c)
		}
		first.leave()
		for n := range srv.Namespaces() {
			for range 3 {
				n.Emit("event", strings.Repeat("x", 600))
			}
		}
		recovered := 0
		first.client = srv.open(t, polling)
		for _, c := range list {
			c.client = first.client
			if missed := c.joinAgain(); c.recovered != (len(missed) == 3) {
				t.Errorf("recovered: %v, but missed %d", c.recovered, len(missed))
			}
			if c.recovered {
				recovered++
			}
		}
		wantEqual(t, "how many have recovered", recovered, 2)
		wantEqual(t, "slow clients", srv.Stats().Slow, 0)
	})

	specifyRecovery(t, "sessions", socketio.Options{Recovery: &options{MaxSessions: 2}}, func(t *testing.T, srv *testServer) {
		var list []*returner
		for range 3 {
			list = append(list, srv.arrive(t, webSocket))
		}
		for _, c := range list {
			c.leave()
		}
		wantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, 2)
		list[0].wantFresh() // the oldest
		list[1].wantMissed()
		list[2].wantMissed()
		wantEqual(t, "sessions", socketio.KeptBy(srv.Of("/")).Sessions, 0)
	})

	specifyRecovery(t, "the smallest bounds", socketio.Options{Recovery: &options{MaxSessions: 1, MaxEvents: 1, MaxBytes: 1}}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		srv.Emit("hello")
		c.wantEvents("hello")
		c.leave()
		c.comeBack()
		c.wantNothing()
	})

	specifyRecovery(t, "time", socketio.Options{Recovery: &options{Window: time.Minute}}, func(t *testing.T, srv *testServer) {
		wantEqual(t, "at first", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		a, b := srv.arrive(t, webSocket), srv.arrive(t, webSocket)
		a.leave()
		srv.Emit("hello", 1)
		b.wantEvents("hello 1")
		<-time.After(30 * time.Second)
		b.leave()
		wantEqual(t, "with both", socketio.KeptBy(srv.Of("/")).Sessions, 2)
		<-time.After(31 * time.Second)
		synctest.Wait()
		wantEqual(t, "with one", socketio.KeptBy(srv.Of("/")), socketio.Kept{Sessions: 1, Timer: true})
		<-time.After(30 * time.Second)
		synctest.Wait()
		wantEqual(t, "at last", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		b.wantFresh()
		b.leave()
		wantEqual(t, "once more", socketio.KeptBy(srv.Of("/")), socketio.Kept{Sessions: 1, Timer: true})
		b.wantMissed()
	})

	// What is for others may fill the log while a client hears nothing.
	specifyRecovery(t, "a quiet client among busy ones", socketio.Options{Recovery: &options{MaxEvents: 3}}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		others := func(n int) {
			for range n {
				srv.To("others").Emit("event")
				c.socket().Broadcast().Emit("event")
			}
		}
		others(10)
		c.leave()
		c.wantMissed()
		others(10)
		c.socket().Emit("hello")
		c.wantEvents("hello")
		others(10)
		c.leave()
		srv.Emit("missed")
		c.wantMissed("missed")
		others(10)
		c.leave()
		c.wantMissed()
		others(10)

		// But not if it has not received what was for it.
		c.conn().Freeze()
		srv.Emit("lost")
		others2 := srv.To("others")
		for range 3 {
			others2.Emit("event")
		}
		c.wantFresh()
	})

	specifyRecovery(t, "rooms joined and left again and again", socketio.Options{Recovery: &options{MaxEvents: 10}}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		s := c.socket()
		for range 10000 {
			s.Join("room", "other")
			s.Leave("room", "other")
		}
		wantEqual(t, "stays without an event", s.Stays(), 1)
		for i := range 10000 {
			s.Join("room", fmt.Sprint(i))
			srv.To("nobody").Emit("event")
			s.Leave("room", fmt.Sprint(i))
			if n := s.Stays(); n > 100 {
				t.Fatalf("%d stays are kept", n)
			}
		}
		c.leave()
		srv.To("room").Emit("not for it")
		c.wantMissed()
	})
}

func TestRecoveryAndSlowClients(t *testing.T) {
	t.Parallel()
	specifyRecovery(t, "who missed too much", socketio.Options{MaxPayload: 1000, MaxQueue: 4000}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.conn().In().SetCapacity(0)
		c.conn().Freeze()
		for range 10 {
			srv.Emit("event", strings.Repeat("x", 900))
		}
		srv.wantLeft(t, c.id, socketio.ReasonSlow)
		c.wantFresh()
	})
	specifyRecovery(t, "who can catch up", socketio.Options{MaxPayload: 1000, MaxQueue: 4000}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		for i := range 10 { // what it has received, it does not miss
			srv.Emit("event", i)
			c.wantEvents(fmt.Sprint("event ", i))
		}
		c.conn().In().SetCapacity(0)
		c.conn().Freeze()
		srv.Emit("event", strings.Repeat("x", 1700))
		s, _ := srv.LocalSocket(c.id)
		_, err := s.EmitWithAck(t.Context(), "not kept", strings.Repeat("x", 2500))
		wantEqual(t, "EmitWithAck", err, socketio.ErrSlow)
		srv.wantLeft(t, c.id, socketio.ReasonSlow)
		c.wantMissed(`event "` + strings.Repeat("x", 1700) + `"`)
	})
}

func TestRecoveryOfChildren(t *testing.T) {
	t.Parallel()
	specifyRecovery(t, "of a template", socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute, MaxSessions: 1}}, func(t *testing.T, srv *testServer) {
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
			if got = sorted(got); !slices.Equal(got, want) {
				t.Errorf("children %q, want %q", got, want)
			}
		}
		arrive := func(name string) *returner {
			c := &returner{srv: srv, transport: webSocket, namespace: name, client: srv.open(t, webSocket)}
			c.joinAgain()
			return c
		}
		c := arrive("/child-1")
		c.conn().Cut()
		wantChildren("/child-1")
		children.Emit("to all children")
		c.wantMissed("to all children")
		c.conn().Cut()
		<-time.After(59 * time.Second)
		wantChildren("/child-1")
		<-time.After(2 * time.Second)
		wantChildren()
		c.wantFresh()
		c.conn().Cut()
		synctest.Wait()
		d := arrive("/child-1") // while the other is kept
		d.conn().Cut()          // now this one is
		wantChildren("/child-1")
		d.wantMissed()
		wantChildren("/child-1")
		c.wantFresh()
		for _, left := range []*returner{c, d} {
			left.write("41/child-1,")
		}
		wantChildren()
	})
}

func TestShutdownOfRecovery(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"Shutdown", "Close"} {
		specifyRecovery(t, how, socketio.Options{}, func(t *testing.T, srv *testServer) {
			gone, here := srv.arrive(t, webSocket), srv.arrive(t, webSocket)
			gone.leave()
			srv.Emit("hello")
			wantEqual(t, "before", socketio.KeptBy(srv.Of("/")).Timer, true)
			if how == "Close" {
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
			} else {
				done := make(chan error)
				go func() { done <- srv.Shutdown(t.Context()) }()
				here.wantEvents("hello")
				here.wantClosed()
				wantEqual(t, "Shutdown", <-done, nil)
			}
			srv.wantLeft(t, here.id, socketio.ReasonShutdown)
			wantEqual(t, "after", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
			srv.Emit("to nobody") // which must do no harm
		})
	}
}

// What is kept for nobody is forgotten in time, too: a burst of events does not
// stay in memory until the next event.
func TestQuietLogIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}, PingInterval: time.Hour})
		srv.join(t, webSocket)
		for range 2 {
			srv.Emit("v")
			<-time.After(30 * time.Second)
			srv.Emit("v")
			synctest.Wait()
			if kept := socketio.KeptBy(srv.Of("/")); kept.Events != 2 || !kept.Timer {
				t.Errorf("kept before the window is over: %+v", kept)
			}
			<-time.After(30 * time.Second)
			synctest.Wait()
			if kept := socketio.KeptBy(srv.Of("/")); kept.Events != 1 || !kept.Timer {
				t.Errorf("kept when the first event is too old: %+v", kept)
			}
			<-time.After(30 * time.Second)
			synctest.Wait()
			wantEqual(t, "kept when the second is, too", socketio.KeptBy(srv.Of("/")), socketio.Kept{})
		}
		srv.Emit("v")
	})
}
