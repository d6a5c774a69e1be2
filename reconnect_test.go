package socketio_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
)

// Reconnect closes the transport, so that the client comes back by itself, to the
// same session if there is recovery.
func TestReconnect(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		for _, recovery := range []*socketio.Recovery{nil, {}} {
			synctest.Test(t, func(t *testing.T) {
				srv := serveInMemory(t, &socketio.Options{Recovery: recovery, PingInterval: time.Hour})
				srv.Of("/other")
				c := srv.arrive(t, transport)
				s := c.socket()
				if recovery != nil {
					srv.Emit("zero")
					c.wantEvents("zero")
				}
				c.join("/other", "")
				_ = s.Emit("queued", 1)
				wantEqual(t, "reconnect", s.Reconnect(), nil)
				srv.wantLeft(t, c.id, socketio.ReasonReconnect)
				if text, _ := c.read().(string); !strings.HasPrefix(text, `42["queued",1`) {
					t.Errorf("got %s", text)
				}
				if packet, err := c.next(); err == nil && packet != "1" {
					t.Errorf("got %s behind it", show(packet))
				}
				wantEqual(t, "again", s.Reconnect(), socketio.ErrClosed)
				srv.Emit("missed")
				c.comeBack()
				wantEqual(t, "recovered", c.recovered, recovery != nil)
			})
		}
	})
}

// An emitter's Reconnect reaches the sockets of all servers, and a client recovers its
// session on another one.
func TestReconnectInACluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, servers := recording(t, 2)
		a, b := servers[0], servers[1]
		mine, theirs, other := a.arrive(t, webSocket), b.arrive(t, webSocket), b.arrive(t, webSocket)
		for _, c := range []*returner{mine, theirs} {
			wantEqual(t, "join", c.socket().Join("old"), nil)
		}
		b.Emit("one")
		for _, c := range []*returner{mine, theirs, other} {
			c.wantEvents("one")
		}
		wantEqual(t, "nobody", a.To().Reconnect(t.Context()), nil)
		wantEqual(t, "reconnect", a.To("old").Reconnect(t.Context()), nil)
		a.wantLeft(t, mine.id, socketio.ReasonReconnect)
		b.wantLeft(t, theirs.id, socketio.ReasonReconnect)
		mine.wantClosed()
		theirs.wantClosed()
		a.Emit("two")
		synctest.Wait()
		mine.srv, theirs.srv = b, a
		mine.wantMissed("two")
		theirs.wantMissed("two")
		wantEqual(t, "recovered", mine.recovered && theirs.recovered, true)
		other.wantEvents("two")
	})
}

var spreadClients = flag.Int("spread", 500, "clients of TestShutdownSpread")

// With ShutdownSpread the clients come to another server at an even rate.
func TestShutdownSpread(t *testing.T) {
	t.Parallel()
	clients, spread := *spreadClients, 20*time.Second
	synctest.Test(t, func(t *testing.T) {
		opts := &socketio.Options{PingInterval: time.Hour, ShutdownSpread: spread}
		a, b := serveInMemory(t, opts), serveInMemory(t, opts)
		var began time.Time
		var arrivals [60]atomic.Int32
		var all sync.WaitGroup
		for range clients {
			c := a.join(t, webSocket)
			all.Go(func() {
				if _, err := c.next(); err == nil {
					t.Error("something was sent")
				}
				// As the official client does: reconnectionDelay, randomizationFactor.
				<-time.After(time.Second/2 + rand.N(time.Second))
				arrivals[time.Since(began)/time.Second].Add(1)
				b.join(t, webSocket)
			})
		}
		synctest.Wait()
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wantEqual(t, "shutdown", a.Shutdown(ctx), nil)
		took := time.Since(began)
		if took < spread || took > spread+time.Second {
			t.Errorf("it took %v", took)
		}
		all.Wait()
		mean := float64(clients) / spread.Seconds()
		most := 0.0
		for second := range arrivals {
			n := float64(arrivals[second].Load())
			most = max(most, n)
			if n >= 2*mean {
				t.Errorf("%v clients came in second %d, the mean is %v", n, second, mean)
			}
		}
		t.Logf("at most %v clients came in a second, %v in the mean", most, mean)
		wantEqual(t, "clients at the other server", b.Stats().Sockets, clients)
	})
}

// The spreading leaves time for what comes after it, serves those that are not
// closed yet, and ends with the last client.
func TestShutdownSpreadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := &socketio.Options{PingInterval: time.Hour, ShutdownSpread: time.Hour}
		srv := serveInMemory(t, opts)
		list := []*client{srv.join(t, webSocket), srv.join(t, webSocket)}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(ctx) }()
		<-time.After(time.Second)
		for _, c := range list {
			wantEqual(t, "echo", c.ask(`["echo",1]`), "[1]")
		}
		wantEqual(t, "shutdown", <-done, nil)
		if took := time.Since(began); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("it took %v", took)
		}

		srv = serveInMemory(t, opts)
		c := srv.join(t, webSocket)
		began = time.Now()
		go func() { done <- srv.Shutdown(t.Context()) }()
		<-time.After(time.Second)
		c.conn().Cut()
		wantEqual(t, "shutdown", <-done, nil)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v after the last client had left", took)
		}
	})
}
