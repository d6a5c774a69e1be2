package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// Who can't prove that it has missed nothing else begins anew.
func TestRecoveryRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		claim func(c *returner) string // what it says instead of the truth
		end   func(t *testing.T, srv *testServer, c *returner)
	}{
		{name: "no pid", claim: func(*returner) string { return `{}` }},
		{name: "an empty pid", claim: func(c *returner) string { return claim(`""`, c.offset) }},
		{name: "a forged pid", claim: func(c *returner) string { return claim(`"`+strings.Repeat("A", len(c.pid))+`"`, c.offset) }},
		{name: "the id for a pid", claim: func(c *returner) string { return claim(`"`+c.id+`"`, c.offset) }},
		{name: "a pid that is a number", claim: func(c *returner) string { return claim(`1`, c.offset) }},
		{name: "a pid that is null", claim: func(c *returner) string { return claim(`null`, c.offset) }},
		{name: "a pid that is an array", claim: func(c *returner) string { return claim(`["`+c.pid+`"]`, c.offset) }},
		{name: "an offset that is a number", claim: func(c *returner) string { return fmt.Sprintf(`{"pid":%q,"offset":1}`, c.pid) }},
		{name: "an offset that is an object", claim: func(c *returner) string { return fmt.Sprintf(`{"pid":%q,"offset":{}}`, c.pid) }},
		{name: "an empty offset", claim: func(c *returner) string { return claim(`"`+c.pid+`"`, "") }},
		{name: "an offset that is some text", claim: func(c *returner) string { return claim(`"`+c.pid+`"`, "text") }},
		{name: "an offset of another server", claim: func(c *returner) string {
			_, number, _ := strings.Cut(c.offset, "-")
			return claim(`"`+c.pid+`"`, "xyz-"+number)
		}},
		{name: "an offset of another namespace", claim: func(c *returner) string {
			other := &returner{srv: c.srv, transport: webSocket, namespace: "/other", client: c.srv.open(c.t, webSocket)}
			c.srv.Of("/other")
			other.joinAgain()
			c.srv.Of("/other").Emit("hello")
			other.wantEvents("hello")
			return claim(`"`+c.pid+`"`, other.offset)
		}},
		{name: "the pid of another namespace", claim: func(c *returner) string {
			c.srv.Of("/other")
			other := &returner{srv: c.srv, transport: webSocket, namespace: "/other", client: c.srv.open(c.t, webSocket)}
			other.joinAgain()
			other.conn().Cut()
			return claim(`"`+other.pid+`"`, c.offset)
		}},
		{name: "the pid of another socket, which is connected to another namespace", claim: func(c *returner) string {
			c.srv.Of("/other")
			other := &returner{srv: c.srv, transport: webSocket, namespace: "/other", client: c.srv.open(c.t, webSocket)}
			other.joinAgain()
			return claim(`"`+other.pid+`"`, c.offset)
		}},
		{name: "an offset to come", claim: func(c *returner) string {
			epoch, _, _ := strings.Cut(c.offset, "-")
			return claim(`"`+c.pid+`"`, epoch+"-zz")
		}},
		{name: "an offset that is out of range", claim: func(c *returner) string {
			epoch, _, _ := strings.Cut(c.offset, "-")
			return claim(`"`+c.pid+`"`, epoch+"-"+strings.Repeat("z", 100))
		}},
		{name: "an offset below zero", claim: func(c *returner) string {
			epoch, _, _ := strings.Cut(c.offset, "-")
			return claim(`"`+c.pid+`"`, epoch+"--1")
		}},
		{name: "an offset written otherwise", claim: func(c *returner) string {
			epoch, number, _ := strings.Cut(c.offset, "-")
			return claim(`"`+c.pid+`"`, epoch+"-0"+number)
		}},
		{name: "the client has left", end: func(t *testing.T, srv *testServer, c *returner) {
			c.write(`41`)
			srv.wantLeft(t, c.id, socketio.ReasonClient)
		}},
		{name: "the server has disconnected it", end: func(t *testing.T, srv *testServer, c *returner) {
			s, _ := srv.LocalSocket(c.id)
			s.Disconnect()
			srv.wantLeft(t, c.id, socketio.ReasonServer)
		}},
		{name: "the server has closed it", end: func(t *testing.T, srv *testServer, c *returner) {
			s, _ := srv.LocalSocket(c.id)
			s.CloseConnection()
			srv.wantLeft(t, c.id, socketio.ReasonServer)
		}},
		{name: "the client has sent nonsense", end: func(t *testing.T, srv *testServer, c *returner) {
			c.write(`4abc`)
			srv.wantLeft(t, c.id, socketio.ReasonParse)
		}},
		{name: "it comes too late", end: func(t *testing.T, _ *testServer, c *returner) {
			c.leave()
			<-time.After(2 * time.Minute)
		}},
	} {
		specifyRecovery(t, test.name, socketio.Options{}, func(t *testing.T, srv *testServer) {
			c := srv.arrive(t, webSocket)
			c.socket().Join("room")
			srv.Emit("hello")
			c.wantEvents("hello")
			if test.end != nil {
				test.end(t, srv, c)
			} else {
				c.leave()
			}
			srv.Emit("missed")
			say := c.claim()
			if test.claim != nil {
				say = test.claim(c)
			}
			fresh := &returner{srv: srv, transport: webSocket, client: srv.open(t, webSocket)}
			fresh.write("40" + say)
			answer, err := fresh.receive()
			if err != nil || answer.answer == nil || answer.answer.SID == "" || answer.answer.PID == "" {
				t.Fatalf("%+v, %v", answer, err)
			}
			if answer.answer.SID == c.id || answer.answer.PID == c.pid {
				t.Error("it has recovered")
			}
			fresh.id = answer.answer.SID
			fresh.wantNothing()
			wantEqual(t, "rooms", len(fresh.socket().Rooms()), 1)
			wantEqual(t, "Recovered", fresh.socket().Recovered(), false)
		})
	}

	specifyRecovery(t, "just in time", socketio.Options{}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.leave()
		<-time.After(2*time.Minute - 1)
		c.wantMissed()
	})

	specifyRecovery(t, "a claim that fails does not use the session up", socketio.Options{}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.leave()
		srv.Emit("missed")
		forger := *c
		forger.offset = "forged"
		forger.id, forger.pid = "", c.pid
		forger.client = srv.open(t, webSocket)
		forger.write("40" + forger.claim())
		c.wantMissed("missed")
	})

	specifyRecovery(t, "is reported", socketio.Options{}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.leave()
		c.offset = "text"
		c.wantFresh()
		if err := receive(t, srv.errors); err.Error() != "socketio: session not recovered: unknown offset" {
			t.Error(err)
		}
	})
}

func claim(pid, offset string) string { return fmt.Sprintf(`{"pid":%s,"offset":%q}`, pid, offset) }

func TestRecoveryIsConsumed(t *testing.T) {
	t.Parallel()
	specifyRecovery(t, "while another recovers", socketio.Options{}, func(t *testing.T, srv *testServer) {
		hold := make(chan struct{})
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				<-hold
			}
			return nil
		})
		c := srv.arrive(t, webSocket)
		c.leave()
		srv.Emit("missed")
		var racers [5]returner
		recovered := make(chan bool)
		for i := range racers {
			racers[i] = *c
			racers[i].client = srv.open(t, webSocket)
			go func() {
				missed, err := racers[i].tryToJoin()
				if err != nil || racers[i].recovered != slices.Equal(missed, []string{"missed"}) {
					t.Errorf("missed %q, recovered %v: %v", missed, racers[i].recovered, err)
				}
				recovered <- racers[i].recovered
			}()
		}
		time.AfterFunc(time.Second, func() { close(hold) })
		n := 0
		for range racers {
			if <-recovered {
				n++
			}
		}
		wantEqual(t, "how many have recovered", n, 1)
	})

	// Not in a bubble: as fast as the machine can.
	t.Run("by one of many who race", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		for range 20 {
			c := srv.arrive(t, webSocket)
			c.wire.close()
			for receive(t, srv.left).id != c.id { // racers of before leave, too
			}
			var racers [8]returner
			var wg sync.WaitGroup
			for i := range racers {
				racers[i] = *c
				racers[i].client = srv.open(t, webSocket)
			}
			start := make(chan struct{})
			errs := make([]error, len(racers))
			for i := range racers {
				wg.Go(func() {
					<-start
					_, errs[i] = racers[i].tryToJoin()
				})
			}
			close(start)
			wg.Wait()
			// Who comes when another has recovered already takes its place, as
			// one whose connection is half-open does.
			alive := 0
			for i := range racers {
				switch {
				case errs[i] != nil && !errors.Is(errs[i], errEnd):
					t.Fatal(errs[i])
				case errs[i] == nil && racers[i].recovered && racers[i].lives():
					alive++
				}
				racers[i].wire.close()
			}
			wantEqual(t, "how many live who have recovered", alive, 1)
		}
	})
}

// lives reports whether the connection still stands.
func (r *returner) lives() bool {
	if r.wire.write(`421["sync"]`) != nil {
		return false
	}
	packet, err := r.next()
	return err == nil && packet == `431[]`
}

func TestRecoveryOfHalfOpen(t *testing.T) {
	t.Parallel()
	specifyRecovery(t, "ends the old connection first", socketio.Options{}, func(t *testing.T, srv *testServer) {
		var seen []string
		srv.OnConnect(func(s *socketio.Socket) { seen = append(seen, fmt.Sprint("connected ", s.Recovered())) })
		srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			seen = append(seen, fmt.Sprint("disconnected ", s.Recovered(), reason))
		})
		c := srv.arrive(t, webSocket)
		c.socket().Join("room")
		old := c.client
		old.conn().Freeze()
		srv.Emit("while frozen")
		c.wantMissed("while frozen")
		srv.wantLeft(t, c.id, socketio.ReasonTransport)
		wantEqual(t, "connections", srv.Stats().Connections, 1)
		wantEqual(t, "sockets", srv.Stats().Sockets, 1)
		wantEqual(t, "sockets in the room", srv.Room("room").LocalLen(), 1)
		srv.Emit("after")
		c.wantEvents("after")
		want := []string{"connected false", "disconnected false" + string(socketio.ReasonTransport), "connected true"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		old.conn().Thaw()
		for {
			packet, err := old.next()
			if errors.Is(err, errEnd) {
				break
			}
			if text, _ := packet.(string); err != nil || !strings.Contains(text, "while frozen") {
				t.Fatalf("the old connection got %s, %v", show(packet), err)
			}
		}
	})

	specifyRecovery(t, "in the midst of its end", socketio.Options{}, func(t *testing.T, srv *testServer) {
		for range 100 {
			c := srv.arrive(t, webSocket)
			next := srv.open(t, webSocket)
			c.conn().Cut() // the server reads this and the next line at the same time
			c.client = next
			c.joinAgain()
			if !c.recovered {
				t.Fatal("it has not recovered")
			}
			srv.wantLeft(t, c.id, socketio.ReasonTransport)
			c.leave()
		}
	})

	specifyRecovery(t, "takes all its namespaces along", socketio.Options{}, func(t *testing.T, srv *testServer) {
		srv.Of("/b")
		a := srv.arrive(t, webSocket)
		b := &returner{srv: srv, transport: webSocket, namespace: "/b", client: a.client}
		b.joinAgain()
		a.conn().Freeze()
		srv.Of("/b").Emit("to b")
		a.wantMissed()
		b.client = a.client
		if missed := b.joinAgain(); !slices.Equal(missed, []string{"to b"}) || !b.recovered {
			t.Errorf("missed %q, recovered %v", missed, b.recovered)
		}
	})

	// Those who keep something by the id of a socket rely on it.
	specifyRecovery(t, "waits for the handlers of the old socket", socketio.Options{}, func(t *testing.T, srv *testServer) {
		var mu sync.Mutex
		var seen []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what)
		}
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				note("middleware")
			}
			return nil
		})
		srv.OnConnect(func(s *socketio.Socket) {
			if s.Recovered() {
				note("OnConnect")
			}
		})
		srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { note("OnDisconnect") })
		srv.On("slow", func() {
			<-time.After(10 * time.Second)
			note("handler")
		})
		c := srv.arrive(t, webSocket)
		c.write(`42["slow"]`)
		synctest.Wait()
		for range 2 { // the second time, the heir that waits is replaced itself
			c.conn().Cut()
			synctest.Wait()
			c.client = srv.open(t, webSocket)
			c.write("40" + c.claim())
			synctest.Wait()
		}
		id := c.id
		wantEqual(t, "its id", c.wantJoined("/"), id)
		if want := []string{"handler", "OnDisconnect", "middleware", "OnConnect"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})

	specifyRecovery(t, "waits no longer than for middleware", socketio.Options{ConnectTimeout: time.Second}, func(t *testing.T, srv *testServer) {
		hold := make(chan struct{})
		srv.On("stuck", func() { <-hold })
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				t.Error("middleware ran")
			}
			return nil
		})
		c := srv.arrive(t, webSocket)
		c.write(`42["stuck"]`)
		synctest.Wait()
		c.conn().Cut()
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		c.want(`44{"message":"Connection refused"}`)
		close(hold)
		c.wantFresh()
	})
}

func TestRecoveryAndMiddleware(t *testing.T) {
	t.Parallel()
	for _, skip := range []bool{false, true} {
		specifyRecovery(t, fmt.Sprint("skipped: ", skip), socketio.Options{Recovery: &socketio.Recovery{SkipMiddleware: skip}}, func(t *testing.T, srv *testServer) {
			ran := 0
			srv.Use(func(context.Context, *socketio.Socket) error { ran++; return nil })
			c := srv.arrive(t, webSocket)
			c.leave()
			c.wantMissed()
			want := 2
			if skip {
				want = 1
			}
			wantEqual(t, "how often middleware ran", ran, want)
			c.leave()
			<-time.After(time.Hour)
			c.wantFresh()
			wantEqual(t, "how often middleware ran", ran, want+1)
		})
	}

	specifyRecovery(t, "that refuses", socketio.Options{}, func(t *testing.T, srv *testServer) {
		refuse := false
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if refuse && s.Recovered() {
				return socketio.Errorf("no longer welcome")
			}
			return nil
		})
		c := srv.arrive(t, webSocket)
		c.leave()
		srv.Emit("missed")
		refuse = true
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		c.want(`44{"message":"no longer welcome"}`)
		refuse = false
		c.wantFresh()
		c.wantNothing()
	})

	specifyRecovery(t, "that takes its time", socketio.Options{}, func(t *testing.T, srv *testServer) {
		srv.Use(func(ctx context.Context, s *socketio.Socket) error {
			if !s.Recovered() {
				return nil
			}
			wantEqual(t, "Connected", s.Connected(), false)
			wantEqual(t, "Emit", s.Emit("too early"), socketio.ErrClosed)
			srv.Emit("during", 1)
			if err := s.Join("late"); err != nil {
				t.Error(err)
			}
			srv.To("late").Emit("during", 2)
			srv.To(s.ID()).Emit("during", 3)
			s.Broadcast().Emit("not for it")
			<-time.After(time.Second)
			return nil
		})
		c := srv.arrive(t, webSocket)
		c.leave()
		srv.To("late").Emit("before it joined")
		srv.Emit("before")
		c.wantMissed("before", "during 1", "during 2", "during 3")
		srv.Emit("after")
		c.wantEvents("after")

		// Cut off while it runs, it may come again.
		c.leave()
		srv.Emit("before")
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		synctest.Wait()
		c.conn().Cut()
		<-time.After(time.Minute)
		if rooms := srv.Room("late").LocalLen(); rooms != 0 {
			t.Errorf("%d sockets in the room", rooms)
		}
		c.wantMissed("before", "during 1", "during 2", "during 3", "during 1", "during 2", "during 3")
	})

	specifyRecovery(t, "that lets too much happen", socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3}}, func(t *testing.T, srv *testServer) {
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				for range 4 {
					srv.Emit("during")
				}
			}
			return nil
		})
		c := srv.arrive(t, webSocket)
		c.leave()
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		c.wantClosed()
		c.wantFresh()
	})
}

// No handler runs for a recovering socket whose log was overrun while its
// middleware ran: OnConnect never did.
func TestLogOverrunDuringMiddleware(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{webSocket, polling} {
		for _, when := range []string{"before", "meanwhile"} {
			t.Run(transport+", "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3}})
					in, on := make(chan struct{}, 2), make(chan struct{})
					slow := false
					srv.Use(func(context.Context, *socketio.Socket) error {
						if slow {
							in <- struct{}{}
							<-on
						}
						return nil
					})
					var connected atomic.Int32
					srv.OnConnect(func(*socketio.Socket) { connected.Add(1) })
					srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { connected.Add(-1) })
					srv.On("x", func() {
						if connected.Load() != 2 { // the other one's, and its own
							t.Error("a handler runs before OnConnect")
						}
					})
					srv.join(t, webSocket)
					c := srv.arrive(t, transport)
					srv.Emit("one")
					c.wantEvents("one")
					c.leave()
					synctest.Wait()
					slow = true
					c.client = srv.open(t, transport)
					c.write("40" + c.claim())
					if when == "before" {
						c.write(`42["x"]`, `42["x"]`, `42["x"]`)
					}
					<-in
					for range 10 {
						srv.Emit("more")
					}
					close(on)
					if when == "meanwhile" {
						for range 20 {
							if c.wire.write(`42["x"]`) != nil {
								break
							}
						}
					}
					synctest.Wait()
					slow = false
					c.wantFresh()
					c.write(`42["x"]`)
					c.wantNothing()
				})
			})
		}
	}
}
