package tests_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// fleet returns a crowd whose sockets know their names.
func fleet(t *testing.T, members ...string) *crowd {
	t.Helper()
	g := gather(t, siotest.Serve(t, nil), siotest.WebSocket, members...)
	for name, s := range g.sockets {
		nameKey.Set(s, name)
	}
	return g
}

const nameKey socketio.Key[string] = "name"

func TestSocketsOfAnEmitter(t *testing.T) {
	t.Parallel()
	g := fleet(t, "ann: lobby", "bob: lobby games", "cid:")
	ann := g.sockets["ann"]
	org := g.srv.OrgTemplate()
	tests := []struct {
		name string
		e    socketio.Emitter
		want string
	}{
		{"all", g.srv.Broadcast(), "ann bob cid"},
		{"a room", g.srv.To("lobby"), "ann bob"},
		{"a handle", g.srv.Room("games").Broadcast(), "bob"},
		{"an id", g.srv.To(ann.ID()), "ann"},
		{"rooms", g.srv.To("lobby", "games"), "ann bob"},
		{"but a room", g.srv.Except("games"), "ann cid"},
		{"a room but another", g.srv.To("lobby").Except("games"), "ann"},
		{"others", ann.Broadcast(), "bob cid"},
		{"others in a room", ann.To("lobby"), "bob"},
		{"oneself", ann.Volatile(), "ann"},
		{"local", g.srv.Local(), "ann bob cid"},
		{"nobody", g.srv.To("nowhere"), ""},
		{"a template", org.Broadcast(), ""},
	}
	for _, test := range tests {
		list, err := test.e.Sockets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range list {
			name, ok := nameKey.Get(r)
			s := g.sockets[name]
			if !ok || s == nil || r.ID != s.ID() {
				t.Fatalf("%s: %q is %v", test.name, r.ID, name)
			}
			siotest.WantEqual(t, "rooms", strings.Join(siotest.Sorted(r.Rooms), " "), strings.Join(siotest.Sorted(s.Rooms()), " "))
			siotest.WantEqual(t, "path", r.Handshake.URL.Path, "/socket.io/")
			names = append(names, name)
		}
		siotest.WantEqual(t, test.name, strings.Join(siotest.Sorted(names), " "), test.want)
		n, err := test.e.Count(t.Context())
		siotest.WantEqual(t, test.name+", counted", n, len(names))
		siotest.WantEqual(t, "error", err, nil)
	}
}

func TestKeyOfARemoteSocket(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Open(t, siotest.WebSocket)
	s := srv.Socket(t, c, c.Join("/", `{"token":"x"}`))
	nameKey.Set(s, "before")
	list, err := srv.Broadcast().Sockets(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	nameKey.Set(s, "after")
	name, ok := nameKey.Get(list[0])
	siotest.WantEqual(t, "value when it was fetched", name, "before")
	siotest.WantEqual(t, "found", ok, true)
	if _, ok := socketio.Key[int]("name").Get(list[0]); ok {
		t.Error("a string was taken for an int")
	}
	if _, ok := socketio.Key[string]("other").Get(list[0]); ok {
		t.Error("there is a value that was never set")
	}
	if _, ok := nameKey.Get(socketio.RemoteSocket{}); ok {
		t.Error("nobody has a value")
	}
	siotest.WantEqual(t, "auth", list[0].Handshake.Auth.String(), `[{"token":"x"}]`)
}

func TestEmitterMovesSockets(t *testing.T) {
	t.Parallel()
	g := fleet(t, "ann: lobby", "bob: lobby games", "cid:")
	ctx := t.Context()
	wantIn := func(room, want string) {
		t.Helper()
		var names []string
		for s := range g.srv.Room(room).LocalSockets() {
			name, _ := nameKey.Get(s)
			names = append(names, name)
		}
		siotest.WantEqual(t, room, strings.Join(siotest.Sorted(names), " "), want)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	check(g.srv.Broadcast().Join(ctx, "x", "y"))
	wantIn("x", "ann bob cid")
	wantIn("y", "ann bob cid")
	check(g.srv.To("lobby").Except("games").Leave(ctx, "x", "never"))
	wantIn("x", "bob cid")
	check(g.sockets["bob"].Broadcast().Leave(ctx, "y"))
	wantIn("y", "bob")
	check(g.srv.To(g.sockets["cid"].ID()).Join(ctx, "lobby"))
	wantIn("lobby", "ann bob cid")
	check(g.srv.To("nowhere").Join(ctx, "z"))
	wantIn("z", "")
}

func TestEmitterDisconnectsSockets(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		srv.Of("/other").On("sync", func() {})
		g := gather(t, srv, transport, "ann: lobby", "bob: lobby", "cid: games", "dan:")
		for _, c := range g.clients {
			c.Join("/other", "")
		}
		if err := srv.To("lobby").Disconnect(t.Context()); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"ann", "bob"} {
			g.clients[name].WantHandled("/other", "41")
		}
		if err := srv.To("games").CloseConnections(t.Context()); err != nil {
			t.Error(err)
		}
		g.clients["cid"].Want("41", "41/other,")
		g.clients["cid"].WantClosed()
		g.clients["dan"].WantNothing()
		n, err := srv.Broadcast().Count(t.Context())
		siotest.WantEqual(t, "left", n, 1)
		siotest.WantEqual(t, "error", err, nil)
		for range 3 {
			siotest.WantEqual(t, "reason", siotest.Receive(t, srv.Disconnects).Reason, socketio.ReasonServer)
		}
	})
}

func TestFleetOperationsAfterTheContextsEnd(t *testing.T) {
	t.Parallel()
	g := fleet(t, "ann: lobby")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	all := g.srv.Broadcast()
	_, errSockets := all.Sockets(ctx)
	_, errCount := all.Count(ctx)
	_, errAsk := g.srv.ServerSideEmitWithAck(ctx, "e")
	for _, err := range []error{errSockets, errCount, errAsk, all.Join(ctx, "x"), all.Leave(ctx, "lobby"), all.Disconnect(ctx), all.CloseConnections(ctx)} {
		siotest.WantEqual(t, "error", err, context.Canceled)
	}
	siotest.WantEqual(t, "rooms", len(g.sockets["ann"].Rooms()), 2)
	g.clients["ann"].WantNothing()
}

// One server has no others: nobody receives the event, nobody answers.
func TestServerSideEmitOnOneServer(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("e", func() { t.Error("the server heard itself") })
	c := srv.Join(t, siotest.WebSocket)
	for _, n := range []*socketio.Namespace{srv.Of("/"), srv.Of("/other"), srv.OrgTemplate()} {
		siotest.WantEqual(t, "emit", n.ServerSideEmit("e", 1, []byte{2}), nil)
		list, err := n.ServerSideEmitWithAck(t.Context(), "e")
		siotest.WantEqual(t, "replies", len(list), 0)
		siotest.WantEqual(t, "error", err, nil)
		if err := n.ServerSideEmit("connect"); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("a reserved name: %v", err)
		}
		if _, err := n.ServerSideEmitWithAck(t.Context(), "new_namespace"); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("a reserved name: %v", err)
		}
		if n.ServerSideEmit("e", make(chan int)) == nil {
			t.Error("a channel was sent")
		}
	}
	c.WantNothing()
}
