package tests_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestRacersGetOneChild(t *testing.T) {
	t.Parallel()
	const racers = 50
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	namespaces := make(chan *socketio.Namespace, racers)
	org.OnConnect(func(s *socketio.Socket) { namespaces <- s.Namespace() })
	clients := make([]*siotest.Client, racers)
	for i := range clients {
		clients[i] = srv.Open(t, siotest.WebSocket)
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			<-start
			if err := c.Wire.Write("40/org-7,"); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	first := siotest.Receive(t, namespaces)
	for range racers - 1 {
		siotest.WantEqual(t, "namespace", siotest.Receive(t, namespaces), first)
	}
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "/org-7")
	for _, c := range clients {
		c.WantConnect("/org-7")
		c.WantHandled("/org-7")
	}
	if err := org.Emit("hello"); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.WantHandled("/org-7", `42/org-7,["hello"]`)
	}
}

func TestNamesThatNoTemplateMatches(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.OrgTemplate()
	c := srv.Open(t, siotest.WebSocket)
	for _, name := range []string{"/org-", "/org-x", "/other"} {
		c.Write("40" + name + ",")
		c.Want("44" + name + `,{"message":"Invalid namespace"}`)
	}
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "")
}

func TestTemplatesAreAskedInOrder(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	static := srv.Of("/static")
	for _, text := range []string{"first", "second"} {
		n := srv.OfMatch(func(name string) bool { return name != "/static" && text == "second" || name == "/both" })
		n.OnConnect(func(s *socketio.Socket) { s.Emit(text) })
		siotest.WantEqual(t, "name of a template", n.Name(), "")
	}
	static.OnConnect(func(s *socketio.Socket) { s.Emit("its own") })
	c := srv.Open(t, siotest.WebSocket)
	for name, want := range map[string]string{"/both": "first", "/one": "second", "/static": "its own"} {
		c.Join(name, "")
		c.Want(fmt.Sprintf(`42%s,[%q]`, name, want))
	}
}

func TestEmitFromATemplate(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		org := srv.OrgTemplate()
		srv.Of("/org").On("sync", func() {})
		org.OnConnect(func(s *socketio.Socket) {
			s.Join(strings.TrimPrefix(s.Namespace().Name(), "/org-"), "all")
		})
		names := []string{"/org-1", "/org-2", "/org"}
		clients := make(map[string]*siotest.Client)
		ids := make(map[string]string)
		for _, name := range names {
			clients[name] = srv.Open(t, transport)
			ids[name] = clients[name].Join(name, "")
			clients[name].WantHandled(name)
		}
		tests := []struct {
			name string
			e    socketio.Target
			want string
		}{
			{"everybody", org, "/org-1 /org-2"},
			{"broadcast", org.Broadcast(), "/org-1 /org-2"},
			{"a room of both", org.To("all"), "/org-1 /org-2"},
			{"a room of one", org.To("2"), "/org-2"},
			{"rooms", org.To("1", "2"), "/org-1 /org-2"},
			{"a handle", org.Room("1"), "/org-1"},
			{"an id", org.To(ids["/org-2"]), "/org-2"},
			{"except a room", org.Except("1"), "/org-2"},
			{"except an id", org.To("all").Except(ids["/org-2"]), "/org-1"},
			{"local", org.Local(), "/org-1 /org-2"},
			{"one child", srv.Of("/org-1"), "/org-1"},
			{"not a child", srv.Of("/org"), "/org"},
			{"nobody", org.To("3"), ""},
		}
		for _, test := range tests {
			if err := test.e.Emit("n", []byte{7}); err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				var heard []any
				if slices.Contains(strings.Fields(test.want), name) {
					heard = []any{`451-` + name + `,["n",{"_placeholder":true,"num":0}]`, []byte{7}}
				}
				clients[name].WantHandled(name, heard...)
			}
		}
	})
}

func TestVolatileEmitFromATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		org := srv.OrgTemplate()
		idle, away := srv.Open(t, siotest.WebSocket), srv.Open(t, siotest.Polling)
		idle.Join("/org-1", "")
		away.Join("/org-2", "")
		away.WantHandled("/org-2") // and does not poll now
		idle.WantHandled("/org-1")
		synctest.Wait() // until nothing is on its way to anybody
		if err := org.Volatile().Emit("v"); err != nil {
			t.Fatal(err)
		}
		idle.Want(`42/org-1,["v"]`)
		away.WantHandled("/org-2")
	})
}

func TestAnswersFromAllChildren(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	names := []string{"/org-1", "/org-2", "/org-3"}
	var clients []*siotest.Client
	ids := make(map[string]string)
	for _, name := range names {
		c := srv.Open(t, siotest.WebSocket)
		ids[c.Join(name, "")] = name
		c.WantHandled(name)
		clients = append(clients, c)
	}
	type result struct {
		replies []socketio.Reply
		err     error
	}
	done := make(chan result, 2)
	go func() {
		replies, err := org.EmitWithAck(t.Context(), "who?")
		done <- result{replies, err}
		err = org.Emit("who?", func(replies []socketio.Reply, err error) { done <- result{replies, err} })
		if err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		for i, c := range clients {
			text, _ := c.Read().(string)
			id, ok := strings.CutPrefix(text, "42"+names[i]+",")
			id, ok2 := strings.CutSuffix(id, `["who?"]`)
			if !ok || !ok2 {
				t.Fatalf("got %s", text)
			}
			c.Write("43" + names[i] + "," + id + `["` + names[i] + `"]`)
		}
		r := siotest.Receive(t, done)
		if r.err != nil || len(r.replies) != len(names) {
			t.Fatalf("%d replies, %v", len(r.replies), r.err)
		}
		for _, reply := range r.replies {
			siotest.WantEqual(t, "answer", reply.Args.String(), `["`+ids[reply.From]+`"]`)
		}
	}
}

// What cannot be sent is an error, children or not.
func TestTemplateWithoutChildren(t *testing.T) {
	t.Parallel()
	org := siotest.Serve(t, nil).OrgTemplate()
	siotest.WantEqual(t, "emit", org.Emit("hello"), nil)
	if org.Emit("hello", make(chan int)) == nil {
		t.Error("a channel was sent")
	}
	replies, err := org.EmitWithAck(t.Context(), "hello")
	if len(replies) != 0 || err != nil {
		t.Errorf("%d replies, %v", len(replies), err)
	}
	if _, err := org.EmitWithAck(t.Context(), "hello", make(chan int)); err == nil {
		t.Error("a channel was sent")
	}
	if err := org.Emit("connect"); !errors.Is(err, socketio.ErrReserved) {
		t.Errorf("a reserved name: %v", err)
	}
}

func TestRegistrationOnATemplate(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	var mu sync.Mutex
	var log []string
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, text)
	}
	wantLog := func(what string, want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		siotest.WantEqual(t, what, strings.Join(log, ", "), strings.Join(want, ", "))
		log = nil
	}
	register := func(n *socketio.Namespace, who string) {
		n.Use(func(context.Context, *socketio.Socket) error { note(who + " middleware"); return nil })
		n.OnConnect(func(*socketio.Socket) { note(who + " connect") })
		n.OnDisconnect(func(*socketio.Socket, socketio.Reason) { note(who + " disconnect") })
		n.On("e", func() { note(who + " handler") })
		n.OnAny(func(_ *socketio.Socket, m socketio.Message) {
			if m.Event == "e" {
				note(who + " any")
			}
		})
		n.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { note(who + " outgoing") })
		n.OnJoin(func(*socketio.Socket, string) { note(who + " join") })
		n.OnLeave(func(*socketio.Socket, string) { note(who + " leave") })
		n.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			if m.Event == "e" {
				note(who + " interceptor")
			}
			return next(ctx, m)
		})
	}
	sockets := make(chan *socketio.Socket, 10)
	org.OnConnect(func(s *socketio.Socket) { sockets <- s })
	gone := make(chan struct{}, 10)
	c := srv.Open(t, siotest.WebSocket)
	c.Join("/org-1", "")
	c.WantHandled("/org-1")
	s := siotest.Receive(t, sockets)
	wantLog("nothing is registered")

	// A child exists already.
	register(org, "template")
	register(s.Namespace(), "child")
	org.OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	s.Namespace().OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	c.Write(`42/org-1,["e"]`)
	c.WantHandled("/org-1")
	wantLog("an event", "template any", "child any", "template interceptor", "child interceptor", "child handler", "template handler")
	s.Join("room")
	s.Leave("room")
	wantLog("a room", "template join", "child join", "template leave", "child leave")
	s.Emit("out")
	c.WantHandled("/org-1", `42/org-1,["out"]`)
	wantLog("outgoing", "template outgoing", "child outgoing")
	c.Write(`41/org-1,`)
	siotest.Receive(t, gone)
	siotest.Receive(t, gone)
	wantLog("leaving", "template disconnect", "child disconnect")

	// A child that comes later has what the template has.
	c.Join("/org-1", "")
	c.WantHandled("/org-1")
	wantLog("another child", "template middleware", "template connect")
	c.Write(`42/org-1,["e"]`)
	c.WantHandled("/org-1")
	wantLog("an event", "template any", "template interceptor", "template handler")
	if other := siotest.Receive(t, sockets); other.Namespace() == s.Namespace() {
		t.Error("the child was not dropped")
	}
}

func TestOfGivesAChildThatStays(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	n := srv.Of("/org-1")
	siotest.WantEqual(t, "again", srv.Of("org-1"), n)
	n.OnConnect(func(s *socketio.Socket) { s.Emit("kept") })
	for range 2 {
		c := srv.Open(t, siotest.WebSocket)
		c.Join("/org-1", "")
		c.WantHandled("/org-1", `42/org-1,["kept"]`)
		org.Emit("all")
		c.WantHandled("/org-1", `42/org-1,["all"]`)
		c.Write("41/org-1,")
		c.Join("/org-1", "")
		c.Want(`42/org-1,["kept"]`)
		c.Write("41/org-1,")
		siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "/org-1")
	}

	// One that exists already stays from then on.
	c := srv.Open(t, siotest.WebSocket)
	c.Join("/org-2", "")
	n = srv.Of("/org-2")
	c.Write("41/org-2,")
	c.Join("/org-3", "")
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "/org-1 /org-2 /org-3")
	siotest.WantEqual(t, "namespace", srv.Of("/org-2"), n)
}

func TestEmptyChildrenAreDropped(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	gone := make(chan struct{}, 10)
	org.OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	entered, let := make(chan struct{}), make(chan error)
	org.Use(func(_ context.Context, s *socketio.Socket) error {
		var what string
		s.Handshake().Auth.Decode(&struct{ What *string }{&what})
		switch what {
		case "refuse":
			s.Join("room")
			return socketio.Errorf("no")
		case "panic":
			panic("no")
		case "wait":
			entered <- struct{}{}
			return <-let
		}
		return nil
	})
	a, b := srv.Open(t, siotest.WebSocket), srv.Open(t, siotest.WebSocket)

	for _, what := range []string{"refuse", "panic"} {
		a.Write(`40/org-1,{"what":"` + what + `"}`)
		if text, _ := a.Read().(string); !strings.HasPrefix(text, `44/org-1,`) {
			t.Fatalf("%s: got %s", what, text)
		}
		siotest.WantEqual(t, "after a refusal", srv.NamespaceNames(), "")
	}
	a.Join("/org-1", "")
	b.Write(`40/org-1,{"what":"refuse"}`)
	b.Want(`44/org-1,{"message":"no"}`)
	siotest.WantEqual(t, "after a refusal while somebody else is there", srv.NamespaceNames(), "/org-1")
	b.Join("/org-1", "")
	a.Write("41/org-1,")
	siotest.Receive(t, gone)
	siotest.WantEqual(t, "after one of two has left", srv.NamespaceNames(), "/org-1")

	a.Write(`40/org-1,{"what":"wait"}`)
	siotest.Receive(t, entered)
	b.Wire.Close()
	siotest.Receive(t, gone)
	siotest.WantEqual(t, "while somebody connects", srv.NamespaceNames(), "/org-1")
	let <- nil
	a.WantConnect("/org-1")
	a.WantHandled("/org-1")
	for s := range org.LocalSockets() {
		s.Disconnect()
	}
	siotest.Receive(t, gone)
	siotest.WantEqual(t, "after the last has left", srv.NamespaceNames(), "")
	a.Want("41/org-1,")
	a.Join("/org-1", "")
	a.WantHandled("/org-1")
	org.Emit("hello")
	a.WantHandled("/org-1", `42/org-1,["hello"]`)

	b = srv.Open(t, siotest.WebSocket)
	b.Write(`40/org-2,{"what":"wait"}`)
	siotest.Receive(t, entered)
	b.Write("41/org-2,")
	c := srv.Open(t, siotest.WebSocket)
	c.Join("/", "")
	let <- errors.New("too late")
	a.Write("41/org-1,")
	siotest.Receive(t, gone)
	siotest.WantEqual(t, "after the last has left while it connected", srv.NamespaceNames(), "")
}

// Who joins while the last one leaves finds a namespace that is alive.
func TestJoinWinsOverDrop(t *testing.T) {
	t.Parallel()
	const rounds = 100
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	org.On("alive", func(s *socketio.Socket) bool {
		for n := range srv.Namespaces() {
			if n == s.Namespace() {
				found, ok := org.LocalSocket(s.ID())
				return ok && found == s
			}
		}
		return false
	})
	refuse := socketio.Errorf("no")
	org.Use(func(_ context.Context, s *socketio.Socket) error {
		if s.Handshake().Auth.String() == "[{}]" {
			return refuse
		}
		return nil
	})
	gone := make(chan struct{}, 8*rounds)
	org.OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	var wg sync.WaitGroup
	for range 8 {
		c := srv.Open(t, siotest.WebSocket)
		wg.Go(func() {
			for range rounds {
				for _, packet := range []string{"40/org-1,{}", "40/org-1,", `42/org-1,7["alive"]`, "41/org-1,"} {
					if err := c.Wire.Write(packet); err != nil {
						t.Error(err)
						return
					}
					if packet[1] == '1' {
						break
					}
					got, err := c.Next()
					if text, _ := got.(string); err != nil || strings.HasPrefix(packet, "42") && text != `43/org-1,7[true]` {
						t.Errorf("%s is answered by %v, %v", packet, got, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for range 8 * rounds {
		siotest.Receive(t, gone)
	}
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "")
}

func TestMatchThatPanics(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.OfMatch(func(string) bool { panic("oops") })
	srv.OfMatch(func(name string) bool { return name == "/b" })
	c := srv.Open(t, siotest.WebSocket)
	c.Write("40/a,")
	c.Want(`44/a,{"message":"Invalid namespace"}`)
	siotest.WantEqual(t, "value", siotest.WantError[*socketio.PanicError](t, srv).Value, any("oops"))
	c.Join("/b", "")
	siotest.WantEqual(t, "value", siotest.WantError[*socketio.PanicError](t, srv).Value, any("oops"))
	siotest.WantEqual(t, "panics", srv.Stats().Panics, 2)
}

func TestWhoIsInATemplate(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	org := srv.OrgTemplate()
	want := make(map[string]bool)
	for _, name := range []string{"/org-1", "/org-1", "/org-2"} {
		c := srv.Open(t, siotest.WebSocket)
		id := c.Join(name, "")
		c.WantHandled(name)
		want[id] = true
		s, ok := org.LocalSocket(id)
		if !ok || s.ID() != id || s.Namespace().Name() != name {
			t.Errorf("there is no socket %s", id)
		}
		s.Join("lobby")
	}
	for s := range org.LocalSockets() {
		if !want[s.ID()] {
			t.Errorf("who is %s?", s.ID())
		}
		delete(want, s.ID())
	}
	siotest.WantEqual(t, "missing", len(want), 0)
	siotest.WantEqual(t, "in the lobby", org.Room("lobby").LocalLen(), 3)
	var rooms []string
	for r := range org.LocalRooms() {
		rooms = append(rooms, fmt.Sprint(r.Name(), " ", r.LocalLen()))
	}
	siotest.WantEqual(t, "rooms", strings.Join(siotest.Sorted(rooms), ", "), "lobby 1, lobby 2")
	n, err := org.To("lobby").Count(t.Context())
	siotest.WantEqual(t, "count", n, 3)
	siotest.WantEqual(t, "error", err, nil)
	siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 3)
	if _, ok := org.LocalSocket("nobody"); ok {
		t.Error("nobody was found")
	}
	if err := org.Broadcast().Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	siotest.WantEqual(t, "sockets", srv.Stats().Sockets, 0)
	siotest.WantEqual(t, "namespaces", srv.NamespaceNames(), "")
}

// A namespace that Of has made is either a child of the template that matches it,
// or OfMatch refuses to make one whose middleware would not hold for it.
func TestOfAndOfMatch(t *testing.T) {
	t.Parallel()
	matches := func(names ...string) func(string) bool {
		return func(name string) bool { return slices.Contains(names, name) }
	}
	for _, test := range []struct {
		name   string
		before []string // with Of
		match  func(string) bool
		panics bool
	}{
		{"nothing before", nil, matches("/a"), false},
		{"another namespace", []string{"/b"}, matches("/a"), false},
		{"one that matches", []string{"/b", "/a"}, matches("/a"), true},
		{"one that matches, without the slash", []string{"a"}, matches("/a"), true},
		{"the default namespace", []string{"/"}, func(string) bool { return true }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := siotest.Serve(t, nil)
			for _, name := range test.before {
				srv.Of(name)
			}
			panicked := func() (text any) {
				defer func() { text = recover() }()
				srv.OfMatch(test.match).Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
				return nil
			}()
			siotest.WantEqual(t, "panics", panicked != nil, test.panics)
			if text, _ := panicked.(string); test.panics && !strings.Contains(text, `"/a" exists already`) {
				t.Errorf("panics with %v", panicked)
			}
			if test.panics {
				return
			}
			srv.Of("/a") // becomes a child: the template's middleware holds
			c := srv.Open(t, siotest.WebSocket)
			c.Write("40/a,")
			c.Want(`44/a,{"message":"no"}`)
		})
	}

	// Neither order of calls that race lets a namespace escape.
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			refused := make(chan bool, 1)
			go func() {
				defer func() { refused <- recover() != nil }()
				srv.OfMatch(matches("/a")).Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
			}()
			srv.Of("/a")
			want := `44/a,{"message":"no"}`
			if <-refused {
				want = `40/a,`
			}
			c := srv.Open(t, siotest.WebSocket)
			c.Write("40/a,")
			if text, _ := c.Read().(string); !strings.HasPrefix(text, want) {
				t.Fatalf("joining was answered with %s, want %s", text, want)
			}
		})
	}
}
