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

// contract has the tests of the contract itself. Their events are arrays that begin with
// a name, so that formats of other implementations can carry them.
var contract = []struct {
	name string
	run  func(t *suite)
}{
	{"a message of every kind arrives as it was sent", testKinds},
	{"a response goes only to the server that sent the request", testAnswers},
	{"order of one publisher", testOrder},
	{"order of many publishers at a time", testPublishers},
	{"a message is not delivered to its sender", testEcho},
	{"big messages", testBig},
	{"binary data", testBinary},
	{"unusual rooms", testRooms},
	{"unusual namespaces", testNamespaces},
	{"namespaces are separate", testApart},
	{"what is published before the member is ready is not lost", testEarly},
	{"names and peers", testPeers},
	{"Ready and Peers end with their context", testContexts},
	{"Ready at the end", testReadyAtTheEnd},
	{"leaving", testLeave},
	{"joining again", testReturn},
	{"nothing of a message is kept", testNotKept},
}

// event is a broadcast without a sender.
func event(i int) *adapter.Message {
	return &adapter.Message{Kind: adapter.Broadcast, Data: fmt.Appendf(nil, `["e",%d]`, i)}
}

const requestID = "0123456789abcdef"

func testKinds(t *suite) {
	peers := t.peers(3, "a")
	rooms, except := []string{"a", "b"}, []string{"c"}
	const timeout = 7 * time.Second
	for _, m := range []*adapter.Message{
		{Kind: adapter.Broadcast, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Rooms: []string{"a"}, Data: []byte(`["e",1,{"x":[null,true,"€"]}]`)},
		{Kind: adapter.Broadcast, Rooms: rooms, Except: except, Volatile: true, Compress: adapter.CompressAlways, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Rooms: []string{"a"}, Only: true, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, Compress: adapter.CompressNever, Data: []byte(`["e"]`)},
		{Kind: adapter.Broadcast, ID: requestID, Rooms: rooms, Except: except, Timeout: timeout, Data: []byte(`["e","?"]`)},
		{Kind: adapter.Join, Rooms: rooms, Except: except, Targets: []string{"t", "u"}},
		{Kind: adapter.Leave, Rooms: rooms, Targets: []string{"t"}},
		{Kind: adapter.Disconnect, Rooms: rooms, Close: true},
		{Kind: adapter.Disconnect, Except: except},
		{Kind: adapter.Reconnect, Rooms: rooms, Except: except},
		{Kind: adapter.Fetch, ID: requestID, Rooms: rooms, Except: except},
		{Kind: adapter.Count, ID: requestID, Rooms: rooms},
		{Kind: adapter.Emit, Data: []byte(`["e",1]`)},
		{Kind: adapter.Emit, ID: requestID, Data: []byte(`["e","?"]`)},
	} {
		peers[0].publish(m)
		for _, other := range peers[1:] {
			got := other.next()
			want := *m
			if want.Kind == adapter.Count && got.Kind == adapter.Fetch {
				want.Kind = adapter.Fetch // for formats that have no message for a count
			}
			want.Timeout = got.Timeout // not all kinds carry it
			if m.Timeout > 0 && got.Timeout != 0 {
				want.Timeout = m.Timeout
			}
			if m.ID != "" && got.ID != "" {
				want.ID = got.ID // it may have another form
			}
			wantMessage(t, got, &want, peers[0].member.ID())
		}
	}
	for _, n := range peers {
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
	peers := t.peers(3)
	asker, responder, other := peers[0], peers[1], peers[2]
	asker.publish(&adapter.Message{Kind: adapter.Broadcast, ID: requestID, Timeout: time.Minute, Data: []byte(`["e"]`)})
	request := responder.next()
	other.next()
	for _, m := range []*adapter.Message{
		{Kind: adapter.Clients, Count: 2},
		{Kind: adapter.Acked, Data: []byte(`["one"]`)},
		{Kind: adapter.Acked, Data: []byte(`[{"_placeholder":true,"num":0}]`), Binary: [][]byte{{1, 2}}},
		{Kind: adapter.Acked, Data: []byte(`[]`)},
	} {
		m.To, m.ID = request.From, request.ID
		responder.publish(m)
		got := asker.next()
		if got.ID != requestID {
			t.Errorf("a response to %q, want %q", got.ID, requestID)
		}
		want := *m
		want.ID = got.ID
		wantMessage(t, got, &want, responder.member.ID())
	}
	for kind, response := range map[adapter.Kind]*adapter.Message{
		adapter.Fetch: {Kind: adapter.Fetched, Data: []byte(`[{"id":"x","handshake":{},"rooms":["x"],"data":{}}]`)},
		adapter.Emit:  {Kind: adapter.Emitted, Data: []byte(`["yes"]`)},
	} {
		m := &adapter.Message{Kind: kind, ID: requestID}
		if kind == adapter.Emit {
			m.Data = []byte(`["e"]`)
		}
		asker.publish(m)
		request := responder.next()
		other.next()
		response.To, response.ID = request.From, request.ID
		responder.publish(response)
		got := asker.next()
		if got.ID != requestID || got.Kind != response.Kind || !bytes.Equal(got.Data, response.Data) {
			t.Errorf("acked %+v, delivered %+v", *response, *got)
		}
	}
	responder.publish(event(1)) // behind all other messages
	other.next()
	asker.next()
	for _, n := range peers {
		n.wantNothing()
	}
}

func testOrder(t *suite) {
	peers := t.peers(2, "room")
	const n = 500
	for i := range n {
		m := event(i)
		switch i % 4 { // not all kinds take the same way
		case 1:
			m.Rooms = []string{"room"}
		case 2:
			if !slices.Contains(t.lacks, OrderOfEmits) {
				m.Kind = adapter.Emit
			}
		case 3:
			m.Kind, m.Data, m.Targets = adapter.Join, nil, []string{strconv.Itoa(i)}
		}
		peers[0].publish(m)
	}
	for i := range n {
		got := peers[1].next()
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
	peers := t.peers(3, "room")
	var all sync.WaitGroup
	for i, n := range peers {
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
	for i, n := range peers {
		next := make(map[string]int)
		for range (len(peers) - 1) * publishers * messages {
			m := n.next()
			name, number, _ := strings.Cut(strings.Trim(string(m.Data), "[]"), ",")
			if got, _ := strconv.Atoi(number); got != next[name] {
				t.Fatalf("server %d received %d of %s after %d", i, got, name, next[name]-1)
			}
			next[name]++
		}
		n.wantNothing()
	}
}

func testEcho(t *suite) {
	peers := t.peers(2, "empty")
	for _, kind := range []adapter.Kind{adapter.Broadcast, adapter.Join, adapter.Leave, adapter.Disconnect, adapter.Emit} {
		m := &adapter.Message{Kind: kind, Rooms: []string{"empty"}}
		switch kind {
		case adapter.Broadcast, adapter.Emit:
			m.Data = []byte(`["e"]`)
		case adapter.Join, adapter.Leave:
			m.Targets = []string{"t"}
		}
		peers[0].publish(m)
		peers[1].next()
	}
	peers[1].publish(event(1)) // an echo would arrive before it
	if got := peers[0].next(); string(got.Data) != `["e",1]` {
		t.Errorf("delivered %v %s", got.Kind, got.Data)
	}
	peers[0].wantNothing()
}

func testBig(t *suite) {
	peers := t.peers(2)
	for i, size := range []int{0, 1 << 10, 1 << 16, 2 << 20} {
		m := &adapter.Message{
			Kind:   adapter.Broadcast,
			Data:   fmt.Appendf(nil, `["e","%s",{"_placeholder":true,"num":0}]`, strings.Repeat("x", size)),
			Binary: [][]byte{bytes.Repeat([]byte{byte(i)}, size)},
		}
		peers[0].publish(m)
		peers[0].publish(event(i))
		if got := peers[1].next(); !bytes.Equal(got.Data, m.Data) || len(got.Binary) != 1 || !bytes.Equal(got.Binary[0], m.Binary[0]) {
			t.Errorf("a message of %d bytes did not arrive as it was sent", size)
		}
		if got := peers[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Errorf("%.40s came after a message of %d bytes", got.Data, size)
		}
	}
}

func testBinary(t *suite) {
	peers := t.peers(2)
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
		peers[0].publish(m)
		wantMessage(t, peers[1].next(), m, peers[0].member.ID())
	}
}

func testRooms(t *suite) {
	rooms := []string{"", " ", "#", "a#b", "*", "a.b.>", "ß€😀", "[x]?", "\x00\n", `"quoted"\`, "42", strings.Repeat("long", 1000), "/", "exactly-twenty-bytes"}
	peers := t.peers(2, rooms...)
	for _, room := range rooms {
		m := event(1)
		m.Rooms = []string{room}
		peers[0].publish(m)
		wantMessage(t, peers[1].next(), m, peers[0].member.ID())
		m.Rooms, m.Except = []string{"a", room}, []string{room}
		peers[0].publish(m)
		wantMessage(t, peers[1].next(), m, peers[0].member.ID())
	}
}

func testNamespaces(t *suite) {
	a, b := t.newServer(t), t.newServer(t)
	for i, tail := range []string{"/", "/a b", "#", "/*", ".>", "/ß€😀", "[x]?", "/a/b", "/#", "%41", "/" + strings.Repeat("n", 400)} {
		from, to := t.join(a, t.namespace+tail), t.join(b, t.namespace+tail)
		from.ready()
		to.ready()
		from.wantPeers(1)
		to.receiveRooms(from, "room")
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
	a, b := t.newServer(t), t.newServer(t)
	names := []string{t.namespace, t.namespace + "/", t.namespace + "/x", t.namespace + "#x#", t.namespace + ".x", t.namespace + "X"}
	var from, to []*peer
	for _, name := range names {
		from, to = append(from, t.join(a, name)), append(to, t.join(b, name))
	}
	for i := range names {
		from[i].ready()
		to[i].ready()
		from[i].wantPeers(1)
		to[i].receiveRooms(from[i], "x")
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
	to := t.peers(1)[0]
	from := t.join(t.newServer(t), t.namespace)
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
	peers := t.peers(3)
	ids := make(map[string]bool)
	for _, n := range peers {
		ids[n.member.ID()] = true
	}
	if len(ids) != 3 || ids[""] {
		t.Errorf("the servers are named %v", ids)
	}
	for _, n := range peers {
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
	peers[2].leave()
	peers[0].wantPeers(1)
	peers[1].wantPeers(1)
	late := t.join(t.newServer(t), t.namespace)
	late.ready()
	late.wantPeers(2)
	peers[0].wantPeers(2)
}

func testContexts(t *suite) {
	n := t.peers(1)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late := t.join(t.newServer(t), t.namespace)
	if err := late.member.Ready(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Ready: %v", err)
	}
	if _, err := n.member.Peers(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Peers: %v", err)
	}
}

func testLeave(t *suite) {
	peers := t.peers(2)
	const n = 300
	for i := range n {
		peers[0].publish(event(i))
	}
	left := peers[0].member.Leave()
	if err := peers[0].member.Publish(event(n)); !errors.Is(err, adapter.ErrLeft) {
		t.Errorf("Publish after Leave: %v", err)
	}
	peers[0].leave()
	select {
	case <-left:
	default:
		t.Error("the first Leave has not ended with the second")
	}
	for i := range n {
		if got := peers[1].next(); !bytes.Equal(got.Data, event(i).Data) {
			t.Fatalf("message %d is %s", i, got.Data)
		}
	}
	peers[1].wantPeers(0)
	peers[1].publish(event(0)) // no server receives it
	peers[1].leave()
	peers[0].wantNothing()
	peers[1].wantNothing()
}

func testReturn(t *suite) {
	peers := t.peers(2)
	for i := range 5 {
		left := peers[0].member.Leave()
		again := t.join(peers[0].cluster, t.namespace) // without waiting
		<-left
		peers[0].left.Store(true)
		again.ready()
		again.wantPeers(1)
		peers[1].wantPeers(1)
		again.publish(event(i))
		wantMessage(t, peers[1].next(), event(i), again.member.ID())
		peers[1].publish(event(100 + i))
		if got := again.next(); !bytes.Equal(got.Data, event(100+i).Data) {
			t.Errorf("message %d is %s", 100+i, got.Data)
		}
		again.wantNothing()
		peers[0] = again
	}
}

func testNotKept(t *suite) {
	peers := t.peers(2, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	data, binary := []byte(`["e",0,{"_placeholder":true,"num":0}]`), []byte{0}
	rooms := []string{"0"}
	const n = 10
	for i := range byte(n) {
		data[5], binary[0], rooms[0] = '0'+i, i, strconv.Itoa(int(i))
		peers[0].publish(&adapter.Message{Kind: adapter.Broadcast, Rooms: rooms, Data: data, Binary: [][]byte{binary}})
	}
	for i := range byte(n) {
		got := peers[1].next()
		if got.Data[5] != '0'+i || got.Binary[0][0] != i || got.Rooms[0] != strconv.Itoa(int(i)) {
			t.Errorf("message %d is %s, %v, for %q", i, got.Data, got.Binary, got.Rooms)
		}
	}
}
