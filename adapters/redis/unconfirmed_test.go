package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

func recorder(t testing.TB, addr string, h adapter.Host) adapter.LogBus {
	return streamed(t, addr, nil).Join("/", h).(adapter.LogBus)
}

// Two servers get the events that both append in one order, with the same positions.
func TestAppendedEventsComeBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	hosts := []*fakeHost{newHost("r"), newHost("r")}
	a, b := recorder(t, server.Addr(), hosts[0]), recorder(t, server.Addr(), hosts[1])
	ready(t, a, b)
	for _, h := range hosts {
		if at := next(t, h.positions); at <= 0 {
			t.Errorf("begins at %d", at)
		}
	}
	const count = 300
	for i := range count {
		for name, m := range map[string]adapter.LogBus{"a": a, "b": b} {
			if err := m.Append(event(name + strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Publish(event("published", "r")); err != nil { // a's host has delivered it
			t.Fatal(err)
		}
	}
	var orders [2][]string
	for i, h := range hosts {
		last := int64(0)
		for len(orders[i]) < 2*count {
			m := next(t, h.messages)
			if m.Position <= last {
				t.Fatalf("%d after %d", m.Position, last)
			}
			last = m.Position
			if at, ok := a.Position(b.Offset(last)); !ok || at != last {
				t.Errorf("%s is %d, %t, not %d", b.Offset(last), at, ok, last)
			}
			if nameOf(m) == "published" && i == 1 {
				continue
			}
			orders[i] = append(orders[i], nameOf(m))
		}
	}
	if !slices.Equal(orders[0], orders[1]) {
		t.Errorf("%v\n%v", orders[0], orders[1])
	}
	for _, name := range []string{"a", "b"} {
		if i, j := slices.Index(orders[0], name+"0"), slices.Index(orders[0], name+"299"); i < 0 || j < i {
			t.Errorf("%s in %v", name, orders[0])
		}
	}
}

func TestOffsets(t *testing.T) {
	t.Parallel()
	m := &streamsMember{}
	for offset, want := range map[string]int64{"1795404865481-0": 1795404865481 << 20, "0-0": 0, "1795404865481-7": 1795404865481<<20 | 7} {
		if got, ok := m.Position(offset); !ok || got != want || m.Offset(got) != offset {
			t.Errorf("%s: %d, %t", offset, got, ok)
		}
	}
	for _, offset := range []string{"", "1", "1-", "-1", "1-2-3", "a-b", "1-1048576", "8796093022208-0", "99999999999999999999-0", "vol", "1795404865481-0 ", "$"} {
		if got, ok := m.Position(offset); ok {
			t.Errorf("%q: %d", offset, got)
		}
	}
}

// A session is taken by the first server that wants it, with the events after it.
func TestSessionsAreRestored(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ha, hb := newHost("r"), newHost()
	a, b := recorder(t, server.Addr(), ha), recorder(t, server.Addr(), hb)
	ready(t, a, b)
	session := &adapter.Session{
		PID: "_lff0ZkTEftvEpBcAAAD", ID: "DTYy3sOpLiE9JAaAAAAC", Rooms: []string{"DTYy3sOpLiE9JAaAAAAC", "room1"},
		Data: []byte(`{"name":"bob","blob":{"_placeholder":true,"num":0}}`), Binary: [][]byte{{1, 2}}, State: []byte(`{"since":7}`),
	}
	if err := a.SaveSession(session, time.Minute); err != nil {
		t.Fatal(err)
	}
	got, err := a.TakeSession(t.Context(), session.PID) // although it may not be saved yet
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if got.ID != session.ID || got.PID != session.PID || !slices.Equal(got.Rooms, session.Rooms) || string(got.Data) != string(session.Data) ||
		string(got.State) != string(session.State) || string(got.Binary[0]) != "\x01\x02" {
		t.Errorf("%+v", got)
	}
	if again, err := b.TakeSession(t.Context(), session.PID); again != nil || err != nil {
		t.Error("it is taken twice", again, err)
	}
	none(t, hb.losses)

	var positions []int64
	for i := range 3 * readPage {
		if err := a.Append(event(strconv.Itoa(i), "r")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Publish(&adapter.Message{Kind: adapter.Join, Rooms: []string{"r"}, Targets: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	for range 3*readPage + 1 {
		if m := next(t, ha.messages); m.Kind == adapter.Broadcast {
			positions = append(positions, m.Position)
		}
	}
	list, err := b.ReadAfter(t.Context(), positions[0]) // b's host wants none of them
	if err != nil || len(list) != 3*readPage-1 {
		t.Fatal(len(list), err)
	}
	for i, m := range list {
		if m.Position != positions[i+1] || nameOf(*m) != strconv.Itoa(i+1) {
			t.Fatalf("%d: %+v", i, m)
		}
	}
	if list, err := b.ReadAfter(t.Context(), positions[len(positions)-1]); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	server.Do("XTRIM", DefaultStreamName, "MAXLEN", "10")
	if _, err := b.ReadAfter(t.Context(), positions[0]); !errors.Is(err, adapter.ErrEvicted) {
		t.Error(err)
	}
	server.Do("DEL", DefaultStreamName)
	if _, err := b.ReadAfter(t.Context(), positions[0]); !errors.Is(err, adapter.ErrEvicted) {
		t.Error(err)
	}
	server.Do("SET", DefaultSessionKeyPrefix+"x", "malformed")
	if s, err := b.TakeSession(t.Context(), "x"); s != nil || !errors.Is(err, errSession) {
		t.Error(s, err)
	}
}

func TestSessionsOfNode(t *testing.T) {
	t.Parallel()
	s, err := decodeSession("hKNzaWS0RFRZeTNzT3BMaUU5SkFhQUFBQUOjcGlktF9sZmYwWmtURWZ0dkVwQmNBQUFEpXJvb21zkrREVFl5M3NPcExpRTlKQWFBQUFBQ6Vyb29tMaRkYXRhgaRuYW1lo2JvYg==")
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "DTYy3sOpLiE9JAaAAAAC" || s.PID != "_lff0ZkTEftvEpBcAAAD" || !slices.Equal(s.Rooms, []string{s.ID, "room1"}) ||
		string(s.Data) != `{"name":"bob"}` || s.State != nil {
		t.Errorf("%+v", s)
	}
	for _, value := range []string{"", "!", "gA", "wcHB", "kA=="} {
		if s, err := decodeSession(value); err == nil {
			t.Errorf("%q is %+v", value, s)
		}
	}
}

// Without Redis, a server gets the events that it appends all the same, but no session
// is restored across that.
func TestAppendWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	ha, hb := newHost("r"), newHost("r")
	a, b := recorder(t, proxy.Addr(), ha), recorder(t, server.Addr(), hb)
	ready(t, a, b)
	if err := a.Append(event("before")); err != nil {
		t.Fatal(err)
	}
	before := next(t, ha.messages).Position
	next(t, hb.messages)
	proxy.Freeze()
	for i := range 10 {
		if err := a.Append(event(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		if m := next(t, ha.messages); nameOf(m) != strconv.Itoa(i) || m.Position != 0 {
			t.Errorf("%d: %+v", i, m)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := a.ReadAfter(ctx, before); !errors.Is(err, adapter.ErrEvicted) {
		t.Error(err)
	}
	proxy.Cut()
	proxy.Thaw()
	eventually(t, "the gap is known everywhere", func() bool {
		_, err := b.ReadAfter(t.Context(), before)
		return errors.Is(err, adapter.ErrEvicted) && a.(*streamsMember).unconfirmed.complete()
	})
	eventually(t, "events are appended again", func() bool {
		if err := a.Append(event("after")); err != nil {
			t.Fatal(err)
		}
		m := next(t, ha.messages)
		if m.Position == 0 {
			return false
		}
		_, err := b.ReadAfter(t.Context(), m.Position)
		return err == nil && nameOf(m) == "after"
	})
}

func FuzzSession(f *testing.F) {
	f.Add("hKNzaWShYaNwaWShYqVyb29tc5GhY6RkYXRhgKVzdGF0ZaJ7fQ==")
	f.Fuzz(func(t *testing.T, value string) {
		if s, err := decodeSession(value); (s == nil) == (err == nil) {
			t.Error(s, err)
		}
	})
}
