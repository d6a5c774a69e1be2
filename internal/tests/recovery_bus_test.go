package tests_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// recording returns servers that share a bus which records.
func recording(t *testing.T, n int) (*logBus, []*siotest.Server) {
	t.Helper()
	bus := newLogBus()
	var servers []*siotest.Server
	for range n {
		servers = append(servers, siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}, Adapter: bus}))
	}
	synctest.Wait() // they know where the log is
	return bus, servers
}

const secretKey socketio.Key[[]byte] = "secret"

// A client finds what it missed on whatever server it comes back to.
func TestRecoveryOnAnotherServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 3)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		s, _ := a.LocalSocket(c.ID)
		siotest.WantEqual(t, "join", s.Join("red", "green"), nil)
		nameKey.Set(s, "ann")
		secretKey.Set(s, []byte{1, 2})
		b.Emit("one", 1)
		b.To("red").Emit("two")
		_ = s.Emit("three", "x", []byte{3})
		b.To("blue").Emit("for others")
		c.WantEvents("one 1", "two", `three "x" {"_placeholder":true,"num":0} 03`)
		synctest.Wait()
		s.Leave("green")
		id := c.ID
		c.MemConn().Cut()
		synctest.Wait()
		a.To("red").Emit("four")
		b.To("green").Emit("left")
		_ = b.Volatile().Emit("volatile")
		_ = b.Local().Emit("local")
		b.Except("red").Emit("not red")
		servers[2].Emit("five", []byte{5})
		synctest.Wait()

		c.Srv = b
		c.WantMissed("four", `five {"_placeholder":true,"num":0} 05`)
		siotest.WantEqual(t, "recovered", c.Recovered, true)
		siotest.WantEqual(t, "id", c.ID, id)
		s, _ = b.LocalSocket(id)
		siotest.WantEqual(t, "recovered", s.Recovered(), true)
		rooms := s.Rooms()
		slices.Sort(rooms)
		siotest.WantEqual(t, "in red", slices.Contains(rooms, "red"), true)
		siotest.WantEqual(t, "rooms", len(rooms), 2)
		name, _ := nameKey.Get(s)
		siotest.WantEqual(t, "name", name, "ann")
		secret, _ := secretKey.Get(s)
		siotest.WantEqual(t, "secret", string(secret), "\x01\x02")
		a.To("red").Emit("six")
		c.WantEvents("six")

		// And once more, to where it was first.
		c.MemConn().Cut()
		synctest.Wait()
		b.Emit("seven")
		c.Srv = a
		c.WantMissed("seven")
		siotest.WantEqual(t, "id", c.ID, id)
		s, _ = a.LocalSocket(id)
		name, _ = nameKey.Get(s)
		siotest.WantEqual(t, "name", name, "ann")
	})
}

// A blockingValue blocks while it is encoded.
type blockingValue struct{ entered, release chan struct{} }

func (v blockingValue) MarshalJSON() ([]byte, error) {
	select {
	case v.entered <- struct{}{}:
	default:
	}
	<-v.release
	return []byte(`1`), nil
}

const blockingKey socketio.Key[blockingValue] = "blocking"

// A value that blocks while its session is saved on the bus blocks no other client, and
// Shutdown does not wait for it longer than its context lasts.
func TestValueThatBlocksWhileItIsSaved(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			_, servers := recording(t, 2)
			srv := servers[0]
			c := srv.JoinRecovering(t, siotest.WebSocket)
			other := srv.JoinRecovering(t, siotest.WebSocket)
			s, _ := srv.LocalSocket(c.ID)
			v := blockingValue{make(chan struct{}, 1), make(chan struct{})}
			blockingKey.Set(s, v)
			var left []string
			srv.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { left = append(left, s.ID()) })
			if cut {
				c.MemConn().Cut()
				<-v.entered
				siotest.WantEqual(t, "emit", srv.Emit("hello"), nil)
				other.WantEvents("hello")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			err := srv.Shutdown(ctx)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
				t.Errorf("Shutdown: %v after %v", err, took)
			}
			synctest.Wait()
			siotest.WantEqual(t, "sockets that left", len(left), 1)
			close(v.release)
			synctest.Wait()
			siotest.WantEqual(t, "sockets that left", len(left), 2)
		})
	}
}

// What the log does not keep any more is not missing silently.
func TestRecoveryFromAForgottenLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].JoinRecovering(t, siotest.WebSocket)
		servers[0].Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		servers[1].Emit("two")
		bus.forget()
		c.Srv = servers[1]
		siotest.WantEqual(t, "missed", len(c.Reconnect()), 0)
		siotest.WantEqual(t, "recovered", c.Recovered, false)
	})
}

// A bus that takes nothing does not stop the delivery on this server.
func TestRecoveryWithoutTheBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].JoinRecovering(t, siotest.WebSocket)
		bus.setDown(true)
		err := servers[0].Emit("one", "text")
		siotest.WantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
		s, _ := servers[0].LocalSocket(c.ID)
		siotest.WantEqual(t, "to one of its own", s.Emit("two"), nil)
		c.WantEvents(`one "text"`, "two")
		siotest.WantEqual(t, "lost", servers[0].Stats().Cluster.Lost, 2)
		bus.setDown(false)
	})
}

// Who has not received an event that the log does not have is not taken to have it,
// even if everything else was for others.
func TestRecoveryOfWhatTheBusDidNotTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		bus.setDown(true)
		_ = a.Emit("two") // which is lost on its way to her
		bus.setDown(false)
		b.To("others").Emit("three")
		b.To("others").Emit("four")
		synctest.Wait()
		c.MemConn().Cut()
		synctest.Wait()
		c.Srv = b
		siotest.WantEqual(t, "missed", len(c.Reconnect()), 0)
		siotest.WantEqual(t, "recovered", c.Recovered, false)
	})
}

// What arrives while the middleware runs is neither lost nor doubled.
func TestRecoveryWhileEventsCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		a.Emit("two")
		b.Use(func(ctx context.Context, s *socketio.Socket) error {
			_ = s.Join("late")
			a.Emit("three")
			a.To("late").Emit("four")
			bubble.Sleep(time.Second)
			a.Emit("five")
			return nil
		})
		c.Srv = b
		c.WantMissed("two", "three", "four")
		b.Emit("six")
		c.WantEvents("five", "six")
	})
}

// What is for a socket alone reaches it also while its middleware runs.
func TestRecoveryOfEventsForOneSocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		b.Use(func(_ context.Context, s *socketio.Socket) error {
			_ = a.To(s.ID()).Emit("two")
			bubble.Sleep(time.Second)
			return nil
		})
		c.Srv = b
		c.WantMissed("two")
		b.Emit("three")
		c.WantEvents("three")
	})
}

// A server that has read less of the log than the client has received does not
// send it anything twice.
func TestRecoveryOnAServerThatIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		bus.hold(1, true)
		a.Emit("one")
		a.Emit("two")
		c.WantEvents("one", "two")
		c.MemConn().Cut()
		synctest.Wait()
		a.Emit("three")
		c.Srv = b
		c.WantMissed("three")
		bus.hold(1, false)
		a.Emit("four")
		c.WantEvents("four")
	})
}

// So it is if it reads what the client has while the middleware runs.
func TestRecoveryOnAServerThatCatchesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		bus.hold(1, true)
		a.Emit("one")
		a.Emit("two")
		c.WantEvents("one", "two")
		c.MemConn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			bus.hold(1, false)
			a.Emit("three")
			bubble.Sleep(time.Second)
			return nil
		})
		c.Srv = b
		c.WantMissed("three")
		a.Emit("four")
		c.WantEvents("four")
	})
}

// A server that does not know yet where it began to read the log lets nobody
// recover, as it can't know what is about to be delivered.
func TestRecoveryBeforeTheLogIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 1)
		a := servers[0]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		a.Emit("two")
		bus.late = true
		c.Srv = siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}, Adapter: bus})
		c.Client = c.Srv.Open(t, siotest.WebSocket)
		_, err := c.TryRejoin()
		if err == nil {
			t.Error("it was let in")
		}
		bus.mu.Lock()
		bus.late = false
		bus.changed.Broadcast()
		bus.mu.Unlock()
		synctest.Wait()
		c.WantMissed("two")
	})
}

// What is for others does not keep a client from coming back, however much it is.
func TestRecoveryWhileOthersAreBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		b.JoinRecovering(t, siotest.WebSocket) // who wants what is for the others
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		b.Use(func(_ context.Context, s *socketio.Socket) error {
			for range 30 {
				_ = a.Except(s.ID()).Emit("much", make([]byte, 1e5))
				_ = b.Local().Except(s.ID()).Emit("local", make([]byte, 1e5))
				bubble.Sleep(time.Second)
			}
			return nil
		})
		c.Srv = b
		c.WantMissed()
	})
}

// A server that closes does not wait for the bus to find a session.
func TestCloseWhileASessionIsLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].JoinRecovering(t, siotest.WebSocket)
		c.MemConn().Cut()
		synctest.Wait()
		bus.mu.Lock()
		bus.hung = true
		bus.mu.Unlock()
		c.Client = servers[1].Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		synctest.Wait()
		siotest.WantEqual(t, "close", servers[1].Close(), nil)
	})
}

// What the log has not taken can't be given to a client that is coming back in its
// place, so that it has to come once more.
func TestRecoveryWhileTheBusIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			bus.setDown(true)
			_ = b.Emit("two")
			bus.setDown(false)
			return nil
		})
		c.Srv = b
		c.Client = b.Open(t, siotest.WebSocket)
		if _, err := c.TryRejoin(); err == nil {
			t.Error("it was let in")
		}
	})
}

// A log that can't be read to its end is noticed, whatever comes behind.
func TestRecoveryFromALogThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.JoinRecovering(t, siotest.WebSocket)
		a.Emit("one")
		c.WantEvents("one")
		c.MemConn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			a.Emit("two")
			bubble.Sleep(time.Second)
			return nil
		})
		bus.mu.Lock()
		bus.fails = 2
		bus.mu.Unlock()
		c.Srv = b
		c.Client = b.Open(t, siotest.WebSocket)
		if _, err := c.TryRejoin(); err == nil {
			t.Error("it was let in")
		}
		synctest.Wait()
		c.WantMissed("two", "two")
	})
}

// A socket that has left the room of its id is sent what is for it alone, also by
// the log.
func TestRecoveryWithoutTheOwnRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 1)
		c := servers[0].JoinRecovering(t, siotest.WebSocket)
		s, _ := servers[0].LocalSocket(c.ID)
		s.Leave(c.ID)
		siotest.WantEqual(t, "emit", s.Emit("one"), nil)
		servers[0].Emit("two")
		c.WantEvents("one", "two")
		c.MemConn().Cut()
		synctest.Wait()
		servers[0].To(c.ID).Emit("three")
		servers[0].Emit("four")
		c.WantMissed("four")
		siotest.WantEqual(t, "recovered", c.Recovered, true)
	})
}

// An event for one socket reaches that socket only, in every mode: not those that
// have joined a room called by its id, on whatever server, nor when they recover.
func TestEmitToASocketIsForNobodyElse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		recovery *socketio.Recovery
		bus      bool
	}{
		{"plain", nil, false},
		{"recovery", &socketio.Recovery{}, false},
		{"bus", nil, true},
		{"bus that records", &socketio.Recovery{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := &socketio.Options{Recovery: test.recovery}
				if test.bus {
					opts.Adapter = newLogBus()
				}
				a := siotest.ServeInMemory(t, opts)
				b := a
				if test.bus {
					b = siotest.ServeInMemory(t, opts)
				}
				synctest.Wait()
				ann, here, there := a.JoinRecovering(t, siotest.WebSocket), a.JoinRecovering(t, siotest.WebSocket), b.JoinRecovering(t, siotest.WebSocket)
				away := a.JoinRecovering(t, siotest.WebSocket)
				s := ann.Socket()
				for _, other := range []*siotest.RecoveringClient{here, there, away} {
					siotest.WantEqual(t, "join", other.Socket().Join(ann.ID), nil)
				}
				synctest.Wait()
				away.MemConn().Cut()
				synctest.Wait()
				siotest.WantEqual(t, "emit", s.Emit("secret"), nil)
				siotest.WantEqual(t, "emit", s.Compress(false).Emit("secret 2"), nil)
				_ = a.Emit("all")
				ann.WantEvents("secret", "secret 2", "all")
				here.WantEvents("all")
				there.WantEvents("all")
				if test.recovery != nil {
					away.WantMissed("all")
				}
			})
		})
	}
}
