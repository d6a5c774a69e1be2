package tests_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestNamespaceNames(t *testing.T) {
	t.Parallel()
	io := socketio.NewServer(nil)
	siotest.WantEqual(t, "name of the default", io.Of("/").Name(), "/")
	for _, name := range []string{"", "/"} {
		siotest.WantEqual(t, "the default", io.Of(name), io.Of("/"))
	}
	siotest.WantEqual(t, "a missing slash", io.Of("chat"), io.Of("/chat"))
	siotest.WantEqual(t, "name", io.Of("chat").Name(), "/chat")
	siotest.WantEqual(t, "another", io.Of("/chat") == io.Of("/chat/"), false)
	siotest.WantEqual(t, "longest", len(io.Of(strings.Repeat("x", 254)).Name()), 255)
	siotest.WantPanic(t, func() { io.Of("/" + strings.Repeat("x", 255)) }, "a namespace has at most 255 bytes and no comma")
	siotest.WantPanic(t, func() { io.Of("/a,b") }, `socketio: Of("/a,b"): a namespace has at most`)

	var names []string
	for n := range io.Namespaces() {
		names = append(names, n.Name())
	}
	if got := strings.Join(siotest.Sorted(names)[:3], " "); len(names) != 4 || got != "/ /chat /chat/" {
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
	srv := siotest.Serve(t, nil)
	srv.OfMatch(func(string) bool { return true }).On("enter", func(s *socketio.Socket, room string) string {
		s.Join(room)
		s.Namespace().Room(room).Emit("entered", 1)
		return fmt.Sprint(s.Namespace().Room(room).LocalLen(), slices.Contains(s.Rooms(), room))
	})
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Open(t, transport)
		for _, name := range []string{"__proto__", "constructor", "toString", "hasOwnProperty", "../..", "..", "?a=1&b=2", "#", "\x00", "\x1b[31m", "\r\n",
			"é漢😀", "{}", "[]", `"`, `\`, "*", "0", " "} {
			namespace := "/" + transport + name
			quoted, _ := json.Marshal(name)
			id := c.Join(namespace, "")
			c.Write("42" + namespace + `,7["enter",` + string(quoted) + "]")
			c.Want("42"+namespace+`,["entered",1]`, "43"+namespace+`,7["1 true"]`)
			if s, ok := srv.Of(namespace).LocalSocket(id); !ok || s.Namespace().Name() != namespace {
				t.Errorf("%q: no socket", namespace)
			}
		}
	})
}

func TestRoomsOfANamespace(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann: lobby", "bob: lobby games")
	ann, bob := g.sockets["ann"], g.sockets["bob"]
	rooms := func() string {
		var names []string
		for r := range srv.LocalRooms() {
			names = append(names, r.Name())
		}
		return strings.Join(siotest.Sorted(names), " ")
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
		siotest.WantEqual(t, "length of "+r.Name(), r.LocalLen(), len(names))
		return strings.Join(siotest.Sorted(names), " ")
	}
	siotest.WantEqual(t, "rooms", rooms(), "games lobby")
	siotest.WantEqual(t, "lobby", members(srv.Room("lobby")), "ann bob")
	siotest.WantEqual(t, "games", members(srv.Room("games")), "bob")
	siotest.WantEqual(t, "nowhere", members(srv.Room("nowhere")), "")
	siotest.WantEqual(t, "own room", members(srv.Room(ann.ID())), "ann")
	siotest.WantEqual(t, "handles are alike", srv.Room("lobby"), srv.Room("lobby"))
	siotest.WantEqual(t, "but not of two namespaces", srv.Room("lobby") == srv.Of("/x").Room("lobby"), false)
	siotest.WantEqual(t, "elsewhere", srv.Of("/x").Room("lobby").LocalLen(), 0)
	siotest.WantEqual(t, "ann's rooms", strings.Join(siotest.Sorted(ann.Rooms()), " "), strings.Join(siotest.Sorted([]string{ann.ID(), "lobby"}), " "))

	ann.Join("lobby", "news", "news") // some of them again
	siotest.WantEqual(t, "lobby", members(srv.Room("lobby")), "ann bob")
	siotest.WantEqual(t, "ann's rooms", len(ann.Rooms()), 3)
	ann.Leave("lobby", "news", "nowhere")
	siotest.WantEqual(t, "rooms", rooms(), "games lobby")
	siotest.WantEqual(t, "ann's rooms", strings.Join(ann.Rooms(), " "), ann.ID())
	bob.Disconnect()
	siotest.WantEqual(t, "rooms", rooms(), "")
	siotest.WantEqual(t, "bob's last rooms", len(bob.Rooms()), 3)
	if err := srv.Room("late").Join(bob, ann); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("joining after the end: %v", err)
	}
	siotest.WantEqual(t, "the other has joined", members(srv.Room("late")), "ann")
	bob.Leave("lobby")
	siotest.WantEqual(t, "bob's last rooms", len(bob.Rooms()), 3)
	siotest.WantEqual(t, "own room of who has left", srv.Room(bob.ID()).LocalLen(), 0)
}

func TestIterationMayStopAndMayChange(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	gather(t, srv, siotest.WebSocket, "ann: a b", "bob: a b", "cid: a b")
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
	siotest.WantEqual(t, "left in the room", srv.Room("a").LocalLen(), 0)
	siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 0)
	siotest.WantEqual(t, "rooms", srv.Stats().Rooms, 0)
}

func TestSocketsOfANamespace(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:")
	for _, s := range g.sockets {
		found, ok := srv.LocalSocket(s.ID())
		siotest.WantEqual(t, "found", found, s)
		siotest.WantEqual(t, "found", ok, true)
		_, ok = srv.Of("/x").LocalSocket(s.ID())
		siotest.WantEqual(t, "found elsewhere", ok, false)
		siotest.WantEqual(t, "iterated over", slices.Contains(slices.Collect(srv.LocalSockets()), s), true)
		siotest.WantEqual(t, "connected", s.Connected(), true)
		siotest.WantEqual(t, "length of the id", len(s.ID()), 20)
	}
	g.sockets["ann"].Disconnect()
	_, ok := srv.LocalSocket(g.sockets["ann"].ID())
	siotest.WantEqual(t, "found after the end", ok, false)
	siotest.WantEqual(t, "connected after the end", g.sockets["ann"].Connected(), false)
	siotest.WantEqual(t, "left", len(slices.Collect(srv.LocalSockets())), 1)
}

func TestStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testStats)
}

func testStats(t *testing.T) {
	srv := siotest.ServeInMemory(t, nil)
	srv.Of("/x")
	siotest.WantEqual(t, "at first", srv.Stats(), socketio.Stats{})
	g := gather(t, srv, siotest.WebSocket, "ann: a b", "bob: b")
	poller := srv.Open(t, siotest.Polling)
	poller.Join("/", "")
	id := poller.Join("/x", "")
	poller.WantNothing()
	s, _ := srv.Of("/x").LocalSocket(id)
	s.Join("b")
	srv.On("panic", func() { panic("!") })
	g.clients["bob"].Ask(`["panic"]`)
	s.Emit("v", "12345")
	synctest.Wait()
	st := srv.Stats()
	siotest.WantEqual(t, "messages", st.Messages, socketio.MessageStats{Emitted: 9, Written: 8, Pending: 1})
	siotest.WantEqual(t, "now", siotest.Counts(srv), socketio.Stats{Connections: 3, Sockets: 4, Rooms: 3, QueuedBytes: st.QueuedBytes, Panics: 1})
	siotest.WantEqual(t, "received", st.Received, 8)
	if st.QueuedBytes < int64(len(`42/x,["v","12345"]`)) || st.QueuedBytes > 100 {
		t.Errorf("%d bytes queued", st.QueuedBytes)
	}
	g.clients["bob"].Write(`4abc`)
	g.clients["bob"].WantClosed()
	poller.Want(`42/x,["v","12345"]`)
	poller.WantNothing()
	synctest.Wait()
	siotest.WantEqual(t, "in the end", siotest.Counts(srv), socketio.Stats{Connections: 2, Sockets: 3, Rooms: 3, BadPackets: 1, Panics: 1})
}
