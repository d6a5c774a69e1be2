package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

// publish sends events that are numbered.
func publish(t *testing.T, m adapter.Member, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := m.Publish(event(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// numbered expects these events.
func numbered(t *testing.T, h *fakeHost, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if got := nameOf(next(t, h.messages)); got != strconv.Itoa(i) {
			t.Fatalf("%s came instead of %d", got, i)
		}
	}
}

// A server that is cut off from Redis misses no entry of the stream.
func TestStreamsReadOnAfterAPartition(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	h := newHost("room")
	from := streamed(t, server.Addr(), nil).Join("/", newHost())
	to := streamed(t, proxy.Addr(), nil).Join("/", h)
	ready(t, from, to)
	publish(t, from, 0, 10)
	numbered(t, h, 0, 10)

	proxy.Freeze()
	publish(t, from, 10, 500)
	proxy.Cut()
	publish(t, from, 500, 1000)
	none(t, h.messages)
	proxy.Thaw()
	numbered(t, h, 10, 1000)
	if err := next(t, h.losses); errors.Is(err, errTrimmed) {
		t.Error(err) // messages of Pub/Sub may be lost, entries may not
	}
	none(t, h.losses)
	ready(t, to)
}

// A Redis without persistence loses the entries that no server had read. What was
// published meanwhile arrives when it is back.
func TestStreamsSurviveARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	sender, h := newHost(), newHost("room")
	from, to := streamed(t, server.Addr(), nil).Join("/", sender), streamed(t, server.Addr(), nil).Join("/", h)
	ready(t, from, to)
	publish(t, from, 0, 100)
	numbered(t, h, 0, 100)

	server.Kill()
	publish(t, from, 100, 200)
	server.Restart()
	eventually(t, "a loss of entries is reported", func() bool { return errors.Is(next(t, h.losses), errTrimmed) })
	publish(t, from, 200, 300)
	last, came := 99, 0
	for last < 299 {
		n, err := strconv.Atoi(nameOf(next(t, h.messages)))
		if err != nil || n <= last {
			t.Fatalf("%d came behind %d, %v", n, last, err)
		}
		last, came = n, came+1
	}
	sender.mu.Lock()
	defer sender.mu.Unlock()
	if came+sender.lost < 200 {
		t.Errorf("%d came, %d are counted as lost", came, sender.lost)
	}
}

// Entries that are evicted before they are read are lost, and reported.
func TestStreamsReportEvictedEntries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	o := &StreamsOptions{MaxLen: 100}
	h := newHost("room")
	from, to := streamed(t, server.Addr(), o).Join("/", newHost()), streamed(t, proxy.Addr(), o).Join("/", h)
	ready(t, from, to)
	publish(t, from, 0, 1)
	numbered(t, h, 0, 1)
	proxy.Freeze()
	proxy.Cut()
	publish(t, from, 1, 1000)
	eventually(t, "all are published", func() bool {
		return strings.Contains(server.Do("XREVRANGE", DefaultStreamName, "+", "-", "COUNT", "1"), `["999"]`)
	})
	proxy.Thaw()
	eventually(t, "a loss of entries is reported", func() bool { return errors.Is(next(t, h.losses), errTrimmed) })
	first, err := strconv.Atoi(nameOf(next(t, h.messages)))
	if err != nil || first < 500 {
		t.Errorf("%d, %v", first, err)
	}
	numbered(t, h, first+1, 1000)
}

// A slowHost blocks in Deliver until it is released.
type slowHost struct {
	*fakeHost
	once, free chan struct{}
}

func (h *slowHost) Deliver(m *adapter.Message) {
	if m.Kind == adapter.Position {
		return
	}
	select {
	case h.once <- struct{}{}:
	default:
	}
	<-h.free
	h.fakeHost.Deliver(m)
}

// A reader that is overtaken by eviction reports that too.
func TestStreamsReportAnOvertakenReader(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	o := &StreamsOptions{MaxLen: 100, ReadCount: 10}
	h := &slowHost{newHost("room"), make(chan struct{}, 1), make(chan struct{})}
	from, to := streamed(t, server.Addr(), o).Join("/", newHost()), streamed(t, server.Addr(), o).Join("/", h)
	ready(t, from, to)
	publish(t, from, 0, 2000)
	next(t, h.once)
	eventually(t, "all are published", func() bool {
		return strings.Contains(server.Do("XREVRANGE", DefaultStreamName, "+", "-", "COUNT", "1"), `["1999"]`)
	})
	close(h.free)
	for last := ""; last != "1999"; {
		last = nameOf(next(t, h.messages))
	}
	if err := next(t, h.losses); !errors.Is(err, errTrimmed) {
		t.Error(err)
	}
}

func TestStreamsAfterMalformedEntries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHost("room")
	from, to := streamed(t, server.Addr(), nil).Join("/", newHost()), streamed(t, server.Addr(), nil).Join("/", h).(*streamsMember)
	ready(t, from, to)
	const ok = `{"opts":{},"packet":{"type":2,"data":["e"]}}`
	malformed := [][]string{
		{"uid", "x", "nsp", "/"},
		{"uid", "x", "nsp", "/", "type", "three", "data", ok},
		{"uid", "x", "nsp", "/", "type", "3"},
		{"uid", "x", "nsp", "/", "type", "3", "data", ""},
		{"uid", "x", "nsp", "/", "type", "3", "data", "{"},
		{"uid", "x", "nsp", "/", "type", "3", "data", "{}"},
		{"uid", "x", "nsp", "/", "type", "3", "data", ok + "}"},
		{"uid", "x", "nsp", "/", "type", "3", "data", "not base64"},
		{"uid", "x", "nsp", "/", "type", "3", "data", "wcHB"},
		{"uid", "x", "nsp", "/", "type", "3", "data", "\x00\xff"},
		{"uid", "x", "nsp", "/", "type", "3", "data", strings.Repeat("[", 1<<20)},
	}
	for _, entry := range malformed {
		server.Do(append([]string{"XADD", DefaultStreamName, "*"}, entry...)...)
	}
	for _, channel := range []string{to.channels.main(), to.channels.of(to.uid)} {
		for _, payload := range []string{"", "{}", "\xc1", "\x84\xa4type\x03\xa4data", strings.Repeat("\x91", 1<<20)} {
			malformed = append(malformed, nil)
			server.Do("PUBLISH", channel, payload)
		}
	}
	for range malformed {
		next(t, h.malformed)
	}
	for _, entry := range [][]string{ // ignored
		{"a", "b"},
		{"uid", "x", "nsp", "/else", "type", "3", "data", "{"},
		{"uid", "x", "nsp", "/", "type", "2"},
		{"uid", "x", "nsp", "/", "type", "13", "data", "{}"},
		{"uid", to.uid, "nsp", "/", "type", "three"},
	} {
		server.Do(append([]string{"XADD", DefaultStreamName, "*"}, entry...)...)
	}
	server.Do("XADD", DefaultStreamName, "*", "type", "3", "nsp", "/", "more", "1", "data", ok, "uid", "emitter")
	if got := next(t, h.messages); got.From != adapter.ExternalSender || nameOf(got) != "e" {
		t.Errorf("%+v", got)
	}
	publish(t, from, 0, 10)
	numbered(t, h, 0, 10)
	none(t, h.malformed)
	none(t, h.losses)
}

// If the stream can't be read the member does not become ready, and says why. It still
// responds to requests.
func TestStreamsWithoutAStream(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("SET", DefaultStreamName, "not a stream")
	sender, h := newHost(), newHost("room")
	from, to := streamed(t, server.Addr(), nil).Join("/", sender), streamed(t, server.Addr(), nil).Join("/", h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range []adapter.Member{from, to} {
		eventually(t, "there is a reason", func() bool {
			err := m.Ready(ctx)
			return errors.Is(err, context.Canceled) && strings.Contains(fmt.Sprint(err), "WRONGTYPE")
		})
	}
	for _, s := range []*member{from.(*streamsMember).member, to.(*streamsMember).member} {
		eventually(t, "Pub/Sub works", func() bool {
			s.bus.mu.Lock()
			defer s.bus.mu.Unlock()
			return s.state.missing[listening] == nil && s.state.missing[echoing] == nil
		})
	}
	publish(t, from, 0, 1)
	if err := next(t, sender.losses); !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Error(err)
	}
	if err := from.Publish(&adapter.Message{Kind: adapter.Fetch, ID: "1"}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.messages); got.Kind != adapter.Fetch {
		t.Errorf("%+v", got)
	}
	server.Do("DEL", DefaultStreamName)
	ready(t, from, to)
	publish(t, from, 1, 2)
	numbered(t, h, 1, 2)
}

// A member that leaves while the stream waits stops at once.
func TestStreamsLeave(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := streamed(t, server.Addr(), &StreamsOptions{BlockTime: time.Hour})
	h, other := newHost("room"), newHost("room")
	m, n := a.Join("/", h), a.Join("/other", other)
	ready(t, m, n)
	next(t, m.Leave())
	next(t, m.Leave())
	again := a.Join("/", h)
	ready(t, again)
	from := streamed(t, server.Addr(), nil).Join("/", newHost())
	ready(t, from)
	publish(t, from, 0, 3)
	numbered(t, h, 0, 3)
	a.Close()
	if err := again.Publish(event("late")); err != adapter.ErrLeft {
		t.Error(err)
	}
	late := a.Join("/", h)
	if err := late.Ready(t.Context()); err != adapter.ErrLeft {
		t.Error(err)
	}
	next(t, late.Leave())
	none(t, h.losses)
	none(t, other.messages)
}

// Close does not wait for a blocked reader, wherever it blocks.
func TestStreamsCloseWhileReading(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := clientOf(t, server.Addr())
	for range 50 {
		a := NewStreams(client, &StreamsOptions{BlockTime: time.Hour})
		ready(t, a.Join("/", newHost()))
		closed := make(chan struct{})
		go func() {
			a.Close()
			close(closed)
		}()
		next(t, closed)
	}
}

func TestStreamKeys(t *testing.T) {
	t.Parallel()
	for namespace, hash := range map[string]int32{
		"/": 47, "/admin": 1438238848, "/chat": 46457863, "/notifications": -1014064871, "/dashboard": -1694060731,
	} {
		for _, count := range []int{2, 3, 7} {
			want := fmt.Sprintf("s-%d", hash%int32(count))
			if got := streamKey("s", count, namespace); got != want {
				t.Errorf("%s of %d: %s, want %s", namespace, count, got, want)
			}
		}
		if got := streamKey("s", 1, namespace); got != "s" {
			t.Error(got)
		}
	}
}
