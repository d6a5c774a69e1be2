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
		s, _ := a.Socket(c.id)
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
		s, _ = b.Socket(id)
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
		s, _ = a.Socket(id)
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
		s, _ := servers[0].Socket(c.id)
		wantEqual(t, "to one of its own", s.Emit("two"), nil)
		c.wantEvents(`one "text"`, "two")
		wantEqual(t, "lost", servers[0].Stats().Cluster.Lost, 2)
		bus.setDown(false)
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
