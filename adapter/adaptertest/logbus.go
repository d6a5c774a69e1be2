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

// logBus has the tests of [adapter.LogBus].
var logBus = []struct {
	name string
	run  func(t *suite)
}{
	{"all servers receive all entries in one order, their own too", testOneOrder},
	{"offsets are positions", testOffsets},
	{"entries and other messages keep their order", testAppendAndPublish},
	{"entries after a position", testSince},
	{"namespaces have logs of their own", testLogsApart},
	{"big messages and binary data", testBigEntries},
	{"what is appended before the member is ready is not lost", testEarlyAppend},
	{"nothing of an appended message is kept", testAppendNotKept},
	{"a member that has left appends nothing", testAppendAfterLeave},
	{"a session is taken once", testSession},
	{"many take one session", testSessionRace},
	{"a session expires", testSessionExpires},
	{"a client recovers on another server", testRecovery},
	{"a client recovers while its middleware runs", testRecoveryInMiddleware},
	{"a client recovers while events flow", testRecoveryInTheFlow},
}

// logPeers makes n servers members, each with a log.
func (t *suite) logPeers(n int, rooms ...string) []*peer {
	t.Helper()
	peers := t.peers(n, rooms...)
	for _, one := range peers {
		if _, ok := one.member.(adapter.LogBus); !ok {
			t.Fatal("the adapter has no log")
		}
	}
	return peers
}

func (n *peer) logBus() adapter.LogBus { return n.member.(adapter.LogBus) }

func (n *peer) append(m *adapter.Message) {
	n.t.Helper()
	if err := n.logBus().Append(m); err != nil {
		n.t.Fatalf("Append: %v", err)
	}
}

// readAfter returns the entries behind a position.
func (n *peer) readAfter(position int64) []*adapter.Message {
	n.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	list, err := n.logBus().ReadAfter(ctx, position)
	if err != nil {
		n.t.Fatalf("Since: %v", err)
	}
	return list
}

// describe returns what all servers receive of an entry.
func describe(m *adapter.Message) string {
	return fmt.Sprintf("%d: %v %q %q %s %x", m.Position, m.Kind, m.Rooms, m.Except, m.Data, m.Binary)
}

func testOneOrder(t *suite) {
	peers := t.logPeers(3)
	const count = 200
	var running sync.WaitGroup
	for i, n := range peers {
		running.Go(func() {
			for j := range count {
				if err := n.logBus().Append(event(i*count + j)); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	running.Wait()
	orders := make([][]string, len(peers))
	for i, n := range peers {
		last := make([]int, len(peers)) // of each server
		for j := range last {
			last[j] = j*count - 1
		}
		for range len(peers) * count {
			m := n.next()
			if m.Position == 0 {
				t.Fatalf("%s has no position", m.Data)
			}
			number, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimPrefix(m.Data, []byte(`["e",`)), []byte("]"))))
			if err != nil {
				t.Fatal(err)
			}
			if from := number / count; number != last[from]+1 || m.From != peers[from].member.ID() {
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
	peers := t.logPeers(2)
	peers[0].append(event(0))
	position := peers[1].next().Position
	for _, at := range []int64{position, position + 1} {
		for _, n := range peers {
			offset := n.logBus().Offset(at)
			if got, ok := peers[0].logBus().Position(offset); offset == "" || !ok || got != at {
				t.Errorf("the offset of %d is %q, which is of %d, %t", at, offset, got, ok)
			}
		}
	}
	for _, offset := range []string{"", " ", "malformed!", "-1", "99999999999999999999999999", peers[0].logBus().Offset(position) + " "} {
		if got, ok := peers[0].logBus().Position(offset); ok {
			t.Errorf("%q is the offset of %d", offset, got)
		}
	}
}

func testAppendAndPublish(t *suite) {
	peers := t.logPeers(2, "r")
	const rounds = 50
	for i := range rounds {
		peers[0].append(event(i))
		peers[0].publish(&adapter.Message{Kind: adapter.Join, Rooms: []string{"r"}, Targets: []string{strconv.Itoa(i)}})
	}
	for i := range rounds {
		if got := peers[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("got %v %s %q, want event %d", got.Kind, got.Data, got.Targets, i)
		}
		if got := peers[1].next(); got.Kind != adapter.Join || got.Targets[0] != strconv.Itoa(i) {
			t.Fatalf("got %v %s %q, want room %d", got.Kind, got.Data, got.Targets, i)
		}
		if got := peers[0].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("got %v %s %q, want event %d", got.Kind, got.Data, got.Targets, i)
		}
	}
}

func testSince(t *suite) {
	peers := t.logPeers(2)
	const count = 1200
	var positions []int64
	for i := range count {
		m := event(i)
		m.Rooms, m.Except = []string{"a", "b"}, []string{"c"}
		peers[i%2].append(m)
		positions = append(positions, peers[0].next().Position) // so that their order is known
	}
	for _, n := range peers {
		for _, from := range []int{0, 1, count / 2, count - 2, count - 1} {
			list := n.readAfter(positions[from])
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
	late := t.join(t.newServer(t), t.namespace)
	late.ready()
	if n := len(late.readAfter(positions[0])); n != count-1 {
		t.Errorf("who came late gets %d", n)
	}
	late.wantNothing()
}

func testLogsApart(t *suite) {
	peers := t.logPeers(2)
	other := t.join(peers[0].cluster, t.namespace+"-other")
	other.ready()
	peers[0].append(event(0))
	begin := peers[1].next().Position
	for i := range 10 {
		other.append(event(i))
	}
	peers[0].append(event(1))
	for i := range 10 {
		if got := other.next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Errorf("got %s, want event %d", got.Data, i)
		}
	}
	if got := peers[1].next(); !bytes.Equal(got.Data, event(1).Data) {
		t.Errorf("got %s", got.Data)
	}
	if list := peers[1].readAfter(begin); len(list) != 1 || !bytes.Equal(list[0].Data, event(1).Data) {
		t.Errorf("%d messages since", len(list))
	}
}

func testBigEntries(t *suite) {
	peers := t.logPeers(2)
	peers[0].append(event(0))
	begin := peers[1].next().Position
	big := &adapter.Message{
		Kind:   adapter.Broadcast,
		Data:   fmt.Appendf(nil, `["e",%q,{"_placeholder":true,"num":0}]`, bytes.Repeat([]byte("€"), 1<<20)),
		Binary: [][]byte{bytes.Repeat([]byte{0, 1, 0xff}, 1<<20)},
	}
	want := *big
	for range 2 {
		peers[0].append(big) // one at a time, for buses that have a bound
		for _, n := range peers {
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
	list := peers[1].readAfter(begin)
	if len(list) != 2 {
		t.Fatalf("%d messages since", len(list))
	}
	for _, m := range list {
		if want.Position = m.Position; describe(m) != describe(&want) {
			t.Fatal("a big message has changed")
		}
	}
}

func testEarlyAppend(t *suite) {
	to := t.logPeers(1)[0]
	from := t.join(t.newServer(t), t.namespace)
	for i := range 10 {
		from.append(event(i))
	}
	for i := range 10 {
		for _, n := range []*peer{from, to} {
			if got := n.next(); !bytes.Equal(got.Data, event(i).Data) {
				t.Fatalf("message %d is %s", i, got.Data)
			}
		}
	}
}

func testAppendNotKept(t *suite) {
	peers := t.logPeers(2)
	data, binary, rooms := []byte(`["e",0,{"_placeholder":true,"num":0}]`), []byte{0}, []string{"0"}
	const count = 10
	for i := range byte(count) {
		data[5], binary[0], rooms[0] = '0'+i, i, strconv.Itoa(int(i))
		peers[0].append(&adapter.Message{Kind: adapter.Broadcast, Rooms: rooms, Data: data, Binary: [][]byte{binary}})
	}
	for _, n := range peers {
		for i := range byte(count) {
			got := n.next()
			if got.Data[5] != '0'+i || got.Binary[0][0] != i || got.Rooms[0] != strconv.Itoa(int(i)) {
				t.Errorf("message %d is %s, %v, for %q", i, got.Data, got.Binary, got.Rooms)
			}
		}
	}
}

func testAppendAfterLeave(t *suite) {
	peers := t.logPeers(2)
	const count = 100
	for i := range count {
		peers[0].append(event(i))
	}
	left := peers[0].member.Leave()
	if err := peers[0].logBus().Append(event(count)); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Append after Leave: %v", err)
	}
	select {
	case <-left:
	case <-time.After(waitLimit):
		t.Fatal("Leave does not end")
	}
	for i := range count {
		if got := peers[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("message %d is %s", i, got.Data)
		}
	}
	if err := peers[0].logBus().SaveSession(session("late"), time.Minute); err == nil {
		t.Error("Save after Leave")
	}
}

func session(pid string) *adapter.Session {
	return &adapter.Session{
		PID: pid, ID: "id of " + pid, Rooms: []string{"a", "€"},
		Data: []byte(`{"name":"x","blob":{"_placeholder":true,"num":0}}`), Binary: [][]byte{{0, 1, 0xff}}, State: []byte(`{"since":7}`),
	}
}

// take takes a session; it returns nil if there is none.
func (n *peer) take(pid string) *adapter.Session {
	n.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	s, err := n.logBus().TakeSession(ctx, pid)
	if err != nil {
		n.t.Fatalf("Take: %v", err)
	}
	return s
}

// save saves a session.
func (n *peer) save(pid string, ttl time.Duration) {
	n.t.Helper()
	if err := n.logBus().SaveSession(session(pid), ttl); err != nil {
		n.t.Fatalf("Save: %v", err)
	}
}

// unique returns a private id that no other test uses.
func (t *suite) unique(name string) string { return t.namespace[1:] + name }

func testSession(t *suite) {
	peers := t.logPeers(2)
	for i := range 10 {
		pid := t.unique(strconv.Itoa(i))
		peers[0].save(pid, time.Minute)
		taker, other := peers[0], peers[1]
		if i%2 == 1 {
			taker, other = other, taker
		}
		var got *adapter.Session
		eventually(t, func() bool { got = taker.take(pid); return got != nil || taker == peers[0] }, "a session is saved")
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
	for _, pid := range []string{t.unique("none"), "", " ", "*", "a.b", ">", "\x00", "€", string(make([]byte, 10000))} {
		if got := peers[0].take(pid); got != nil {
			t.Errorf("there is a session %q", pid)
		}
	}
}

func testSessionRace(t *suite) {
	peers := t.logPeers(3)
	for i := range 10 {
		pid := t.unique(strconv.Itoa(i))
		peers[0].save(pid, time.Minute)
		peers[0].save(pid+"-last", time.Minute)
		var taken []*adapter.Session
		var mu sync.Mutex
		var running sync.WaitGroup
		for _, n := range slices.Concat(peers, peers) {
			running.Go(func() {
				ctx, cancel := inTime()
				defer cancel()
				got, err := n.logBus().TakeSession(ctx, pid)
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
	n := t.logPeers(1)[0]
	i := 0
	n.save(t.unique("0"), time.Millisecond)
	eventually(t, func() bool { // the session that was saved a moment ago
		expired := n.take(t.unique(strconv.Itoa(i))) == nil
		i++
		n.save(t.unique(strconv.Itoa(i)), time.Millisecond)
		return expired
	}, "a session expires")
}
