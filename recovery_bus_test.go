package socketio_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// recording returns servers that share a bus which records.
func recording(t *testing.T, n int) (*logBus, []*testServer) {
	t.Helper()
	bus := newLogBus()
	var servers []*testServer
	for range n {
		servers = append(servers, serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}, Adapter: bus}))
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
		c := a.arrive(t, webSocket)
		s, _ := a.LocalSocket(c.id)
		wantEqual(t, "join", s.Join("red", "green"), nil)
		nameKey.Set(s, "ann")
		secretKey.Set(s, []byte{1, 2})
		b.Emit("one", 1)
		b.To("red").Emit("two")
		_ = s.Emit("three", "x", []byte{3})
		b.To("blue").Emit("for others")
		c.wantEvents("one 1", "two", `three "x" {"_placeholder":true,"num":0} 03`)
		synctest.Wait()
		s.Leave("green")
		id := c.id
		c.conn().Cut()
		synctest.Wait()
		a.To("red").Emit("four")
		b.To("green").Emit("left")
		_ = b.Volatile().Emit("volatile")
		_ = b.Local().Emit("local")
		b.Except("red").Emit("not red")
		servers[2].Emit("five", []byte{5})
		synctest.Wait()

		c.srv = b
		c.wantMissed("four", `five {"_placeholder":true,"num":0} 05`)
		wantEqual(t, "recovered", c.recovered, true)
		wantEqual(t, "id", c.id, id)
		s, _ = b.LocalSocket(id)
		wantEqual(t, "recovered", s.Recovered(), true)
		rooms := s.Rooms()
		slices.Sort(rooms)
		wantEqual(t, "in red", slices.Contains(rooms, "red"), true)
		wantEqual(t, "rooms", len(rooms), 2)
		name, _ := nameKey.Get(s)
		wantEqual(t, "name", name, "ann")
		secret, _ := secretKey.Get(s)
		wantEqual(t, "secret", string(secret), "\x01\x02")
		a.To("red").Emit("six")
		c.wantEvents("six")

		// And once more, to where it was first.
		c.conn().Cut()
		synctest.Wait()
		b.Emit("seven")
		c.srv = a
		c.wantMissed("seven")
		wantEqual(t, "id", c.id, id)
		s, _ = a.LocalSocket(id)
		name, _ = nameKey.Get(s)
		wantEqual(t, "name", name, "ann")
	})
}

// What the log does not keep any more is not missing silently.
func TestRecoveryFromAForgottenLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].arrive(t, webSocket)
		servers[0].Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		servers[1].Emit("two")
		bus.forget()
		c.srv = servers[1]
		wantEqual(t, "missed", len(c.comeBack()), 0)
		wantEqual(t, "recovered", c.recovered, false)
	})
}

// A bus that takes nothing does not stop the delivery on this server.
func TestRecoveryWithoutTheBus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].arrive(t, webSocket)
		bus.setDown(true)
		err := servers[0].Emit("one", "text")
		wantEqual(t, "unpublished", errors.Is(err, socketio.ErrUnpublished), true)
		s, _ := servers[0].LocalSocket(c.id)
		wantEqual(t, "to one of its own", s.Emit("two"), nil)
		c.wantEvents(`one "text"`, "two")
		wantEqual(t, "lost", servers[0].Stats().Cluster.Lost, 2)
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
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		bus.setDown(true)
		_ = a.Emit("two") // which is lost on its way to her
		bus.setDown(false)
		b.To("others").Emit("three")
		b.To("others").Emit("four")
		synctest.Wait()
		c.conn().Cut()
		synctest.Wait()
		c.srv = b
		wantEqual(t, "missed", len(c.comeBack()), 0)
		wantEqual(t, "recovered", c.recovered, false)
	})
}

// What arrives while the middleware runs is neither lost nor doubled.
func TestRecoveryWhileEventsCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		a.Emit("two")
		b.Use(func(ctx context.Context, s *socketio.Socket) error {
			_ = s.Join("late")
			a.Emit("three")
			a.To("late").Emit("four")
			<-time.After(time.Second)
			a.Emit("five")
			return nil
		})
		c.srv = b
		c.wantMissed("two", "three", "four")
		b.Emit("six")
		c.wantEvents("five", "six")
	})
}

// What is for a socket alone reaches it also while its middleware runs.
func TestRecoveryOfEventsForOneSocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		b.Use(func(_ context.Context, s *socketio.Socket) error {
			_ = a.To(s.ID()).Emit("two")
			<-time.After(time.Second)
			return nil
		})
		c.srv = b
		c.wantMissed("two")
		b.Emit("three")
		c.wantEvents("three")
	})
}

// A server that has read less of the log than the client has received does not
// send it anything twice.
func TestRecoveryOnAServerThatIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		bus.hold(1, true)
		a.Emit("one")
		a.Emit("two")
		c.wantEvents("one", "two")
		c.conn().Cut()
		synctest.Wait()
		a.Emit("three")
		c.srv = b
		c.wantMissed("three")
		bus.hold(1, false)
		a.Emit("four")
		c.wantEvents("four")
	})
}

// So it is if it reads what the client has while the middleware runs.
func TestRecoveryOnAServerThatCatchesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		bus.hold(1, true)
		a.Emit("one")
		a.Emit("two")
		c.wantEvents("one", "two")
		c.conn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			bus.hold(1, false)
			a.Emit("three")
			<-time.After(time.Second)
			return nil
		})
		c.srv = b
		c.wantMissed("three")
		a.Emit("four")
		c.wantEvents("four")
	})
}

// A server that does not know yet where it began to read the log lets nobody
// recover, as it can't know what is about to be delivered.
func TestRecoveryBeforeTheLogIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 1)
		a := servers[0]
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		a.Emit("two")
		bus.late = true
		c.srv = serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}, Adapter: bus})
		c.client = c.srv.open(t, webSocket)
		_, err := c.tryToJoin()
		if err == nil {
			t.Error("it was let in")
		}
		bus.mu.Lock()
		bus.late = false
		bus.changed.Broadcast()
		bus.mu.Unlock()
		synctest.Wait()
		c.wantMissed("two")
	})
}

// What is for others does not keep a client from coming back, however much it is.
func TestRecoveryWhileOthersAreBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		b.arrive(t, webSocket) // who wants what is for the others
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		b.Use(func(_ context.Context, s *socketio.Socket) error {
			for range 30 {
				_ = a.Except(s.ID()).Emit("much", make([]byte, 1e5))
				_ = b.Local().Except(s.ID()).Emit("local", make([]byte, 1e5))
				<-time.After(time.Second)
			}
			return nil
		})
		c.srv = b
		c.wantMissed()
	})
}

// A server that closes does not wait for the bus to find a session.
func TestCloseWhileASessionIsLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		c := servers[0].arrive(t, webSocket)
		c.conn().Cut()
		synctest.Wait()
		bus.mu.Lock()
		bus.hung = true
		bus.mu.Unlock()
		c.client = servers[1].open(t, webSocket)
		c.write("40" + c.claim())
		synctest.Wait()
		wantEqual(t, "close", servers[1].Close(), nil)
	})
}

// What the log has not taken can't be given to a client that is coming back in its
// place, so that it has to come once more.
func TestRecoveryWhileTheBusIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			bus.setDown(true)
			_ = b.Emit("two")
			bus.setDown(false)
			return nil
		})
		c.srv = b
		c.client = b.open(t, webSocket)
		if _, err := c.tryToJoin(); err == nil {
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
		c := a.arrive(t, webSocket)
		a.Emit("one")
		c.wantEvents("one")
		c.conn().Cut()
		synctest.Wait()
		b.Use(func(context.Context, *socketio.Socket) error {
			a.Emit("two")
			<-time.After(time.Second)
			return nil
		})
		bus.mu.Lock()
		bus.fails = 2
		bus.mu.Unlock()
		c.srv = b
		c.client = b.open(t, webSocket)
		if _, err := c.tryToJoin(); err == nil {
			t.Error("it was let in")
		}
		synctest.Wait()
		c.wantMissed("two", "two")
	})
}

// A socket that has left the room of its id is sent what is for it alone, also by
// the log.
func TestRecoveryWithoutTheOwnRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 1)
		c := servers[0].arrive(t, webSocket)
		s, _ := servers[0].LocalSocket(c.id)
		s.Leave(c.id)
		wantEqual(t, "emit", s.Emit("one"), nil)
		servers[0].Emit("two")
		c.wantEvents("one", "two")
		c.conn().Cut()
		synctest.Wait()
		servers[0].To(c.id).Emit("three")
		servers[0].Emit("four")
		c.wantMissed("four")
		wantEqual(t, "recovered", c.recovered, true)
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
				a := serveInMemory(t, opts)
				b := a
				if test.bus {
					b = serveInMemory(t, opts)
				}
				synctest.Wait()
				ann, here, there := a.arrive(t, webSocket), a.arrive(t, webSocket), b.arrive(t, webSocket)
				away := a.arrive(t, webSocket)
				s := ann.socket()
				for _, other := range []*returner{here, there, away} {
					wantEqual(t, "join", other.socket().Join(ann.id), nil)
				}
				synctest.Wait()
				away.conn().Cut()
				synctest.Wait()
				wantEqual(t, "emit", s.Emit("secret"), nil)
				wantEqual(t, "emit", s.Compress(false).Emit("secret 2"), nil)
				_ = a.Emit("all")
				ann.wantEvents("secret", "secret 2", "all")
				here.wantEvents("all")
				there.wantEvents("all")
				if test.recovery != nil {
					away.wantMissed("all")
				}
			})
		})
	}
}
