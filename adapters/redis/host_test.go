package redis

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A fakeHost keeps what is reported to it, and stands for a server with sockets in
// rooms.
type fakeHost struct {
	messages  chan adapter.Message
	losses    chan error
	malformed chan error

	positions chan int64

	mu    sync.Mutex // guards the following
	rooms []string
	lost  int

	states []error // the statuses, in order
}

func newHost(rooms ...string) *fakeHost {
	return &fakeHost{
		messages: make(chan adapter.Message, 10_000), losses: make(chan error, 10_000), malformed: make(chan error, 10_000),
		positions: make(chan int64, 100_000), rooms: rooms,
	}
}

func (h *fakeHost) Deliver(m *adapter.Message) {
	kept := *m
	kept.Rooms, kept.Except, kept.Targets = slices.Clone(m.Rooms), slices.Clone(m.Except), slices.Clone(m.Targets)
	kept.Data, kept.Binary = slices.Clone(m.Data), nil
	for _, b := range m.Binary {
		kept.Binary = append(kept.Binary, slices.Clone(b))
	}
	if m.Kind == adapter.Position {
		h.positions <- m.Position
		return
	}
	h.messages <- kept
}

func (h *fakeHost) Wants(rooms ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(rooms) == 0 && len(h.rooms) > 0 ||
		slices.ContainsFunc(rooms, func(r string) bool { return slices.Contains(h.rooms, r) })
}

func (h *fakeHost) has(rooms ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rooms = rooms
}

func (h *fakeHost) Lost(n int, reason error) {
	h.mu.Lock()
	h.lost += n
	h.mu.Unlock()
	h.losses <- reason
}

// Status keeps a status.
func (h *fakeHost) Status(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, reason)
}

func (h *fakeHost) Malformed(reason error) { h.malformed <- reason }

// next waits for a value of a channel.
func next[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came within 30 seconds")
		panic("unreachable")
	}
}

// none fails if a channel has a value.
func none[T any](t testing.TB, c <-chan T) {
	t.Helper()
	select {
	case v := <-c:
		t.Errorf("unexpected: %+v", v)
	default:
	}
}

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 30 seconds: %s", what)
		}
	}
}

// ready waits for members.
func ready(t testing.TB, members ...adapter.Member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, m := range members {
		if err := m.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// event is a broadcast to rooms.
func event(name string, rooms ...string) *adapter.Message {
	return &adapter.Message{Kind: adapter.Broadcast, Rooms: rooms, Data: []byte(`["` + name + `"]`)}
}

func nameOf(m adapter.Message) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(m.Data), `["`), `"`)
	return name
}

// subscribersOf returns how many connections are subscribed to a channel.
func subscribersOf(t testing.TB, a *Adapter, channel string) int {
	t.Helper()
	b := a.bus
	if b.nodes.cluster {
		n, err := b.subscribersOf(t.Context(), channel, true)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	reply, err := b.client.Do(t.Context(), b.countCommand(channel)).ToMessage()
	if err != nil {
		t.Fatal(err)
	}
	n, err := countOf(reply)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
