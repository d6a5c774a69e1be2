//go:build linux

package soak_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/memnet"
)

// Shutdown with many clients, half of which are frozen: what is queued for the
// others arrives, although they are slow, and Shutdown returns in time with
// nothing left. In a bubble, where goroutines that stay fail the test.
func TestShutdownWithHalfFrozen(t *testing.T) {
	for name, test := range map[string]struct {
		count   int
		patient time.Duration // of who shuts down
		want    error
	}{
		"with time enough": {size(10_000, 600), time.Minute, nil},
		"in a hurry":       {size(2000, 300), 1500 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { shutdownWithHalfFrozen(t, test.count, test.patient, test.want) })
		})
	}
}

func shutdownWithHalfFrozen(t *testing.T, count int, patient time.Duration, want error) {
	const (
		events       = 20
		writeTimeout = 5 * time.Second
	)
	io := socketio.NewServer(&socketio.Options{WriteTimeout: writeTimeout})
	var connected, disconnected atomic.Int64
	io.OnConnect(func(*socketio.Socket) { connected.Add(1) })
	io.OnDisconnect(func(_ *socketio.Socket, reason socketio.Reason) {
		disconnected.Add(1)
		if reason != socketio.ReasonShutdown {
			t.Errorf("OnDisconnect was told %q", reason)
		}
	})
	io.On("sync", func() {})
	l := memnet.Listen()
	hs := &http.Server{Handler: io}
	served := make(chan struct{})
	go func() {
		defer close(served)
		hs.Serve(l)
	}()
	network := newNetwork("server", func(ctx context.Context, _, _ string) (net.Conn, error) { return l.Dial(ctx) })
	got := make([]int, count)
	clients := gather(t, network, count, mixed, func(i int, text string) {
		if strings.HasPrefix(text, fmt.Sprintf(`42["numbered",%d,`, got[i])) {
			got[i]++
		}
	})
	clients.settle(t)
	frozen := func(i int) bool { return i%20 >= 10 }
	for i, c := range clients {
		conn, ok := c.conn().(*memnet.Conn)
		switch {
		case ok && frozen(i):
			conn.In().SetCapacity(100)
			conn.Freeze()
		case ok && i%3 == 0: // it takes a while, less than WriteTimeout
			conn.In().SetCapacity(2 << 10)
			conn.In().SetRate(20 << 10)
		case frozen(i):
			c.freeze()
		}
	}
	synctest.Wait()
	filler := strings.Repeat("x", 1000)
	for i := range events {
		io.Emit("numbered", i, filler)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	begin := time.Now()
	if err := io.Shutdown(ctx); !errors.Is(err, want) {
		t.Errorf("Shutdown: %v", err)
	}
	took := time.Since(begin)
	if most := min(patient, writeTimeout+time.Second); took > most {
		t.Errorf("Shutdown took %v, want at most %v", took, most)
	}
	if st := io.Stats(); st.Connections != 0 || st.Sockets != 0 || st.Rooms != 0 || st.QueuedBytes != 0 {
		t.Errorf("left after Shutdown: %+v", st)
	}
	if connected.Load() != int64(count) || disconnected.Load() != int64(count) {
		t.Errorf("OnConnect was called %d times, OnDisconnect %d times, for %d clients", connected.Load(), disconnected.Load(), count)
	}
	for i, c := range clients {
		if conn, ok := c.conn().(*memnet.Conn); ok {
			conn.Thaw()
		}
		c.thaw()
		<-c.ended
		if !frozen(i) && got[i] != events {
			t.Errorf("client %d has received %d of %d events", i, got[i], events)
		}
	}
	hs.Close()
	l.Close()
	<-served
	network.polling.CloseIdleConnections()
	conclude(t, "Shutdown with %d clients, half of them frozen, took %v of the bubble's time", count, took)
}
