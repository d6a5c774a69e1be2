package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A Line is the way from one server to its bus, which a test can break.
type Line struct {
	Cluster adapter.Adapter // is closed when the test ends
	// Cut takes the bus away from this server, and Heal gives it back.
	Cut, Heal func()
	// Refuse makes the bus refuse what this server needs, and Allow ends that. They
	// may be nil.
	Refuse, Allow func()
	// Never makes the bus be gone for good. It may be nil.
	Never func()
}

// RunReady tests that [adapter.Member.Ready] and [adapter.Host.Status] say what the
// member is like, whatever happens to the bus. Each call of newLine returns the line of
// one more server; faults of one do not concern the others.
func RunReady(t *testing.T, newLine func(t testing.TB) Line) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, l Line)
	}{
		{"before the bus is there", testBefore},
		{"while the bus is away", func(t *testing.T, l Line) { testOutage(t, l, l.Cut, l.Heal) }},
		{"while the bus refuses", func(t *testing.T, l Line) { testOutage(t, l, l.Refuse, l.Allow) }},
		{"refused from the start", testRefused},
		{"when the bus is gone for good", testNever},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newLine(t))
		})
	}
}

// isReady asks whether a member is ready now.
func isReady(m adapter.Member) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	return m.Ready(ctx)
}

// joinLine takes a place for a server that does not have to be ready.
func joinLine(t *testing.T, l Line) *node {
	n := &node{host: newHost(t), cluster: l.Cluster}
	n.member = l.Cluster.Join(namespace(), n)
	t.Cleanup(n.leave)
	return n
}

// wantStatus waits until the host was told last that the member is ready or not.
func (n *node) wantStatus(ready bool) {
	n.t.Helper()
	eventually(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		last := len(n.status) - 1
		return last >= 0 && (n.status[last] == nil) == ready
	}, "the host is told whether the member is ready: %t", ready)
}

func testBefore(t *testing.T, l Line) {
	l.Cut()
	n := joinLine(t, l)
	if err := isReady(n.member); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ready without the bus: %v", err)
	}
	l.Heal()
	n.ready()
	n.wantStatus(true)
}

func testOutage(t *testing.T, l Line, begin, end func()) {
	if begin == nil {
		return // it can't happen to this bus
	}
	n := joinLine(t, l)
	n.ready()
	n.wantStatus(true)
	for range 2 {
		begin()
		eventually(t, func() bool { return isReady(n.member) != nil }, "the member is not ready")
		n.wantStatus(false)
		if err := isReady(n.member); err == nil {
			t.Error("the member is ready, and the host has been told that it is not")
		}
		end()
		n.ready()
		n.wantStatus(true)
	}
}

func testRefused(t *testing.T, l Line) {
	if l.Refuse == nil {
		return // it can't happen to this bus
	}
	l.Refuse()
	n := joinLine(t, l)
	n.wantStatus(false)
	if err := isReady(n.member); err == nil {
		t.Error("the member is ready though it is refused")
	}
	l.Allow()
	n.ready()
	n.wantStatus(true)
}

func testNever(t *testing.T, l Line) {
	if l.Never == nil {
		return // it can't happen to this bus
	}
	n := joinLine(t, l)
	n.ready()
	l.Never()
	n.wantStatus(false)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.member.Ready(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Ready without a bus: %v", err)
	}
}

// testReadyAtTheEnd checks Ready of a member that leaves or has left.
func testReadyAtTheEnd(t *suite) {
	n := t.seats(1)[0]
	n.wantStatus(true)
	if err := n.member.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
	for range 100 {
		n.publish(event(1))
	}
	left := n.member.Leave()
	for range 100 {
		if err := n.member.Ready(t.Context()); !errors.Is(err, adapter.ErrLeft) {
			t.Fatalf("Ready of a member that leaves: %v", err)
		}
	}
	<-left
	if err := n.member.Ready(t.Context()); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Ready of a member that has left: %v", err)
	}
}
