package redis

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

const socketID = "47nRARv-9IIwwTcQAAAB"

func TestShardedChannels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		mode SubscriptionMode
		m    adapter.Message
		want string
	}{
		{"all", Dynamic, adapter.Message{Kind: adapter.Broadcast}, "socket.io#/chat#"},
		{"a room", Dynamic, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}}, "socket.io#/chat#r#"},
		{"a room with # in its name", Dynamic, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"#r#"}}, "socket.io#/chat##r##"},
		{"a room with an exception", Dynamic, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}, Except: []string{"s"}}, "socket.io#/chat#r#"},
		{"two rooms", Dynamic, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r", "s"}}, "socket.io#/chat#"},
		{"a socket", Dynamic, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{socketID}}, "socket.io#/chat#"},
		{"a room, with acks", Dynamic, adapter.Message{Kind: adapter.Broadcast, ID: "1", Rooms: []string{"r"}}, "socket.io#/chat#"},
		{"a room, to join another", Dynamic, adapter.Message{Kind: adapter.Join, Rooms: []string{"r"}}, "socket.io#/chat#"},
		{"a room, static", Static, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}}, "socket.io#/chat#"},
		{"a room, private too", DynamicPrivate, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}}, "socket.io#/chat#r#"},
		{"a socket, private too", DynamicPrivate, adapter.Message{Kind: adapter.Broadcast, Rooms: []string{socketID}}, "socket.io#/chat#" + socketID + "#"},
	} {
		if got := channelsOf(DefaultPrefix, "/chat").forRequest(&test.m, test.mode); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestUnknownSubscriptionModePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "must be Dynamic") {
			t.Error(r)
		}
	}()
	NewSharded(nil, &ShardedOptions{SubscriptionMode: "all"})
}

// Every kind of message reaches exactly the other servers; a response reaches only its
// server.
func testEveryKind(t *testing.T, join func(adapter.Host) adapter.Member) {
	hosts := []*fakeHost{newHost("r"), newHost("r"), newHost("r")}
	var members []adapter.Member
	for _, h := range hosts {
		members = append(members, join(h))
	}
	ready(t, members...)
	for i, m := range members {
		listenToRooms(t, m, hosts[i])
	}
	text, binary := []byte(`["e",1,{"a":[null]}]`), []byte(`["e",{"_placeholder":true,"num":0}]`)
	first := []byte(`[{"_placeholder":true,"num":0}]`)
	blob := [][]byte{{0, 1, 2, 255}}
	for _, m := range []adapter.Message{
		{Kind: adapter.Broadcast, Data: text},
		{Kind: adapter.Broadcast, Data: binary, Binary: blob, Rooms: []string{"r"}, Except: []string{"s"}, Volatile: true},
		{Kind: adapter.Broadcast, Data: text, ID: "1", Rooms: []string{"empty"}, Timeout: time.Second, Compress: adapter.CompressNever},
		{Kind: adapter.Broadcast, Data: binary, Binary: blob, ID: "2", Compress: adapter.CompressAlways},
		{Kind: adapter.Join, Rooms: []string{"r"}, Targets: []string{"s", "t"}},
		{Kind: adapter.Leave, Except: []string{"r"}, Targets: []string{"s"}},
		{Kind: adapter.Disconnect, Rooms: []string{"r", "s"}},
		{Kind: adapter.Disconnect, Close: true},
		{Kind: adapter.Fetch, ID: "3", Rooms: []string{"r"}},
		{Kind: adapter.Emit, Data: text},
		{Kind: adapter.Emit, Data: binary, Binary: blob, ID: "4"},
	} {
		if err := members[0].Publish(&m); err != nil {
			t.Fatal(err)
		}
		m.From = members[0].ID()
		for _, h := range hosts[1:] {
			got := next(t, h.messages)
			sameMessage(t, &got, &m)
		}
	}
	if err := members[0].Publish(&adapter.Message{Kind: adapter.Count, ID: "5"}); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts[1:] {
		if got := next(t, h.messages); got.Kind != adapter.Fetch || got.ID != "5" {
			t.Errorf("%+v", got)
		}
	}
	for _, m := range []adapter.Message{
		{Kind: adapter.Clients, ID: "1", Count: 3},
		{Kind: adapter.Clients, ID: "1"},
		{Kind: adapter.Acked, ID: "1", Data: []byte(`["yes"]`)},
		{Kind: adapter.Acked, ID: "1", Data: []byte(`[]`)},
		{Kind: adapter.Acked, ID: "1", Data: first, Binary: blob},
		{Kind: adapter.Fetched, ID: "3", Data: []byte(`[{"id":"x"}]`)},
		{Kind: adapter.Fetched, ID: "3", Data: []byte(`[]`)},
		{Kind: adapter.Emitted, ID: "4", Data: []byte(`[{"a":1}]`)},
		{Kind: adapter.Emitted, ID: "4", Data: first, Binary: blob},
	} {
		m.To = members[0].ID()
		if err := members[1].Publish(&m); err != nil {
			t.Fatal(err)
		}
		m.From, m.To = members[1].ID(), ""
		got := next(t, hosts[0].messages)
		sameMessage(t, &got, &m)
	}
	for name, m := range map[string]adapter.Message{
		"a response without a receiver": {Kind: adapter.Clients, ID: "1"},
		"no message":                    {},
		"invalid JSON":                  {Kind: adapter.Broadcast, Data: []byte(`[`), Binary: blob},
	} {
		if err := members[0].Publish(&m); err == nil {
			t.Errorf("%s is sent", name)
		}
	}
	if err := members[0].Publish(&adapter.Message{Kind: adapter.Acked, ID: "1", To: members[1].ID(), Failed: true}); err != nil {
		t.Error(err)
	}

	// The last message: all others have arrived before it.
	for i, m := range members {
		if peers, err := m.Peers(t.Context()); err != nil || peers.Count != len(members)-1 {
			t.Errorf("peers: %+v, %v", peers, err)
		}
		if err := m.Publish(&adapter.Message{Kind: adapter.Emit, Data: []byte(`["end"]`)}); err != nil {
			t.Fatal(err)
		}
		for j, h := range hosts {
			if j == i {
				continue
			}
			if got := next(t, h.messages); nameOf(got) != "end" {
				t.Errorf("server %d: %+v", j, got)
			}
		}
	}
	for i, m := range members {
		next(t, m.Leave())
		if err := m.Publish(event("late")); err != adapter.ErrLeft {
			t.Error(err)
		}
		none(t, hosts[i].messages)
		none(t, hosts[i].losses)
		none(t, hosts[i].malformed)
	}
}

// listenToRooms makes a member subscribe to the rooms of its host, if it is a
// RoomWatcher.
func listenToRooms(t *testing.T, member adapter.Member, h *fakeHost) {
	m, ok := member.(*shardedMember)
	if !ok {
		return
	}
	for _, room := range h.rooms {
		before := subscribed(t, m, room)
		m.RoomChanged(room)
		if m.mode.has(room) {
			eventually(t, "a room is received", func() bool { return subscribed(t, m, room) == before+1 })
		} else if before > 0 {
			t.Errorf("a server listens for %q", room)
		}
	}
}

// subscribed returns how many servers are subscribed to a room.
func subscribed(t *testing.T, m *shardedMember, room string) int {
	return subscribersOf(t, &Adapter{bus: m.bus}, m.channels.of(room))
}

// orderKinds take different ways.
var orderKinds = []adapter.Message{
	{Kind: adapter.Broadcast},
	{Kind: adapter.Broadcast, Rooms: []string{"a"}},
	{Kind: adapter.Broadcast, Rooms: []string{"b"}},
	{Kind: adapter.Broadcast, Rooms: []string{"a", "b"}},
	{Kind: adapter.Broadcast, Rooms: []string{socketID}},
	{Kind: adapter.Broadcast, Rooms: []string{"a"}, ID: "1"},
	{Kind: adapter.Emit},
}

// What one server publishes keeps its order, whichever way it takes. If overtaken is
// set, requests overtake nothing, but may be overtaken.
func testOrder(t *testing.T, overtaken bool, join func(adapter.Host) adapter.Member) {
	h := newHost("a", "b", socketID)
	from, to := join(newHost()), join(h)
	ready(t, from, to)
	listenToRooms(t, to, h)

	const count = 3000
	var published, requests []int // in the order in which they must arrive
	for i := range count {
		m := orderKinds[rand.N(len(orderKinds))]
		m.Data = fmt.Appendf(nil, `["%d"]`, i)
		if err := from.Publish(&m); err != nil {
			t.Fatal(err)
		}
		if overtaken && !durable(&m) {
			requests = append(requests, i)
		} else {
			published = append(published, i)
		}
	}
	for range count {
		got := next(t, h.messages)
		expected := &published
		if overtaken && !durable(&got) {
			expected = &requests
		}
		name := nameOf(got)
		if len(*expected) == 0 || name != strconv.Itoa((*expected)[0]) {
			t.Fatalf("%s came too early: %d others are to come", name, len(*expected))
		}
		if expected == &requests && len(published) > 0 && published[0] < requests[0] {
			t.Fatalf("request %s overtook %d", name, published[0])
		}
		*expected = (*expected)[1:]
	}
}

func TestSharded(t *testing.T) {
	t.Parallel()
	const cluster = "cluster"
	for name, server := range map[string]*redistest.Server{"one node": redistest.Start(t), cluster: redistest.StartCluster(t, 1)[0]} {
		for _, mode := range []SubscriptionMode{Dynamic, DynamicPrivate, Static} {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				join := func(namespace string) func(adapter.Host) adapter.Member {
					return func(h adapter.Host) adapter.Member {
						return sharded(t, server.Addr(), &ShardedOptions{Prefix: string(mode), SubscriptionMode: mode}).Join(namespace, h)
					}
				}
				t.Run("every kind", func(t *testing.T) { testEveryKind(t, join("/kinds")) })
				if name == cluster && mode != Static {
					return // the channels are on different nodes
				}
				t.Run("order", func(t *testing.T) { testOrder(t, false, join("/order")) })
			})
		}
	}
}

// sharded returns an adapter that is closed at the end of the test.
func sharded(t testing.TB, addr string, o *ShardedOptions) *Adapter {
	a := NewSharded(clientOf(t, addr), o)
	t.Cleanup(a.Close)
	return a
}

// A server is subscribed to a room while it has sockets there.
func TestShardedRooms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHost()
	from := sharded(t, server.Addr(), nil).Join("/", newHost()).(*shardedMember)
	to := sharded(t, server.Addr(), nil).Join("/", h).(*shardedMember)
	ready(t, from, to)

	h.has("room", socketID)
	to.RoomChanged("room")
	to.RoomChanged(socketID)
	eventually(t, "the room is received", func() bool { return subscribed(t, from, "room") == 1 })
	if n := subscribed(t, from, socketID); n != 0 {
		t.Errorf("%d servers are subscribed to a socket's own room", n)
	}
	for _, m := range []*adapter.Message{event("1", "room"), event("2", socketID), event("3", "else"), event("4", "else", "room"), event("5", "else", "other"), event("6")} {
		if err := from.Publish(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"1", "2", "4", "6"} {
		if got := nameOf(next(t, h.messages)); got != want {
			t.Errorf("%s came, not %s", got, want)
		}
	}

	h.has()
	to.RoomChanged("room")
	eventually(t, "the room is not received", func() bool { return subscribed(t, from, "room") == 0 })

	// The last change of a room counts.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				h.has([]string{"room"}[:i%2]...)
				to.RoomChanged("room")
			}
		})
	}
	wg.Wait()
	h.has("room")
	to.RoomChanged("room")
	// The subscription may be about to change once more.
	eventually(t, "the room is received", func() bool {
		if err := from.Publish(event("last", "room")); err != nil {
			t.Fatal(err)
		}
		return len(h.messages) > 0
	})
}

// A room may have the channel of another namespace, whose subscription is kept when the
// room is empty.
func TestShardedRoomNamedLikeANamespace(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	in, beside := newHost(), newHost("any")
	a := sharded(t, server.Addr(), nil)
	to, other := a.Join("/chat", in).(*shardedMember), a.Join("/chat#lobby", beside).(*shardedMember)
	b := sharded(t, server.Addr(), nil)
	from, fromOther := b.Join("/chat", newHost()).(*shardedMember), b.Join("/chat#lobby", newHost())
	ready(t, to, other, from, fromOther)
	wantNext := func(h *fakeHost, from adapter.Member, m *adapter.Message) {
		t.Helper()
		if err := from.Publish(m); err != nil {
			t.Fatal(err)
		}
		if got := nameOf(next(t, h.messages)); got != nameOf(*m) {
			t.Errorf("%s came, not %s", got, nameOf(*m))
		}
	}
	for range 2 {
		in.has("lobby", "gate")
		to.RoomChanged("lobby")
		to.RoomChanged("gate") // a channel of its own, which shows that lobby was handled
		eventually(t, "the rooms are received", func() bool { return subscribed(t, from, "gate") == 1 })
		wantNext(in, from, event("to the room", "lobby"))
		wantNext(beside, fromOther, event("to the namespace"))
		in.has()
		to.RoomChanged("lobby")
		to.RoomChanged("gate")
		eventually(t, "the rooms are not received", func() bool { return subscribed(t, from, "gate") == 0 })
		wantNext(beside, fromOther, event("still to the namespace"))
	}
	none(t, in.messages)
	none(t, in.malformed)
	none(t, beside.malformed)
}

// Whatever is sent to the channels, the subscription continues.
func TestShardedAfterMalformedMessages(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHost("room")
	from, to := sharded(t, server.Addr(), nil).Join("/", newHost()), sharded(t, server.Addr(), nil).Join("/", h).(*shardedMember)
	ready(t, from, to)
	listenToRooms(t, to, h)
	malformed := []string{
		"", "{", "{}", "malformed", "\xc1", "\x84\xa4type\x03\xa4data", "\xdf\xff\xff\xff\xff", strings.Repeat("\x91", 1<<20),
		strings.Repeat("[", 1<<20), `{"type":3,"uid":"x","nsp":"/"}`, `{"type":3,"data":{"packet":{},"opts":{}},"uid":"x","nsp":"/"}`,
		strings.Repeat("x", 10<<20),
	}
	channels := []string{to.channels.main(), to.channels.of(to.uid), to.channels.of("room")}
	for _, channel := range channels {
		for _, payload := range malformed {
			server.Do("SPUBLISH", channel, payload)
		}
	}
	for range len(channels) * len(malformed) {
		next(t, h.malformed)
	}
	// Requests on the channel for responses, and messages of other versions, are
	// ignored.
	server.Do("SPUBLISH", to.channels.of(to.uid), `{"type":6,"data":{"opts":{},"close":true},"uid":"x","nsp":"/"}`)
	server.Do("SPUBLISH", to.channels.main(), `{"type":99,"data":{},"uid":"x","nsp":"/"}`)
	if err := from.Publish(event("still here", "room")); err != nil {
		t.Fatal(err)
	}
	if got := nameOf(next(t, h.messages)); got != "still here" {
		t.Error(got)
	}
	none(t, h.malformed)
	none(t, h.losses)
}

// Subscriptions to rooms are restored after a lost connection, if they are still wanted.
func TestShardedRoomsAfterAGap(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	h := newHost("kept", "left")
	from := sharded(t, server.Addr(), nil).Join("/", newHost()).(*shardedMember)
	to := sharded(t, proxy.Addr(), nil).Join("/", h).(*shardedMember)
	ready(t, from, to)
	listenToRooms(t, to, h)

	proxy.Freeze()
	proxy.Cut()
	eventually(t, "nothing is received", func() bool { return subscribed(t, from, "kept") == 0 })
	h.has("kept", "new")
	to.RoomChanged("left")
	to.RoomChanged("new")
	if err := from.Publish(event("missed", "kept")); err != nil {
		t.Fatal(err)
	}
	proxy.Thaw()
	next(t, h.losses)
	eventually(t, "rooms are received", func() bool {
		return subscribed(t, from, "kept") == 1 && subscribed(t, from, "new") == 1 && subscribed(t, from, "left") == 0
	})
	ready(t, to)
	for _, room := range []string{"left", "new", "kept"} {
		if err := from.Publish(event("to "+room, room)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"to new", "to kept"} {
		if got := nameOf(next(t, h.messages)); got != want {
			t.Errorf("%s came, not %s", got, want)
		}
	}
	none(t, h.losses)
}
