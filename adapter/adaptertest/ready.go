package adaptertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A Line is the connection of one server to its bus, which a test can break.
type Line struct {
	Cluster adapter.Adapter // it is closed when the test ends
	// Cut breaks the connection of this server to the bus, and Heal restores it.
	Cut, Heal func()
	// Refuse makes the bus refuse what this server needs, and Allow ends that. They may
	// be nil.
	Refuse, Allow func()
	// Never makes the connection fail for good. It may be nil.
	Never func()
}

// RunReady tests that [adapter.Member.Ready] and [adapter.Host.Status] report the state
// of the member during faults of the bus. Each call of newLine returns the Line of one
// more server. The faults of one do not affect the others.
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

// isReady returns nil if a member is ready now.
func isReady(m adapter.Member) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	return m.Ready(ctx)
}

// joinLine makes a server a member without waiting until it is ready.
func joinLine(t *testing.T, l Line) *peer {
	n := &peer{host: newHost(t), cluster: l.Cluster}
	n.member = l.Cluster.Join(namespace(), n)
	t.Cleanup(n.leave)
	return n
}

// wantStatus waits until the last status says that the member is ready, or that it is
// not.
func (n *peer) wantStatus(ready bool) {
	n.t.Helper()
	eventually(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		last := len(n.status) - 1
		return last >= 0 && (n.status[last] == nil) == ready
	}, "the status says whether the member is ready: %t", ready)
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
		return // this bus has no such fault
	}
	n := joinLine(t, l)
	n.ready()
	n.wantStatus(true)
	for range 2 {
		begin()
		eventually(t, func() bool { return isReady(n.member) != nil }, "the member is not ready")
		n.wantStatus(false)
		if err := isReady(n.member); err == nil {
			t.Error("the member is ready, and its status says that it is not")
		}
		end()
		n.ready()
		n.wantStatus(true)
	}
}

func testRefused(t *testing.T, l Line) {
	if l.Refuse == nil {
		return // this bus has no such fault
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
		return // this bus has no such fault
	}
	n := joinLine(t, l)
	n.ready()
	l.Never()
	n.wantStatus(false)
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if err := n.member.Ready(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Ready without a bus: %v", err)
	}
}

// testReadyAtTheEnd checks Ready of a member that is leaving or has left.
func testReadyAtTheEnd(t *suite) {
	n := t.peers(1)[0]
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
