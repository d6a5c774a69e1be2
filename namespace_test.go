package socketio_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
)

func TestNamespaceNames(t *testing.T) {
	t.Parallel()
	io := socketio.NewServer(nil)
	wantEqual(t, "name of the default", io.Of("/").Name(), "/")
	for _, name := range []string{"", "/"} {
		wantEqual(t, "the default", io.Of(name), io.Of("/"))
	}
	wantEqual(t, "a missing slash", io.Of("chat"), io.Of("/chat"))
	wantEqual(t, "name", io.Of("chat").Name(), "/chat")
	wantEqual(t, "another", io.Of("/chat") == io.Of("/chat/"), false)
	wantEqual(t, "longest", len(io.Of(strings.Repeat("x", 254)).Name()), 255)
	wantPanic(t, func() { io.Of("/" + strings.Repeat("x", 255)) }, "a namespace has at most 255 bytes and no comma")
	wantPanic(t, func() { io.Of("/a,b") }, `socketio: Of("/a,b"): a namespace has at most`)

	var names []string
	for n := range io.Namespaces() {
		names = append(names, n.Name())
	}
	if got := strings.Join(sorted(names)[:3], " "); len(names) != 4 || got != "/ /chat /chat/" {
		t.Errorf("namespaces are %q", names)
	}
	for range io.Namespaces() {
		break
	}
}

// What means something to JavaScript, to paths or to terminals is a name like
// another here.
func TestNamesThatMeanSomethingElsewhere(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	srv.OfMatch(func(string) bool { return true }).On("enter", func(s *socketio.Socket, room string) string {
		s.Join(room)
		s.Namespace().Room(room).Emit("entered", 1)
		return fmt.Sprint(s.Namespace().Room(room).LocalLen(), slices.Contains(s.Rooms(), room))
	})
	onEachTransport(t, func(t *testing.T, transport string) {
		c := srv.open(t, transport)
		for _, name := range []string{"__proto__", "constructor", "toString", "hasOwnProperty", "../..", "..", "?a=1&b=2", "#", "\x00", "\x1b[31m", "\r\n",
			"é漢😀", "{}", "[]", `"`, `\`, "*", "0", " "} {
			namespace := "/" + transport + name
			quoted, _ := json.Marshal(name)
			id := c.join(namespace, "")
			c.write("42" + namespace + `,7["enter",` + string(quoted) + "]")
			c.want("42"+namespace+`,["entered",1]`, "43"+namespace+`,7["1 true"]`)
			if s, ok := srv.Of(namespace).LocalSocket(id); !ok || s.Namespace().Name() != namespace {
				t.Errorf("%q: no socket", namespace)
			}
		}
	})
}

func TestRoomsOfANamespace(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	g := gather(t, srv, webSocket, "ann: lobby", "bob: lobby games")
	ann, bob := g.sockets["ann"], g.sockets["bob"]
	rooms := func() string {
		var names []string
		for r := range srv.LocalRooms() {
			names = append(names, r.Name())
		}
		return strings.Join(sorted(names), " ")
	}
	members := func(r socketio.Room) string {
		var names []string
		for s := range r.LocalSockets() {
			for name, other := range g.sockets {
				if s == other {
					names = append(names, name)
				}
			}
		}
		wantEqual(t, "length of "+r.Name(), r.LocalLen(), len(names))
		return strings.Join(sorted(names), " ")
	}
	wantEqual(t, "rooms", rooms(), "games lobby")
	wantEqual(t, "lobby", members(srv.Room("lobby")), "ann bob")
	wantEqual(t, "games", members(srv.Room("games")), "bob")
	wantEqual(t, "nowhere", members(srv.Room("nowhere")), "")
	wantEqual(t, "own room", members(srv.Room(ann.ID())), "ann")
	wantEqual(t, "handles are alike", srv.Room("lobby"), srv.Room("lobby"))
	wantEqual(t, "but not of two namespaces", srv.Room("lobby") == srv.Of("/x").Room("lobby"), false)
	wantEqual(t, "elsewhere", srv.Of("/x").Room("lobby").LocalLen(), 0)
	wantEqual(t, "ann's rooms", strings.Join(sorted(ann.Rooms()), " "), strings.Join(sorted([]string{ann.ID(), "lobby"}), " "))

	ann.Join("lobby", "news", "news") // some of them again
	wantEqual(t, "lobby", members(srv.Room("lobby")), "ann bob")
	wantEqual(t, "ann's rooms", len(ann.Rooms()), 3)
	ann.Leave("lobby", "news", "nowhere")
	wantEqual(t, "rooms", rooms(), "games lobby")
	wantEqual(t, "ann's rooms", strings.Join(ann.Rooms(), " "), ann.ID())
	bob.Disconnect()
	wantEqual(t, "rooms", rooms(), "")
	wantEqual(t, "bob's last rooms", len(bob.Rooms()), 3)
	if err := srv.Room("late").Join(bob, ann); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("joining after the end: %v", err)
	}
	wantEqual(t, "the other has joined", members(srv.Room("late")), "ann")
	bob.Leave("lobby")
	wantEqual(t, "bob's last rooms", len(bob.Rooms()), 3)
	wantEqual(t, "own room of who has left", srv.Room(bob.ID()).LocalLen(), 0)
}

func TestIterationMayStopAndMayChange(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	gather(t, srv, webSocket, "ann: a b", "bob: a b", "cid: a b")
	for range srv.LocalRooms() {
		break
	}
	for range srv.Room("a").LocalSockets() {
		break
	}
	for range srv.LocalSockets() {
		break
	}
	for s := range srv.Room("a").LocalSockets() {
		s.Leave("a")
	}
	for s := range srv.LocalSockets() {
		s.Disconnect()
	}
	wantEqual(t, "left in the room", srv.Room("a").LocalLen(), 0)
	wantEqual(t, "sockets", srv.Stats().Sockets, 0)
	wantEqual(t, "rooms", srv.Stats().Rooms, 0)
}

func TestSocketsOfANamespace(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	g := gather(t, srv, webSocket, "ann:", "bob:")
	for _, s := range g.sockets {
		found, ok := srv.LocalSocket(s.ID())
		wantEqual(t, "found", found, s)
		wantEqual(t, "found", ok, true)
		_, ok = srv.Of("/x").LocalSocket(s.ID())
		wantEqual(t, "found elsewhere", ok, false)
		wantEqual(t, "iterated over", slices.Contains(slices.Collect(srv.LocalSockets()), s), true)
		wantEqual(t, "connected", s.Connected(), true)
		wantEqual(t, "length of the id", len(s.ID()), 20)
	}
	g.sockets["ann"].Disconnect()
	_, ok := srv.LocalSocket(g.sockets["ann"].ID())
	wantEqual(t, "found after the end", ok, false)
	wantEqual(t, "connected after the end", g.sockets["ann"].Connected(), false)
	wantEqual(t, "left", len(slices.Collect(srv.LocalSockets())), 1)
}

func TestStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testStats)
}

func testStats(t *testing.T) {
	srv := serveInMemory(t, nil)
	srv.Of("/x")
	wantEqual(t, "at first", srv.Stats(), socketio.Stats{})
	g := gather(t, srv, webSocket, "ann: a b", "bob: b")
	poller := srv.open(t, polling)
	poller.join("/", "")
	id := poller.join("/x", "")
	poller.wantNothing()
	s, _ := srv.Of("/x").LocalSocket(id)
	s.Join("b")
	srv.On("panic", func() { panic("!") })
	g.clients["bob"].ask(`["panic"]`)
	s.Emit("v", "12345")
	synctest.Wait()
	st := srv.Stats()
	wantEqual(t, "messages", st.Messages, socketio.MessageStats{Emitted: 9, Written: 8, Pending: 1})
	wantEqual(t, "now", held(srv), socketio.Stats{Connections: 3, Sockets: 4, Rooms: 3, QueuedBytes: st.QueuedBytes, Panics: 1})
	if st.QueuedBytes < int64(len(`42/x,["v","12345"]`)) || st.QueuedBytes > 100 {
		t.Errorf("%d bytes queued", st.QueuedBytes)
	}
	g.clients["bob"].write(`4abc`)
	g.clients["bob"].wantClosed()
	poller.want(`42/x,["v","12345"]`)
	poller.wantNothing()
	synctest.Wait()
	wantEqual(t, "in the end", held(srv), socketio.Stats{Connections: 2, Sockets: 3, Rooms: 3, BadPackets: 1, Panics: 1})
}
