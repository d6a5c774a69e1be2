package tests_test

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
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Reconnect closes the transport, so that the client comes back by itself, to the
// same session if there is recovery.
func TestReconnect(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		for _, recovery := range []*socketio.Recovery{nil, {}} {
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: recovery, PingInterval: time.Hour})
				srv.Of("/other")
				c := srv.JoinRecovering(t, transport)
				s := c.Socket()
				if recovery != nil {
					srv.Emit("zero")
					c.WantEvents("zero")
				}
				c.Join("/other", "")
				_ = s.Emit("queued", 1)
				siotest.WantEqual(t, "reconnect", s.Reconnect(), nil)
				srv.WantDisconnect(t, c.ID, socketio.ReasonReconnect)
				if text, _ := c.Read().(string); !strings.HasPrefix(text, `42["queued",1`) {
					t.Errorf("got %s", text)
				}
				if packet, err := c.Next(); err == nil && packet != "1" {
					t.Errorf("got %s behind it", siotest.Show(packet))
				}
				siotest.WantEqual(t, "again", s.Reconnect(), socketio.ErrClosed)
				srv.Emit("missed")
				c.Reconnect()
				siotest.WantEqual(t, "recovered", c.Recovered, recovery != nil)
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
		mine, theirs, other := a.JoinRecovering(t, siotest.WebSocket), b.JoinRecovering(t, siotest.WebSocket), b.JoinRecovering(t, siotest.WebSocket)
		for _, c := range []*siotest.RecoveringClient{mine, theirs} {
			siotest.WantEqual(t, "join", c.Socket().Join("old"), nil)
		}
		b.Emit("one")
		for _, c := range []*siotest.RecoveringClient{mine, theirs, other} {
			c.WantEvents("one")
		}
		siotest.WantEqual(t, "nobody", a.To().Reconnect(t.Context()), nil)
		siotest.WantEqual(t, "reconnect", a.To("old").Reconnect(t.Context()), nil)
		a.WantDisconnect(t, mine.ID, socketio.ReasonReconnect)
		b.WantDisconnect(t, theirs.ID, socketio.ReasonReconnect)
		mine.WantClosed()
		theirs.WantClosed()
		a.Emit("two")
		synctest.Wait()
		mine.Srv, theirs.Srv = b, a
		mine.WantMissed("two")
		theirs.WantMissed("two")
		siotest.WantEqual(t, "recovered", mine.Recovered && theirs.Recovered, true)
		other.WantEvents("two")
	})
}

var spreadClients = flag.Int("spread", 500, "clients of TestShutdownSpread")

// With ShutdownSpread the clients come to another server at an even rate.
func TestShutdownSpread(t *testing.T) {
	t.Parallel()
	clients, spread := *spreadClients, 20*time.Second
	synctest.Test(t, func(t *testing.T) {
		opts := &socketio.Options{PingInterval: time.Hour, ShutdownSpread: spread}
		a, b := siotest.ServeInMemory(t, opts), siotest.ServeInMemory(t, opts)
		var began time.Time
		var arrivals [60]atomic.Int32
		var all sync.WaitGroup
		for range clients {
			c := a.Join(t, siotest.WebSocket)
			all.Go(func() {
				if _, err := c.Next(); err == nil {
					t.Error("something was sent")
				}
				// As the official client does: reconnectionDelay, randomizationFactor.
				bubble.Sleep(time.Second/2 + rand.N(time.Second))
				arrivals[time.Since(began)/time.Second].Add(1)
				b.Join(t, siotest.WebSocket)
			})
		}
		synctest.Wait()
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		siotest.WantEqual(t, "shutdown", a.Shutdown(ctx), nil)
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
		siotest.WantEqual(t, "clients at the other server", b.Stats().Sockets, clients)
	})
}

// The spreading leaves time for what comes after it, serves those that are not
// closed yet, and ends with the last client.
func TestShutdownSpreadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := &socketio.Options{PingInterval: time.Hour, ShutdownSpread: time.Hour}
		srv := siotest.ServeInMemory(t, opts)
		list := []*siotest.Client{srv.Join(t, siotest.WebSocket), srv.Join(t, siotest.WebSocket)}
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(ctx) }()
		bubble.Sleep(time.Second)
		for _, c := range list {
			siotest.WantEqual(t, "echo", c.Ask(`["echo",1]`), "[1]")
		}
		siotest.WantEqual(t, "shutdown", <-done, nil)
		if took := time.Since(began); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("it took %v", took)
		}

		srv = siotest.ServeInMemory(t, opts)
		c := srv.Join(t, siotest.WebSocket)
		began = time.Now()
		go func() { done <- srv.Shutdown(t.Context()) }()
		bubble.Sleep(time.Second)
		c.MemConn().Cut()
		siotest.WantEqual(t, "shutdown", <-done, nil)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v after the last client had left", took)
		}
	})
}
