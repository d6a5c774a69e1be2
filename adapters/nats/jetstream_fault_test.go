package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/socketio-go/socketio/adapter"
)

// receiveEntry returns the next event of the log, which is not a Position.
func (m *testMember) receiveEntry() adapter.Message {
	m.t.Helper()
	for {
		if got := receive(m.t, m.got, "an event"); got.Kind != adapter.Position {
			return got
		}
	}
}

func (m *testMember) rec() *logReader { return m.Member.(*logReader) }

// hasty sets the usual timeout for appended events, and patient that of tests.
func (m *testMember) hasty()   { m.rec().jetStream.timeout.Store(int64(appendTimeout)) }
func (m *testMember) patient() { m.rec().jetStream.timeout.Store(int64(waitLimit)) }

func (m *testMember) append(i int) {
	m.t.Helper()
	if err := m.rec().Append(&adapter.Message{Kind: adapter.Broadcast, Data: fmt.Appendf(nil, `["e",%d]`, i)}); err != nil {
		m.t.Fatalf("Record: %v", err)
	}
}

// wantAppended expects numbered events, with or without positions.
func (m *testMember) wantAppended(from, to int, position bool) (last int64) {
	m.t.Helper()
	for i := from; i < to; i++ {
		got := m.receiveEntry()
		if want := fmt.Sprintf(`["e",%d]`, i); string(got.Data) != want || got.Position > 0 != position {
			m.t.Fatalf("got %s at %d, want %s", got.Data, got.Position, want)
		}
		last = got.Position
	}
	return last
}

// wantEvicted expects that no session can be resumed at a position.
func (m *testMember) wantEvicted(position int64) {
	m.t.Helper()
	eventually(m.t, func() bool {
		_, err := m.rec().ReadAfter(m.t.Context(), position)
		return errors.Is(err, adapter.ErrEvicted)
	}, "what was missed is forgotten")
}

// wantWhole waits until the log is complete again.
func (m *testMember) wantWhole() {
	m.t.Helper()
	eventually(m.t, func() bool { return m.rec().unconfirmed.complete() }, "the gap is noted")
}

// Without the bus a server gets the events that it appends all the same, and the others
// get them later. No session is restored across that.
func TestAppendWithoutTheBus(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	line := newProxy(t, b.addr())
	from, to := join(t, logTo(t, connect(t, line.addr()), nil)).ready(), join(t, b.log(t, nil)).ready()
	from.append(0)
	before := from.wantAppended(0, 1, true)
	to.wantAppended(0, 1, true)
	from.hasty()
	line.cut()
	eventually(t, func() bool { return !from.rec().a.online.Load() }, "the loss is noticed")
	for i := 1; i < 10; i++ {
		from.append(i)
	}
	from.wantAppended(1, 10, false)
	from.wantEvictedHere(before)
	session := &adapter.Session{PID: "p", ID: "i"}
	if err := from.rec().SaveSession(session, time.Minute); !errors.Is(err, errGap) {
		t.Errorf("Save: %v", err)
	}
	line.heal()
	to.wantAppended(1, 10, true)
	from.wantWhole()
	to.wantEvicted(before)
	from.wantEvicted(before)
	from.patient()
	from.append(10)
	after := from.wantAppended(10, 11, true)
	from.append(11)
	from.wantAppended(11, 12, true)
	if list, err := to.rec().ReadAfter(t.Context(), after); err != nil || len(list) != 1 || string(list[0].Data) != `["e",11]` {
		t.Errorf("%d messages, %v", len(list), err)
	}
	if err := from.rec().SaveSession(session, time.Minute); err != nil {
		t.Errorf("Save: %v", err)
	}
	if len(to.lost)+len(from.lost)+len(to.malformed)+len(from.malformed) > 0 {
		t.Error("something was counted as lost, or as malformed")
	}
}

// wantEvictedHere is wantEvicted for a server that is cut off.
func (m *testMember) wantEvictedHere(position int64) {
	m.t.Helper()
	if _, err := m.rec().ReadAfter(m.t.Context(), position); !errors.Is(err, adapter.ErrEvicted) {
		m.t.Errorf("Since: %v", err)
	}
}

// A slow bus delays events, and neither repeats nor reorders them.
func TestSlowBus(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	line := newProxy(t, b.addr())
	from, to := join(t, logTo(t, connect(t, line.addr()), nil)).ready(), join(t, b.log(t, nil)).ready()
	next := 0
	for range 3 {
		from.hasty()
		line.freeze()
		for range 5 {
			from.append(next)
			next++
		}
		from.wantAppended(next-5, next, false)
		line.thaw()
		to.wantAppended(next-5, next, true)
		from.wantWhole()
		from.patient()
		from.append(next) // and not the earlier ones again
		next++
		from.wantAppended(next-1, next, true)
		to.wantAppended(next-1, next, true)
	}
}

// The log and the sessions survive a restart of NATS, and servers continue at their
// positions.
func TestJetStreamRestarts(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	from, to := join(t, b.log(t, nil)).ready(), join(t, b.log(t, nil)).ready()
	from.append(0)
	begin := from.wantAppended(0, 1, true)
	from.append(1)
	from.wantAppended(1, 2, true)
	to.wantAppended(0, 2, true)
	if err := from.rec().SaveSession(&adapter.Session{PID: "p", ID: "i"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		from.rec().sessions.mu.Lock()
		defer from.rec().sessions.mu.Unlock()
		return len(from.rec().sessions.pending) == 0
	}, "the session is saved")
	b.stop()
	b.start()
	list := eventuallyAfter(to, begin)
	if len(list) != 1 || string(list[0].Data) != `["e",1]` {
		t.Errorf("%d messages", len(list))
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if s, err := to.rec().TakeSession(ctx, "p"); err != nil || s == nil || s.ID != "i" {
		t.Errorf("%+v, %v", s, err)
	}
	// Events that are appended when JetStream comes back may be late for the server
	// itself, but come once, in order.
	const n = 20
	for i := 2; i < n; i++ {
		from.append(i)
	}
	for _, m := range []*testMember{from, to} {
		for i := 2; i < n; i++ {
			if got := m.receiveEntry(); string(got.Data) != fmt.Sprintf(`["e",%d]`, i) {
				t.Fatalf("got %s, want event %d", got.Data, i)
			}
		}
	}
}

// eventuallyAfter is ReadAfter when the bus is back.
func eventuallyAfter(m *testMember, position int64) (list []*adapter.Message) {
	m.t.Helper()
	eventually(m.t, func() bool {
		ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
		defer cancel()
		var err error
		list, err = m.rec().ReadAfter(ctx, position)
		return err == nil
	}, "the log can be read")
	return list
}

// A restarted NATS server without storage has a new log, in which no old offset is
// valid.
func TestStreamIsRecreated(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	opts := &JetStreamOptions{Memory: true}
	from, to := join(t, b.log(t, opts)).ready(), join(t, b.log(t, opts)).ready()
	for i := range 10 {
		from.append(i)
	}
	before := to.wantAppended(0, 10, true)
	from.wantAppended(0, 10, true)
	b.stop()
	b.start()
	to.wantEvicted(before)
	if err := receive(t, to.lost, "the loss"); !errors.Is(err, errDropped) {
		t.Error(err)
	}
	from.wantEvicted(before)
	from.append(10)
	for _, m := range []*testMember{from, to} {
		got := m.receiveEntry()
		if string(got.Data) != `["e",10]` || got.Position > 0 && got.Position <= before {
			t.Errorf("got %s at %d, behind %d", got.Data, got.Position, before)
		}
	}
}

// What was purged can't be recovered; later events can.
func TestPurge(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	a := b.log(t, nil)
	m := join(t, a).ready()
	m.append(0)
	first := m.wantAppended(0, 1, true)
	m.append(1)
	second := m.wantAppended(1, 2, true)
	stream, err := a.jetStream.js.Stream(t.Context(), "socketio")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.wantEvicted(first)
	for range 2 {
		if list, err := m.rec().ReadAfter(t.Context(), second); err != nil || len(list) > 0 {
			t.Errorf("%d messages, %v", len(list), err)
		}
	}
	m.append(2)
	m.wantAppended(2, 3, true)
	m.wantEvicted(first)
	if list, err := m.rec().ReadAfter(t.Context(), second); err != nil || len(list) != 1 {
		t.Errorf("%d messages, %v", len(list), err)
	}
	for _, position := range []int64{0, second + 1000, second - 1e12} {
		m.wantEvicted(position)
	}
}

// The bounds of the stream evict the oldest events.
func TestStreamBounds(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	m := join(t, b.log(t, &JetStreamOptions{MaxMsgs: 10, Stream: "small"})).ready()
	m.append(0)
	first := m.wantAppended(0, 1, true)
	last := first
	for i := 1; i < 20; i++ {
		m.append(i)
		last = m.wantAppended(i, i+1, true)
	}
	m.wantEvicted(first)
	if list, err := m.rec().ReadAfter(t.Context(), last-10); err != nil || len(list) != 10 {
		t.Errorf("%d messages, %v", len(list), err)
	}
	m.wantEvicted(last - 11)
}

// Without JetStream, Ready fails at once. Events reach the clients of the same server.
func TestNoJetStream(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	a := b.log(t, nil)
	m := join(t, a)
	m.hasty()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	err := m.Ready(ctx)
	if ctx.Err() != nil || !errors.Is(err, jetstream.ErrJetStreamNotEnabled) || !strings.Contains(err.Error(), "recovery needs JetStream") {
		t.Errorf("Ready: %v", err)
	}
	for i := range 5 {
		m.append(i)
	}
	m.wantAppended(0, 5, false)
	if err := m.rec().SaveSession(&adapter.Session{}, time.Minute); !errors.Is(err, errGap) {
		t.Errorf("Save: %v", err)
	}
	if _, err := m.rec().TakeSession(ctx, "p"); err == nil {
		t.Error("Take: no error")
	}
	other := join(t, b.log(t, nil)) // messages outside the log are not affected
	if err := m.publishNumber(7); err != nil {
		t.Fatal(err)
	}
	wantInTouch(m, other)
	m.leave()
	if n := m.lostSoFar(); n != 5 {
		t.Errorf("%d are lost", n)
	}
}

// Events beyond MaxPending are refused. Clients then have events that are not in the
// log.
func TestAppendBacklog(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	line := newProxy(t, b.addr())
	opts := &JetStreamOptions{Options: Options{MaxPending: 10 << 10}}
	a := logTo(t, connect(t, line.addr()), opts)
	m := join(t, a).ready()
	m.append(0)
	before := m.wantAppended(0, 1, true)
	m.hasty()
	line.cut()
	eventually(t, func() bool { return !a.online.Load() }, "the loss is noticed")
	n := 0
	var err error
	for ; err == nil; n++ {
		err = m.rec().Append(&adapter.Message{Kind: adapter.Broadcast, Data: []byte(`["full"]`)})
	}
	if !errors.Is(err, adapter.ErrBacklog) || n < 10 {
		t.Errorf("after %d: %v", n, err)
	}
	for range n - 1 {
		if got := m.receiveEntry(); string(got.Data) != `["full"]` || got.Position != 0 {
			t.Fatalf("got %s at %d", got.Data, got.Position)
		}
	}
	line.heal()
	m.wantWhole()
	m.wantEvicted(before)
	m.patient()
	m.append(1)
	m.wantAppended(1, 2, true)
}

// No message that a program may put into the stream does harm.
func TestMalformedEntries(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	m := join(t, b.log(t, nil)).ready()
	m.append(0)
	begin := m.wantAppended(0, 1, true)
	conn := b.connect(t)
	event := func(number uint64) []byte {
		data, err := appendMessage(nil, "stranger", barrier{}, &adapter.Message{Kind: adapter.Broadcast, Data: []byte(`["e",1]`)})
		if err != nil {
			t.Fatal(err)
		}
		setNumber(data, number)
		return data
	}
	join, err := appendMessage(nil, "stranger", barrier{}, &adapter.Message{Kind: adapter.Join})
	if err != nil {
		t.Fatal(err)
	}
	setNumber(join, 1)
	nested := append(appendHead(nil, kindPart, flagLast, 0, "stranger"), appendHead(nil, kindPart, flagLast, 0, "stranger")...)
	for _, data := range [][]byte{{}, {0}, []byte("+OK"), event(0), join, event(1)[:20], nested, appendHead(nil, kindHello, 0, 1, "stranger")} {
		if err := conn.Publish(subject("socketio", "/", logSub), data); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, m.malformed, "malformed"); err == nil {
			t.Errorf("%q: no reason is given", data)
		}
	}
	for _, number := range []uint64{7, 7, 3, 8, 8, 10} { // a repeated entry is delivered once
		if err := conn.Publish(subject("socketio", "/", logSub), event(number)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if got := m.receiveEntry(); string(got.Data) != `["e",1]` || got.From != "stranger" || got.Seq != 0 {
			t.Errorf("got %+v", got)
		}
	}
	if err := receive(t, m.lost, "the loss"); !errors.Is(err, errSkipped) || m.lostSoFar() != 1 {
		t.Errorf("%d, %v", m.lostSoFar(), err)
	}
	m.wantEvicted(begin)
}

// No value that a program may put into the bucket does harm.
func TestMalformedSessions(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	a := b.log(t, nil)
	m := join(t, a).ready()
	kv, err := a.jetStream.js.KeyValue(t.Context(), "socketio_sessions")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]error{"": errSession, "malformed": errSession, "[]": errSession, "{}": nil, `{"PID":"else","Expires":"2999-01-01T00:00:00Z"}`: nil} {
		if _, err := kv.Put(t.Context(), sessionKey("p"), []byte(value)); err != nil {
			t.Fatal(err)
		}
		if s, err := m.rec().TakeSession(t.Context(), "p"); s != nil || !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v", value, s, err)
		}
	}
	big := &adapter.Session{PID: "p", Data: make([]byte, 2<<20)}
	if err := m.rec().SaveSession(big, time.Minute); err == nil {
		t.Error("a session that NATS can't take is saved")
	}
}

func TestContradictoryJetStreamOptions(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	conn := b.connect(t)
	for _, opts := range []*JetStreamOptions{{Stream: "a.b"}, {MaxAge: time.Millisecond}, {MaxBytes: -1}, {MaxMsgs: -2}, {Replicas: -1}, {Options: Options{Prefix: "*"}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", opts)
				}
			}()
			NewJetStream(conn, opts)
		}()
	}
}
