package tests_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/socketio-go/socketio"
)

// An audience is a room of loopbacks, one of which publishes. Each is read by
// a goroutine of its own.
type audience struct {
	members []*loopback
	event   []byte // what the publisher sends
	len     int    // of what every member gets for it
	left    atomic.Int64
	empty   chan struct{} // receives when left has fallen to zero
}

func startAudience(tb testing.TB, size int) *audience {
	tb.Helper()
	text := strings.Repeat("abcdefgh", 8)
	server := socketio.NewServer(nil)
	server.OnConnect(func(s *socketio.Socket) { _ = s.Join("room") })
	server.On("say", func(_ *socketio.Socket, text string) { _ = server.To("room").Emit("say", text) })
	addr := startLoopback(tb, server)
	a := &audience{
		event: maskedText(`42["say","` + text + `"]`),
		len:   frameLen(len(`42["say",""]`) + len(text)),
		empty: make(chan struct{}, 1),
	}
	for range size {
		a.members = append(a.members, dialLoopback(tb, addr))
	}
	for _, m := range a.members {
		// Ends when the connection is closed, which dialLoopback sees to.
		go func() {
			for {
				n, err := m.conn.Read(m.buf)
				if err != nil {
					return
				}
				if a.left.Add(-int64(n)) == 0 {
					a.empty <- struct{}{}
				}
			}
		}()
	}
	return a
}

// publish has n events published at once, and waits until everybody has them.
func (a *audience) publish(tb testing.TB, events []byte) {
	n := len(events) / len(a.event)
	a.left.Store(int64(n * a.len * len(a.members)))
	a.members[0].write(tb, events)
	<-a.empty
}

// BenchmarkBroadcast publishes to a room, four events at a time. An operation
// is one delivery.
func BenchmarkBroadcast(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("to %d", size), func(b *testing.B) {
			a := startAudience(b, size)
			events := bytes.Repeat(a.event, 4)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += 4 * size {
				a.publish(b, events)
			}
		})
	}
}

// A broadcast is encoded once: what every further receiver costs in
// allocations is next to nothing.
func TestBroadcastAllocations(t *testing.T) {
	const (
		most   = 0.05
		size   = 1000
		rounds = 10
	)
	a := startAudience(t, size)
	events := bytes.Repeat(a.event, 4)
	got := allocations(t, rounds*4*size, func() {
		for range rounds {
			a.publish(t, events)
		}
	})
	t.Logf("%.4f allocations per delivery", got)
	if got > most*poolLoss {
		t.Errorf("%.4f allocations per delivery, want at most %v", got, most)
	}
}
