package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// recording has the tests of [adapter.LogBus].
var recording = []struct {
	name string
	run  func(t *suite)
}{
	{"everybody gets what was recorded, its own too, in one order", testOneOrder},
	{"offsets are positions", testOffsets},
	{"what was recorded and what was published stay in order", testRecordAndPublish},
	{"what was recorded since", testSince},
	{"namespaces have logs of their own", testLogsApart},
	{"big messages and binary data are recorded", testBigRecords},
	{"what is recorded before the seat is ready is not lost", testEarlyRecord},
	{"nothing of a recorded message is kept", testRecordNotKept},
	{"a seat that was left records nothing", testRecordAfterLeave},
	{"a session is taken once", testSession},
	{"many want one session", testSessionRace},
	{"a session expires", testSessionExpires},
	{"a client recovers on another server", testRecovery},
	{"a client recovers while its middleware runs", testRecoveryInMiddleware},
	{"a client recovers while events flow", testRecoveryInTheFlow},
}

// recorders gives n servers a seat, each with a log.
func (t *suite) recorders(n int, rooms ...string) []*node {
	t.Helper()
	nodes := t.seats(n, rooms...)
	for _, one := range nodes {
		if _, ok := one.member.(adapter.LogBus); !ok {
			t.Fatal("the adapter does not record")
		}
	}
	return nodes
}

func (n *node) recorder() adapter.LogBus { return n.member.(adapter.LogBus) }

func (n *node) record(m *adapter.Message) {
	n.t.Helper()
	if err := n.recorder().Append(m); err != nil {
		n.t.Fatalf("Record: %v", err)
	}
}

// since returns what was recorded behind a position.
func (n *node) since(position int64) []*adapter.Message {
	n.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	list, err := n.recorder().ReadAfter(ctx, position)
	if err != nil {
		n.t.Fatalf("Since: %v", err)
	}
	return list
}

// describe is what of a recorded message everybody agrees on.
func describe(m *adapter.Message) string {
	return fmt.Sprintf("%d: %v %q %q %s %x", m.Position, m.Kind, m.Rooms, m.Except, m.Data, m.Binary)
}

func testOneOrder(t *suite) {
	nodes := t.recorders(3)
	const count = 200
	var running sync.WaitGroup
	for i, n := range nodes {
		running.Go(func() {
			for j := range count {
				if err := n.recorder().Append(event(i*count + j)); err != nil {
					t.Errorf("Record: %v", err)
				}
			}
		})
	}
	running.Wait()
	orders := make([][]string, len(nodes))
	for i, n := range nodes {
		last := make([]int, len(nodes)) // of each server
		for j := range last {
			last[j] = j*count - 1
		}
		for range len(nodes) * count {
			m := n.next()
			if m.Position == 0 {
				t.Fatalf("%s has no position", m.Data)
			}
			number, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimPrefix(m.Data, []byte(`["e",`)), []byte("]"))))
			if err != nil {
				t.Fatal(err)
			}
			if from := number / count; number != last[from]+1 || m.From != nodes[from].member.ID() {
				t.Fatalf("%s of %q came behind %d", m.Data, m.From, last[from])
			}
			last[number/count] = number
			orders[i] = append(orders[i], describe(m))
		}
		n.wantNothing()
	}
	if !slices.Equal(orders[0], orders[1]) || !slices.Equal(orders[0], orders[2]) {
		t.Error("servers disagree on the order")
	}
}

func testOffsets(t *suite) {
	nodes := t.recorders(2)
	nodes[0].record(event(0))
	position := nodes[1].next().Position
	for _, at := range []int64{position, position + 1} {
		for _, n := range nodes {
			offset := n.recorder().Offset(at)
			if got, ok := nodes[0].recorder().Position(offset); offset == "" || !ok || got != at {
				t.Errorf("the offset of %d is %q, which is of %d, %t", at, offset, got, ok)
			}
		}
	}
	for _, offset := range []string{"", " ", "nonsense!", "-1", "99999999999999999999999999", nodes[0].recorder().Offset(position) + " "} {
		if got, ok := nodes[0].recorder().Position(offset); ok {
			t.Errorf("%q is the offset of %d", offset, got)
		}
	}
}

func testRecordAndPublish(t *suite) {
	nodes := t.recorders(2, "r")
	const rounds = 50
	for i := range rounds {
		nodes[0].record(event(i))
		nodes[0].publish(&adapter.Message{Kind: adapter.Join, Rooms: []string{"r"}, Targets: []string{strconv.Itoa(i)}})
	}
	for i := range rounds {
		if got := nodes[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("got %v %s %q, want event %d", got.Kind, got.Data, got.Targets, i)
		}
		if got := nodes[1].next(); got.Kind != adapter.Join || got.Targets[0] != strconv.Itoa(i) {
			t.Fatalf("got %v %s %q, want room %d", got.Kind, got.Data, got.Targets, i)
		}
		if got := nodes[0].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("got %v %s %q, want event %d", got.Kind, got.Data, got.Targets, i)
		}
	}
}

func testSince(t *suite) {
	nodes := t.recorders(2)
	const count = 1200
	var positions []int64
	for i := range count {
		m := event(i)
		m.Rooms, m.Except = []string{"a", "b"}, []string{"c"}
		nodes[i%2].record(m)
		positions = append(positions, nodes[0].next().Position) // so that their order is known
	}
	for _, n := range nodes {
		for _, from := range []int{0, 1, count / 2, count - 2, count - 1} {
			list := n.since(positions[from])
			if len(list) != count-1-from {
				t.Fatalf("%d messages since %d, want %d", len(list), from, count-1-from)
			}
			for i, m := range list {
				want := event(from + 1 + i)
				want.Rooms, want.Except, want.Position = []string{"a", "b"}, []string{"c"}, positions[from+1+i]
				if describe(m) != describe(want) {
					t.Fatalf("got %s, want %s", describe(m), describe(want))
				}
			}
		}
	}
	late := t.join(t.newNode(t), t.namespace)
	late.ready()
	if n := len(late.since(positions[0])); n != count-1 {
		t.Errorf("who came late gets %d", n)
	}
	late.wantNothing()
}

func testLogsApart(t *suite) {
	nodes := t.recorders(2)
	other := t.join(nodes[0].cluster, t.namespace+"-other")
	other.ready()
	nodes[0].record(event(0))
	begin := nodes[1].next().Position
	for i := range 10 {
		other.record(event(i))
	}
	nodes[0].record(event(1))
	for i := range 10 {
		if got := other.next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Errorf("got %s, want event %d", got.Data, i)
		}
	}
	if got := nodes[1].next(); !bytes.Equal(got.Data, event(1).Data) {
		t.Errorf("got %s", got.Data)
	}
	if list := nodes[1].since(begin); len(list) != 1 || !bytes.Equal(list[0].Data, event(1).Data) {
		t.Errorf("%d messages since", len(list))
	}
}

func testBigRecords(t *suite) {
	nodes := t.recorders(2)
	nodes[0].record(event(0))
	begin := nodes[1].next().Position
	big := &adapter.Message{
		Kind:   adapter.Broadcast,
		Data:   fmt.Appendf(nil, `["e",%q,{"_placeholder":true,"num":0}]`, bytes.Repeat([]byte("€"), 1<<20)),
		Binary: [][]byte{bytes.Repeat([]byte{0, 1, 0xff}, 1<<20)},
	}
	want := *big
	for range 2 {
		nodes[0].record(big) // one at a time, for buses that have a bound
		for _, n := range nodes {
			for m := n.next(); ; m = n.next() {
				if bytes.Equal(m.Data, event(0).Data) {
					continue
				}
				if want.Position = m.Position; describe(m) != describe(&want) {
					t.Fatal("a big message has changed")
				}
				break
			}
		}
	}
	list := nodes[1].since(begin)
	if len(list) != 2 {
		t.Fatalf("%d messages since", len(list))
	}
	for _, m := range list {
		if want.Position = m.Position; describe(m) != describe(&want) {
			t.Fatal("a big message has changed")
		}
	}
}

func testEarlyRecord(t *suite) {
	to := t.recorders(1)[0]
	from := t.join(t.newNode(t), t.namespace)
	for i := range 10 {
		from.record(event(i))
	}
	for i := range 10 {
		for _, n := range []*node{from, to} {
			if got := n.next(); !bytes.Equal(got.Data, event(i).Data) {
				t.Fatalf("message %d is %s", i, got.Data)
			}
		}
	}
}

func testRecordNotKept(t *suite) {
	nodes := t.recorders(2)
	data, binary, rooms := []byte(`["e",0,{"_placeholder":true,"num":0}]`), []byte{0}, []string{"0"}
	const count = 10
	for i := range byte(count) {
		data[5], binary[0], rooms[0] = '0'+i, i, strconv.Itoa(int(i))
		nodes[0].record(&adapter.Message{Kind: adapter.Broadcast, Rooms: rooms, Data: data, Binary: [][]byte{binary}})
	}
	for _, n := range nodes {
		for i := range byte(count) {
			got := n.next()
			if got.Data[5] != '0'+i || got.Binary[0][0] != i || got.Rooms[0] != strconv.Itoa(int(i)) {
				t.Errorf("message %d is %s, %v, for %q", i, got.Data, got.Binary, got.Rooms)
			}
		}
	}
}

func testRecordAfterLeave(t *suite) {
	nodes := t.recorders(2)
	const count = 100
	for i := range count {
		nodes[0].record(event(i))
	}
	left := nodes[0].member.Leave()
	if err := nodes[0].recorder().Append(event(count)); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Record after Leave: %v", err)
	}
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("Leave does not end")
	}
	for i := range count {
		if got := nodes[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("message %d is %s", i, got.Data)
		}
	}
	if err := nodes[0].recorder().SaveSession(session("late"), time.Minute); err == nil {
		t.Error("Save after Leave")
	}
}

func session(pid string) *adapter.Session {
	return &adapter.Session{
		PID: pid, ID: "id of " + pid, Rooms: []string{"a", "€"},
		Data: []byte(`{"name":"x","blob":{"_placeholder":true,"num":0}}`), Binary: [][]byte{{0, 1, 0xff}}, State: []byte(`{"since":7}`),
	}
}

// take takes a session, or nil.
func (n *node) take(pid string) *adapter.Session {
	n.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	s, err := n.recorder().TakeSession(ctx, pid)
	if err != nil {
		n.t.Fatalf("Take: %v", err)
	}
	return s
}

// save saves a session.
func (n *node) save(pid string, ttl time.Duration) {
	n.t.Helper()
	if err := n.recorder().SaveSession(session(pid), ttl); err != nil {
		n.t.Fatalf("Save: %v", err)
	}
}

// unique returns a private id that nobody else uses.
func (t *suite) unique(name string) string { return t.namespace[1:] + name }

func testSession(t *suite) {
	nodes := t.recorders(2)
	for i := range 10 {
		pid := t.unique(strconv.Itoa(i))
		nodes[0].save(pid, time.Minute)
		taker, other := nodes[0], nodes[1]
		if i%2 == 1 {
			taker, other = other, taker
		}
		var got *adapter.Session
		eventually(t, func() bool { got = taker.take(pid); return got != nil || taker == nodes[0] }, "a session is saved")
		if got == nil {
			t.Fatal("a session is not there for who has saved it")
		}
		if want := session(pid); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if other.take(pid) != nil || taker.take(pid) != nil {
			t.Error("a session was taken twice")
		}
	}
	for _, pid := range []string{t.unique("nobody"), "", " ", "*", "a.b", ">", "\x00", "€", string(make([]byte, 10000))} {
		if got := nodes[0].take(pid); got != nil {
			t.Errorf("there is a session %q", pid)
		}
	}
}

func testSessionRace(t *suite) {
	nodes := t.recorders(3)
	for i := range 10 {
		pid := t.unique(strconv.Itoa(i))
		nodes[0].save(pid, time.Minute)
		nodes[0].save(pid+"-last", time.Minute)
		var taken []*adapter.Session
		var mu sync.Mutex
		var running sync.WaitGroup
		for _, n := range slices.Concat(nodes, nodes) {
			running.Go(func() {
				ctx, cancel := inTime()
				defer cancel()
				got, err := n.recorder().TakeSession(ctx, pid)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				if got != nil {
					mu.Lock()
					taken = append(taken, got)
					mu.Unlock()
				}
			})
		}
		running.Wait()
		if len(taken) != 1 {
			t.Errorf("a session was taken %d times", len(taken))
		}
	}
}

func testSessionExpires(t *suite) {
	n := t.recorders(1)[0]
	i := 0
	n.save(t.unique("0"), time.Millisecond)
	eventually(t, func() bool { // the one of a moment ago
		expired := n.take(t.unique(strconv.Itoa(i))) == nil
		i++
		n.save(t.unique(strconv.Itoa(i)), time.Millisecond)
		return expired
	}, "a session expires")
}
