package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// contract has the tests of the contract itself. Events are what formats that
// were made by others can say: an array that begins with a name.
var contract = []struct {
	name string
	run  func(t *suite)
}{
	{"a message of every kind arrives as it was sent", testKinds},
	{"an answer goes to who asked, and to nobody else", testAnswers},
	{"order of one publisher", testOrder},
	{"order of many publishers at a time", testPublishers},
	{"nothing comes back to who sent it", testEcho},
	{"big messages", testBig},
	{"binary data", testBinary},
	{"unusual rooms", testRooms},
	{"unusual namespaces", testNamespaces},
	{"namespaces are apart", testApart},
	{"what is published before the seat is ready is not lost", testEarly},
	{"names and peers", testPeers},
	{"Ready and Peers end with their context", testContexts},
	{"Ready at the end", testReadyAtTheEnd},
	{"leaving", testLeave},
	{"coming back", testReturn},
	{"nothing of a message is kept", testNotKept},
}

// event is a broadcast without a sender.
func event(i int) *adapter.Message {
	return &adapter.Message{Kind: adapter.Broadcast, Data: fmt.Appendf(nil, `["e",%d]`, i)}
}

const questionID = "0123456789abcdef"

func testKinds(t *suite) {
	nodes := t.seats(3, "a")
	rooms, except := []string{"a", "b"}, []string{"c"}
	const timeout = 7 * time.Second
	for _, m := range []*adapter.Message{
		{Kind: adapter.Broadcast, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Rooms: []string{"a"}, Data: []byte(`["e",1,{"x":[null,true,"€"]}]`)},
		{Kind: adapter.Broadcast, Rooms: rooms, Except: except, Volatile: true, Compress: adapter.CompressAlways, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Rooms: []string{"a"}, Only: true, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Compress: adapter.CompressNever, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, ID: questionID, Rooms: rooms, Except: except, Timeout: timeout, Data: []byte(`["e","?"]`)},
		{Kind: adapter.Join, Rooms: rooms, Except: except, Targets: []string{"t", "u"}},
		{Kind: adapter.Leave, Rooms: rooms, Targets: []string{"t"}},
		{Kind: adapter.Disconnect, Rooms: rooms, Close: true},
		{Kind: adapter.Disconnect, Except: except},
		{Kind: adapter.Reconnect, Rooms: rooms, Except: except},
		{Kind: adapter.Fetch, ID: questionID, Rooms: rooms, Except: except},
		{Kind: adapter.Count, ID: questionID, Rooms: rooms},
		{Kind: adapter.Emit, Data: []byte(`["e",1]`)},
		{Kind: adapter.Emit, ID: questionID, Data: []byte(`["e","?"]`)},
	} {
		nodes[0].publish(m)
		for _, other := range nodes[1:] {
			got := other.next()
			want := *m
			if want.Kind == adapter.Count && got.Kind == adapter.Fetch {
				want.Kind = adapter.Fetch // for formats that know no other way
			}
			want.Timeout = got.Timeout // not all kinds carry it
			if m.Timeout > 0 && got.Timeout != 0 {
				want.Timeout = m.Timeout
			}
			if m.ID != "" && got.ID != "" {
				want.ID = got.ID // it may be of another shape, but it pairs
			}
			wantMessage(t, got, &want, nodes[0].member.ID())
		}
	}
	for _, n := range nodes {
		n.wantNothing()
	}
}

// wantMessage compares what was delivered with what was published by from.
func wantMessage(t testing.TB, got, want *adapter.Message, from string) {
	t.Helper()
	switch {
	case got.Kind != want.Kind, got.ID != want.ID, got.Volatile != want.Volatile, got.Only != want.Only, got.Compress != want.Compress,
		got.Timeout != want.Timeout, got.Close != want.Close, got.Count != want.Count, got.Failed != want.Failed,
		!slices.Equal(got.Rooms, want.Rooms), !slices.Equal(got.Except, want.Except), !slices.Equal(got.Targets, want.Targets),
		!bytes.Equal(got.Data, want.Data), !slices.EqualFunc(got.Binary, want.Binary, bytes.Equal):
		t.Errorf("published %+v\ndelivered %+v", *want, *got)
	}
	if got.From != from && got.From != "" {
		t.Errorf("%v is from %q, want %q", got.Kind, got.From, from)
	}
}

func testAnswers(t *suite) {
	nodes := t.seats(3)
	asker, answerer, other := nodes[0], nodes[1], nodes[2]
	asker.publish(&adapter.Message{Kind: adapter.Broadcast, ID: questionID, Timeout: time.Minute, Data: []byte(`["e"]`)})
	question := answerer.next()
	other.next()
	for _, m := range []*adapter.Message{
		{Kind: adapter.Clients, Count: 2},
		{Kind: adapter.Acked, Data: []byte(`["one"]`)},
		{Kind: adapter.Acked, Data: []byte(`[{"_placeholder":true,"num":0}]`), Binary: [][]byte{{1, 2}}},
		{Kind: adapter.Acked, Data: []byte(`[]`)},
	} {
		m.To, m.ID = question.From, question.ID
		answerer.publish(m)
		got := asker.next()
		if got.ID != questionID {
			t.Errorf("an answer to %q, want %q", got.ID, questionID)
		}
		want := *m
		want.ID = got.ID
		wantMessage(t, got, &want, answerer.member.ID())
	}
	for kind, answer := range map[adapter.Kind]*adapter.Message{
		adapter.Fetch: {Kind: adapter.Fetched, Data: []byte(`[{"id":"x","handshake":{},"rooms":["x"],"data":{}}]`)},
		adapter.Emit:  {Kind: adapter.Emitted, Data: []byte(`["yes"]`)},
	} {
		m := &adapter.Message{Kind: kind, ID: questionID}
		if kind == adapter.Emit {
			m.Data = []byte(`["e"]`)
		}
		asker.publish(m)
		question := answerer.next()
		other.next()
		answer.To, answer.ID = question.From, question.ID
		answerer.publish(answer)
		got := asker.next()
		if got.ID != questionID || got.Kind != answer.Kind || !bytes.Equal(got.Data, answer.Data) {
			t.Errorf("answered %+v, delivered %+v", *answer, *got)
		}
	}
	answerer.publish(event(1)) // behind everything else
	other.next()
	asker.next()
	for _, n := range nodes {
		n.wantNothing()
	}
}

func testOrder(t *suite) {
	nodes := t.seats(2, "room")
	const n = 500
	for i := range n {
		m := event(i)
		switch i % 4 { // not all of them take the same way
		case 1:
			m.Rooms = []string{"room"}
		case 2:
			if !slices.Contains(t.lacks, OrderOfEmits) {
				m.Kind = adapter.Emit
			}
		case 3:
			m.Kind, m.Data, m.Targets = adapter.Join, nil, []string{strconv.Itoa(i)}
		}
		nodes[0].publish(m)
	}
	for i := range n {
		got := nodes[1].next()
		want := string(event(i).Data)
		if i%4 == 3 {
			got.Data = fmt.Appendf(nil, `["e",%s]`, strings.Join(got.Targets, ","))
		}
		if string(got.Data) != want {
			t.Fatalf("message %d is %s", i, got.Data)
		}
	}
}

func testPublishers(t *suite) {
	const publishers, messages = 3, 200
	nodes := t.seats(3, "room")
	var all sync.WaitGroup
	for i, n := range nodes {
		for p := range publishers {
			all.Go(func() {
				for j := range messages {
					if err := n.member.Publish(&adapter.Message{
						Kind: adapter.Broadcast, Rooms: []string{"room"}, Data: fmt.Appendf(nil, `["%d-%d",%d]`, i, p, j),
					}); err != nil {
						t.Errorf("Publish: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	for i, n := range nodes {
		next := make(map[string]int)
		for range (len(nodes) - 1) * publishers * messages {
			m := n.next()
			name, number, _ := strings.Cut(strings.Trim(string(m.Data), "[]"), ",")
			if got, _ := strconv.Atoi(number); got != next[name] {
				t.Fatalf("server %d heard %d of %s after %d", i, got, name, next[name]-1)
			}
			next[name]++
		}
		n.wantNothing()
	}
}

func testEcho(t *suite) {
	nodes := t.seats(2, "nobody")
	for _, kind := range []adapter.Kind{adapter.Broadcast, adapter.Join, adapter.Leave, adapter.Disconnect, adapter.Emit} {
		m := &adapter.Message{Kind: kind, Rooms: []string{"nobody"}}
		switch kind {
		case adapter.Broadcast, adapter.Emit:
			m.Data = []byte(`["e"]`)
		case adapter.Join, adapter.Leave:
			m.Targets = []string{"t"}
		}
		nodes[0].publish(m)
		nodes[1].next()
	}
	nodes[1].publish(event(1)) // what came back would be before it
	if got := nodes[0].next(); string(got.Data) != `["e",1]` {
		t.Errorf("delivered %v %s", got.Kind, got.Data)
	}
	nodes[0].wantNothing()
}

func testBig(t *suite) {
	nodes := t.seats(2)
	for i, size := range []int{0, 1 << 10, 1 << 16, 2 << 20} {
		m := &adapter.Message{
			Kind:   adapter.Broadcast,
			Data:   fmt.Appendf(nil, `["e","%s",{"_placeholder":true,"num":0}]`, strings.Repeat("x", size)),
			Binary: [][]byte{bytes.Repeat([]byte{byte(i)}, size)},
		}
		nodes[0].publish(m)
		nodes[0].publish(event(i))
		if got := nodes[1].next(); !bytes.Equal(got.Data, m.Data) || len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], m.Binary[0]) {
			t.Errorf("a message of %d bytes did not arrive as it was sent", size)
		}
		if got := nodes[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Errorf("%.40s came after a message of %d bytes", got.Data, size)
		}
	}
}

func testBinary(t *suite) {
	nodes := t.seats(2)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, kind := range []adapter.Kind{adapter.Broadcast, adapter.Emit} {
		m := &adapter.Message{
			Kind:   kind,
			Data:   []byte(`["e",{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":2}]`),
			Binary: [][]byte{every, {}, {0xff, 0xfe, 0}},
		}
		nodes[0].publish(m)
		wantMessage(t, nodes[1].next(), m, nodes[0].member.ID())
	}
}

func testRooms(t *suite) {
	rooms := []string{"", " ", "#", "a#b", "*", "a.b.>", "ß€😀", "[x]?", "\x00\n", `"quoted"\`, "42", strings.Repeat("long", 1000), "/", "exactly-twenty-bytes"}
	nodes := t.seats(2, rooms...)
	for _, room := range rooms {
		m := event(1)
		m.Rooms = []string{room}
		nodes[0].publish(m)
		wantMessage(t, nodes[1].next(), m, nodes[0].member.ID())
		m.Rooms, m.Except = []string{"a", room}, []string{room}
		nodes[0].publish(m)
		wantMessage(t, nodes[1].next(), m, nodes[0].member.ID())
	}
}

func testNamespaces(t *suite) {
	a, b := t.newNode(t), t.newNode(t)
	for i, tail := range []string{"/", "/a b", "#", "/*", ".>", "/ß€😀", "[x]?", "/a/b", "/#", "%41", "/" + strings.Repeat("n", 400)} {
		from, to := t.join(a, t.namespace+tail), t.join(b, t.namespace+tail)
		from.ready()
		to.ready()
		from.wantPeers(1)
		to.hear(from, "room")
		m := event(i)
		from.publish(m)
		wantMessage(t, to.next(), m, from.member.ID())
		m.Rooms = []string{"room"}
		from.publish(m)
		wantMessage(t, to.next(), m, from.member.ID())
		to.leave()
		from.leave()
		to.wantNothing()
		from.wantNothing()
	}
}

func testApart(t *suite) {
	a, b := t.newNode(t), t.newNode(t)
	names := []string{t.namespace, t.namespace + "/", t.namespace + "/x", t.namespace + "#x#", t.namespace + ".x", t.namespace + "X"}
	var from, to []*node
	for _, name := range names {
		from, to = append(from, t.join(a, name)), append(to, t.join(b, name))
	}
	for i := range names {
		from[i].ready()
		to[i].ready()
		from[i].wantPeers(1)
		to[i].hear(from[i], "x")
	}
	for i := range names {
		for j := range 3 {
			m := event(i*10 + j)
			if j == 1 {
				m.Rooms = []string{"x"}
			}
			from[i].publish(m)
		}
	}
	for i, name := range names {
		for j := range 3 {
			if got := to[i].next(); !bytes.Equal(got.Data, event(i*10+j).Data) {
				t.Errorf("in %q: %s", name, got.Data)
			}
		}
	}
	for i := range names {
		to[i].wantNothing()
		from[i].wantNothing()
	}
}

func testEarly(t *suite) {
	to := t.seats(1)[0]
	from := t.join(t.newNode(t), t.namespace)
	for i := range 10 {
		from.publish(event(i))
	}
	for i := range 10 {
		if got := to.next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Errorf("message %d is %s", i, got.Data)
		}
	}
}

func testPeers(t *suite) {
	nodes := t.seats(3)
	ids := make(map[string]bool)
	for _, n := range nodes {
		ids[n.member.ID()] = true
	}
	if len(ids) != 3 || ids[""] {
		t.Errorf("the servers are named %v", ids)
	}
	for _, n := range nodes {
		peers := n.wantPeers(2)
		if peers.IDs == nil {
			continue
		}
		for _, id := range peers.IDs {
			if !ids[id] || id == n.member.ID() {
				t.Errorf("%q has the peers %q", n.member.ID(), peers.IDs)
			}
		}
	}
	nodes[2].leave()
	nodes[0].wantPeers(1)
	nodes[1].wantPeers(1)
	late := t.join(t.newNode(t), t.namespace)
	late.ready()
	late.wantPeers(2)
	nodes[0].wantPeers(2)
}

func testContexts(t *suite) {
	n := t.seats(1)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late := t.join(t.newNode(t), t.namespace)
	if err := late.member.Ready(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Ready: %v", err)
	}
	if _, err := n.member.Peers(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Peers: %v", err)
	}
}

func testLeave(t *suite) {
	nodes := t.seats(2)
	const n = 300
	for i := range n {
		nodes[0].publish(event(i))
	}
	left := nodes[0].member.Leave()
	if err := nodes[0].member.Publish(event(n)); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Publish after Leave: %v", err)
	}
	nodes[0].leave()
	select {
	case <-left:
	default:
		t.Error("the first Leave has not ended with the second")
	}
	for i := range n {
		if got := nodes[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("message %d is %s", i, got.Data)
		}
	}
	nodes[1].wantPeers(0)
	nodes[1].publish(event(0)) // nobody hears it
	nodes[1].leave()
	nodes[0].wantNothing()
	nodes[1].wantNothing()
}

func testReturn(t *suite) {
	nodes := t.seats(2)
	for i := range 5 {
		left := nodes[0].member.Leave()
		again := t.join(nodes[0].cluster, t.namespace) // without waiting
		<-left
		nodes[0].over.Store(true)
		again.ready()
		again.wantPeers(1)
		nodes[1].wantPeers(1)
		again.publish(event(i))
		wantMessage(t, nodes[1].next(), event(i), again.member.ID())
		nodes[1].publish(event(100 + i))
		if got := again.next(); !bytes.Equal(got.Data, event(100+i).Data) {
			t.Errorf("message %d is %s", 100+i, got.Data)
		}
		again.wantNothing()
		nodes[0] = again
	}
}

func testNotKept(t *suite) {
	nodes := t.seats(2, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	data, binary := []byte(`["e",0,{"_placeholder":true,"num":0}]`), []byte{0}
	rooms := []string{"0"}
	const n = 10
	for i := range byte(n) {
		data[5], binary[0], rooms[0] = '0'+i, i, strconv.Itoa(int(i))
		nodes[0].publish(&adapter.Message{Kind: adapter.Broadcast, Rooms: rooms, Data: data, Binary: [][]byte{binary}})
	}
	for i := range byte(n) {
		got := nodes[1].next()
		if got.Data[5] != '0'+i || got.Binary[0][0] != i || got.Rooms[0] != strconv.Itoa(int(i)) {
			t.Errorf("message %d is %s, %v, for %q", i, got.Data, got.Binary, got.Rooms)
		}
	}
}
