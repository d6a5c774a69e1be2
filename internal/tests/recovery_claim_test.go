package tests_test

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
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Who can't prove that it has missed nothing else begins anew.
func TestRecoveryRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		claim func(c *siotest.RecoveringClient) string // what it says instead of the truth
		end   func(t *testing.T, srv *siotest.Server, c *siotest.RecoveringClient)
	}{
		{name: "no pid", claim: func(*siotest.RecoveringClient) string { return `{}` }},
		{name: "an empty pid", claim: func(c *siotest.RecoveringClient) string { return claim(`""`, c.Offset) }},
		{name: "a forged pid", claim: func(c *siotest.RecoveringClient) string {
			return claim(`"`+strings.Repeat("A", len(c.PID))+`"`, c.Offset)
		}},
		{name: "the id for a pid", claim: func(c *siotest.RecoveringClient) string { return claim(`"`+c.ID+`"`, c.Offset) }},
		{name: "a pid that is a number", claim: func(c *siotest.RecoveringClient) string { return claim(`1`, c.Offset) }},
		{name: "a pid that is null", claim: func(c *siotest.RecoveringClient) string { return claim(`null`, c.Offset) }},
		{name: "a pid that is an array", claim: func(c *siotest.RecoveringClient) string { return claim(`["`+c.PID+`"]`, c.Offset) }},
		{name: "an offset that is a number", claim: func(c *siotest.RecoveringClient) string { return fmt.Sprintf(`{"pid":%q,"offset":1}`, c.PID) }},
		{name: "an offset that is an object", claim: func(c *siotest.RecoveringClient) string { return fmt.Sprintf(`{"pid":%q,"offset":{}}`, c.PID) }},
		{name: "an empty offset", claim: func(c *siotest.RecoveringClient) string { return claim(`"`+c.PID+`"`, "") }},
		{name: "an offset that is some text", claim: func(c *siotest.RecoveringClient) string { return claim(`"`+c.PID+`"`, "text") }},
		{name: "an offset of another server", claim: func(c *siotest.RecoveringClient) string {
			_, number, _ := strings.Cut(c.Offset, "-")
			return claim(`"`+c.PID+`"`, "xyz-"+number)
		}},
		{name: "an offset of another namespace", claim: func(c *siotest.RecoveringClient) string {
			other := &siotest.RecoveringClient{Srv: c.Srv, Transport: siotest.WebSocket, Namespace: "/other", Client: c.Srv.Open(c.T, siotest.WebSocket)}
			c.Srv.Of("/other")
			other.Rejoin()
			c.Srv.Of("/other").Emit("hello")
			other.WantEvents("hello")
			return claim(`"`+c.PID+`"`, other.Offset)
		}},
		{name: "the pid of another namespace", claim: func(c *siotest.RecoveringClient) string {
			c.Srv.Of("/other")
			other := &siotest.RecoveringClient{Srv: c.Srv, Transport: siotest.WebSocket, Namespace: "/other", Client: c.Srv.Open(c.T, siotest.WebSocket)}
			other.Rejoin()
			other.MemConn().Cut()
			return claim(`"`+other.PID+`"`, c.Offset)
		}},
		{name: "the pid of another socket, which is connected to another namespace", claim: func(c *siotest.RecoveringClient) string {
			c.Srv.Of("/other")
			other := &siotest.RecoveringClient{Srv: c.Srv, Transport: siotest.WebSocket, Namespace: "/other", Client: c.Srv.Open(c.T, siotest.WebSocket)}
			other.Rejoin()
			return claim(`"`+other.PID+`"`, c.Offset)
		}},
		{name: "an offset to come", claim: func(c *siotest.RecoveringClient) string {
			epoch, _, _ := strings.Cut(c.Offset, "-")
			return claim(`"`+c.PID+`"`, epoch+"-zz")
		}},
		{name: "an offset that is out of range", claim: func(c *siotest.RecoveringClient) string {
			epoch, _, _ := strings.Cut(c.Offset, "-")
			return claim(`"`+c.PID+`"`, epoch+"-"+strings.Repeat("z", 100))
		}},
		{name: "an offset below zero", claim: func(c *siotest.RecoveringClient) string {
			epoch, _, _ := strings.Cut(c.Offset, "-")
			return claim(`"`+c.PID+`"`, epoch+"--1")
		}},
		{name: "an offset written otherwise", claim: func(c *siotest.RecoveringClient) string {
			epoch, number, _ := strings.Cut(c.Offset, "-")
			return claim(`"`+c.PID+`"`, epoch+"-0"+number)
		}},
		{name: "the client has left", end: func(t *testing.T, srv *siotest.Server, c *siotest.RecoveringClient) {
			c.Write(`41`)
			srv.WantDisconnect(t, c.ID, socketio.ReasonClient)
		}},
		{name: "the server has disconnected it", end: func(t *testing.T, srv *siotest.Server, c *siotest.RecoveringClient) {
			s, _ := srv.LocalSocket(c.ID)
			s.Disconnect()
			srv.WantDisconnect(t, c.ID, socketio.ReasonServer)
		}},
		{name: "the server has closed it", end: func(t *testing.T, srv *siotest.Server, c *siotest.RecoveringClient) {
			s, _ := srv.LocalSocket(c.ID)
			s.CloseConnection()
			srv.WantDisconnect(t, c.ID, socketio.ReasonServer)
		}},
		{name: "the client has sent nonsense", end: func(t *testing.T, srv *siotest.Server, c *siotest.RecoveringClient) {
			c.Write(`4abc`)
			srv.WantDisconnect(t, c.ID, socketio.ReasonParse)
		}},
		{name: "it comes too late", end: func(t *testing.T, _ *siotest.Server, c *siotest.RecoveringClient) {
			c.Disconnect()
			bubble.Sleep(2 * time.Minute)
		}},
	} {
		siotest.SpecifyRecovery(t, test.name, socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
			c := srv.JoinRecovering(t, siotest.WebSocket)
			c.Socket().Join("room")
			srv.Emit("hello")
			c.WantEvents("hello")
			if test.end != nil {
				test.end(t, srv, c)
			} else {
				c.Disconnect()
			}
			srv.Emit("missed")
			say := c.Claim()
			if test.claim != nil {
				say = test.claim(c)
			}
			fresh := &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket, Client: srv.Open(t, siotest.WebSocket)}
			fresh.Write("40" + say)
			answer, err := fresh.Receive()
			if err != nil || answer.Connected == nil || answer.Connected.SID == "" || answer.Connected.PID == "" {
				t.Fatalf("%+v, %v", answer, err)
			}
			if answer.Connected.SID == c.ID || answer.Connected.PID == c.PID {
				t.Error("it has recovered")
			}
			fresh.ID = answer.Connected.SID
			fresh.WantNothing()
			siotest.WantEqual(t, "rooms", len(fresh.Socket().Rooms()), 1)
			siotest.WantEqual(t, "Recovered", fresh.Socket().Recovered(), false)
		})
	}

	siotest.SpecifyRecovery(t, "just in time", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		bubble.Sleep(2*time.Minute - 1)
		c.WantMissed()
	})

	siotest.SpecifyRecovery(t, "a claim that fails does not use the session up", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		srv.Emit("missed")
		forger := *c
		forger.Offset = "forged"
		forger.ID, forger.PID = "", c.PID
		forger.Client = srv.Open(t, siotest.WebSocket)
		forger.Write("40" + forger.Claim())
		c.WantMissed("missed")
	})

	siotest.SpecifyRecovery(t, "is reported", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		c.Offset = "text"
		c.WantNotRecovered()
		if err := siotest.Receive(t, srv.Errors); err.Error() != "socketio: session not recovered: unknown offset" {
			t.Error(err)
		}
	})
}

func claim(pid, offset string) string { return fmt.Sprintf(`{"pid":%s,"offset":%q}`, pid, offset) }

func TestRecoveryIsConsumed(t *testing.T) {
	t.Parallel()
	siotest.SpecifyRecovery(t, "while another recovers", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		hold := make(chan struct{})
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				<-hold
			}
			return nil
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		srv.Emit("missed")
		var racers [5]siotest.RecoveringClient
		recovered := make(chan bool)
		for i := range racers {
			racers[i] = *c
			racers[i].Client = srv.Open(t, siotest.WebSocket)
			go func() {
				missed, err := racers[i].TryRejoin()
				if err != nil || racers[i].Recovered != slices.Equal(missed, []string{"missed"}) {
					t.Errorf("missed %q, recovered %v: %v", missed, racers[i].Recovered, err)
				}
				recovered <- racers[i].Recovered
			}()
		}
		time.AfterFunc(time.Second, func() { close(hold) })
		n := 0
		for range racers {
			if <-recovered {
				n++
			}
		}
		siotest.WantEqual(t, "how many have recovered", n, 1)
	})

	// Not in a bubble: as fast as the machine can.
	t.Run("by one of many who race", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		for range 20 {
			c := srv.JoinRecovering(t, siotest.WebSocket)
			c.Wire.Close()
			for siotest.Receive(t, srv.Disconnects).ID != c.ID { // racers of before leave, too
			}
			var racers [8]siotest.RecoveringClient
			var wg sync.WaitGroup
			for i := range racers {
				racers[i] = *c
				racers[i].Client = srv.Open(t, siotest.WebSocket)
			}
			start := make(chan struct{})
			errs := make([]error, len(racers))
			for i := range racers {
				wg.Go(func() {
					<-start
					_, errs[i] = racers[i].TryRejoin()
				})
			}
			close(start)
			wg.Wait()
			// Who comes when another has recovered already takes its place, as
			// one whose connection is half-open does.
			alive := 0
			for i := range racers {
				switch {
				case errs[i] != nil && !errors.Is(errs[i], siotest.ErrEnd):
					t.Fatal(errs[i])
				case errs[i] == nil && racers[i].Recovered && racers[i].IsOpen():
					alive++
				}
				racers[i].Wire.Close()
			}
			siotest.WantEqual(t, "how many live who have recovered", alive, 1)
		}
	})
}

func TestRecoveryOfHalfOpen(t *testing.T) {
	t.Parallel()
	siotest.SpecifyRecovery(t, "ends the old connection first", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		var seen []string
		srv.OnConnect(func(s *socketio.Socket) { seen = append(seen, fmt.Sprint("connected ", s.Recovered())) })
		srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			seen = append(seen, fmt.Sprint("disconnected ", s.Recovered(), reason))
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Socket().Join("room")
		old := c.Client
		old.MemConn().Freeze()
		srv.Emit("while frozen")
		c.WantMissed("while frozen")
		srv.WantDisconnect(t, c.ID, socketio.ReasonTransport)
		siotest.WantEqual(t, "connections", srv.Stats().Connections, 1)
		siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 1)
		siotest.WantEqual(t, "sockets in the room", srv.Room("room").LocalLen(), 1)
		srv.Emit("after")
		c.WantEvents("after")
		want := []string{"connected false", "disconnected false" + string(socketio.ReasonTransport), "connected true"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		old.MemConn().Thaw()
		for {
			packet, err := old.Next()
			if errors.Is(err, siotest.ErrEnd) {
				break
			}
			if text, _ := packet.(string); err != nil || !strings.Contains(text, "while frozen") {
				t.Fatalf("the old connection got %s, %v", siotest.Show(packet), err)
			}
		}
	})

	siotest.SpecifyRecovery(t, "in the midst of its end", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		for range 100 {
			c := srv.JoinRecovering(t, siotest.WebSocket)
			next := srv.Open(t, siotest.WebSocket)
			c.MemConn().Cut() // the server reads this and the next line at the same time
			c.Client = next
			c.Rejoin()
			if !c.Recovered {
				t.Fatal("it has not recovered")
			}
			srv.WantDisconnect(t, c.ID, socketio.ReasonTransport)
			c.Disconnect()
		}
	})

	siotest.SpecifyRecovery(t, "takes all its namespaces along", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		srv.Of("/b")
		a := srv.JoinRecovering(t, siotest.WebSocket)
		b := &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket, Namespace: "/b", Client: a.Client}
		b.Rejoin()
		a.MemConn().Freeze()
		srv.Of("/b").Emit("to b")
		a.WantMissed()
		b.Client = a.Client
		if missed := b.Rejoin(); !slices.Equal(missed, []string{"to b"}) || !b.Recovered {
			t.Errorf("missed %q, recovered %v", missed, b.Recovered)
		}
	})

	// Those who keep something by the id of a socket rely on it.
	siotest.SpecifyRecovery(t, "waits for the handlers of the old socket", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
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
			bubble.Sleep(10 * time.Second)
			note("handler")
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Write(`42["slow"]`)
		synctest.Wait()
		for range 2 { // the second time, the heir that waits is replaced itself
			c.MemConn().Cut()
			synctest.Wait()
			c.Client = srv.Open(t, siotest.WebSocket)
			c.Write("40" + c.Claim())
			synctest.Wait()
		}
		id := c.ID
		siotest.WantEqual(t, "its id", c.WantConnect("/"), id)
		if want := []string{"handler", "OnDisconnect", "middleware", "OnConnect"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})

	siotest.SpecifyRecovery(t, "waits no longer than for middleware", socketio.Options{ConnectTimeout: time.Second}, func(t *testing.T, srv *siotest.Server) {
		hold := make(chan struct{})
		srv.On("stuck", func() { <-hold })
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				t.Error("middleware ran")
			}
			return nil
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Write(`42["stuck"]`)
		synctest.Wait()
		c.MemConn().Cut()
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		c.Want(`44{"message":"Connection refused"}`)
		close(hold)
		c.WantNotRecovered()
	})
}

func TestRecoveryAndMiddleware(t *testing.T) {
	t.Parallel()
	for _, skip := range []bool{false, true} {
		siotest.SpecifyRecovery(t, fmt.Sprint("skipped: ", skip), socketio.Options{Recovery: &socketio.Recovery{SkipMiddleware: skip}}, func(t *testing.T, srv *siotest.Server) {
			ran := 0
			srv.Use(func(context.Context, *socketio.Socket) error { ran++; return nil })
			c := srv.JoinRecovering(t, siotest.WebSocket)
			c.Disconnect()
			c.WantMissed()
			want := 2
			if skip {
				want = 1
			}
			siotest.WantEqual(t, "how often middleware ran", ran, want)
			c.Disconnect()
			bubble.Sleep(time.Hour)
			c.WantNotRecovered()
			siotest.WantEqual(t, "how often middleware ran", ran, want+1)
		})
	}

	siotest.SpecifyRecovery(t, "that refuses", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		refuse := false
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if refuse && s.Recovered() {
				return socketio.Errorf("no longer welcome")
			}
			return nil
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		srv.Emit("missed")
		refuse = true
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		c.Want(`44{"message":"no longer welcome"}`)
		refuse = false
		c.WantNotRecovered()
		c.WantNothing()
	})

	siotest.SpecifyRecovery(t, "that takes its time", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		srv.Use(func(ctx context.Context, s *socketio.Socket) error {
			if !s.Recovered() {
				return nil
			}
			siotest.WantEqual(t, "Connected", s.Connected(), false)
			siotest.WantEqual(t, "Emit", s.Emit("too early"), socketio.ErrClosed)
			srv.Emit("during", 1)
			if err := s.Join("late"); err != nil {
				t.Error(err)
			}
			srv.To("late").Emit("during", 2)
			srv.To(s.ID()).Emit("during", 3)
			s.Broadcast().Emit("not for it")
			bubble.Sleep(time.Second)
			return nil
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		srv.To("late").Emit("before it joined")
		srv.Emit("before")
		c.WantMissed("before", "during 1", "during 2", "during 3")
		srv.Emit("after")
		c.WantEvents("after")

		// Cut off while it runs, it may come again.
		c.Disconnect()
		srv.Emit("before")
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		synctest.Wait()
		c.MemConn().Cut()
		bubble.Sleep(time.Minute)
		if rooms := srv.Room("late").LocalLen(); rooms != 0 {
			t.Errorf("%d sockets in the room", rooms)
		}
		c.WantMissed("before", "during 1", "during 2", "during 3", "during 1", "during 2", "during 3")
	})

	siotest.SpecifyRecovery(t, "that lets too much happen", socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3}}, func(t *testing.T, srv *siotest.Server) {
		srv.Use(func(_ context.Context, s *socketio.Socket) error {
			if s.Recovered() {
				for range 4 {
					srv.Emit("during")
				}
			}
			return nil
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		c.WantClosed()
		c.WantNotRecovered()
	})
}

// No handler runs for a recovering socket whose log was overrun while its
// middleware ran: OnConnect never did.
func TestLogOverrunDuringMiddleware(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{siotest.WebSocket, siotest.Polling} {
		for _, when := range []string{"before", "meanwhile"} {
			t.Run(transport+", "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{MaxEvents: 3}})
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
					srv.Join(t, siotest.WebSocket)
					c := srv.JoinRecovering(t, transport)
					srv.Emit("one")
					c.WantEvents("one")
					c.Disconnect()
					synctest.Wait()
					slow = true
					c.Client = srv.Open(t, transport)
					c.Write("40" + c.Claim())
					if when == "before" {
						c.Write(`42["x"]`, `42["x"]`, `42["x"]`)
					}
					<-in
					for range 10 {
						srv.Emit("more")
					}
					close(on)
					if when == "meanwhile" {
						for range 20 {
							if c.Wire.Write(`42["x"]`) != nil {
								break
							}
						}
					}
					synctest.Wait()
					slow = false
					c.WantNotRecovered()
					c.Write(`42["x"]`)
					c.WantNothing()
				})
			})
		}
	}
}
