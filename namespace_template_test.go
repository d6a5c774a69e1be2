package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
)

// org returns the template of "/org-1" and the like. It answers "sync", as "/" does.
func (srv *testServer) org() *socketio.Namespace {
	n := srv.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
	n.On("sync", func() {})
	return n
}

// wantHeard checks what a client has been sent in a namespace so far.
func (c *client) wantHeard(namespace string, packets ...any) {
	c.t.Helper()
	c.acks++
	c.write(fmt.Sprintf(`42%s,%d["sync"]`, namespace, 1000+c.acks))
	c.want(packets...)
	c.want(fmt.Sprintf(`43%s,%d[]`, namespace, 1000+c.acks))
}

// names returns the namespaces that exist, besides "/".
func (srv *testServer) names() string {
	var names []string
	for n := range srv.Namespaces() {
		if n != srv.Of("/") {
			names = append(names, n.Name())
		}
	}
	return strings.Join(sorted(names), " ")
}

func TestRacersGetOneChild(t *testing.T) {
	t.Parallel()
	const racers = 50
	srv := serve(t, nil)
	org := srv.org()
	namespaces := make(chan *socketio.Namespace, racers)
	org.OnConnect(func(s *socketio.Socket) { namespaces <- s.Namespace() })
	clients := make([]*client, racers)
	for i := range clients {
		clients[i] = srv.open(t, webSocket)
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			<-start
			if err := c.wire.write("40/org-7,"); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	first := receive(t, namespaces)
	for range racers - 1 {
		wantEqual(t, "namespace", receive(t, namespaces), first)
	}
	wantEqual(t, "namespaces", srv.names(), "/org-7")
	for _, c := range clients {
		c.wantJoined("/org-7")
		c.wantHeard("/org-7")
	}
	if err := org.Emit("hello"); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.wantHeard("/org-7", `42/org-7,["hello"]`)
	}
}

func TestNamesThatNoTemplateMatches(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	srv.org()
	c := srv.open(t, webSocket)
	for _, name := range []string{"/org-", "/org-x", "/other"} {
		c.write("40" + name + ",")
		c.want("44" + name + `,{"message":"Invalid namespace"}`)
	}
	wantEqual(t, "namespaces", srv.names(), "")
}

func TestTemplatesAreAskedInOrder(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	static := srv.Of("/static")
	for _, text := range []string{"first", "second"} {
		n := srv.OfMatch(func(name string) bool { return name != "/static" && text == "second" || name == "/both" })
		n.OnConnect(func(s *socketio.Socket) { s.Emit(text) })
		wantEqual(t, "name of a template", n.Name(), "")
	}
	static.OnConnect(func(s *socketio.Socket) { s.Emit("its own") })
	c := srv.open(t, webSocket)
	for name, want := range map[string]string{"/both": "first", "/one": "second", "/static": "its own"} {
		c.join(name, "")
		c.want(fmt.Sprintf(`42%s,[%q]`, name, want))
	}
}

func TestEmitFromATemplate(t *testing.T) {
	t.Parallel()
	onEachTransport(t, func(t *testing.T, transport string) {
		srv := serve(t, nil)
		org := srv.org()
		srv.Of("/org").On("sync", func() {})
		org.OnConnect(func(s *socketio.Socket) {
			s.Join(strings.TrimPrefix(s.Namespace().Name(), "/org-"), "all")
		})
		names := []string{"/org-1", "/org-2", "/org"}
		clients := make(map[string]*client)
		ids := make(map[string]string)
		for _, name := range names {
			clients[name] = srv.open(t, transport)
			ids[name] = clients[name].join(name, "")
			clients[name].wantHeard(name)
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
				clients[name].wantHeard(name, heard...)
			}
		}
	})
}

func TestVolatileEmitFromATemplate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := serveInMemory(t, nil)
		org := srv.org()
		idle, away := srv.open(t, webSocket), srv.open(t, polling)
		idle.join("/org-1", "")
		away.join("/org-2", "")
		away.wantHeard("/org-2") // and does not poll now
		idle.wantHeard("/org-1")
		synctest.Wait() // until nothing is on its way to anybody
		if err := org.Volatile().Emit("v"); err != nil {
			t.Fatal(err)
		}
		idle.want(`42/org-1,["v"]`)
		away.wantHeard("/org-2")
	})
}

func TestAnswersFromAllChildren(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	org := srv.org()
	names := []string{"/org-1", "/org-2", "/org-3"}
	var clients []*client
	ids := make(map[string]string)
	for _, name := range names {
		c := srv.open(t, webSocket)
		ids[c.join(name, "")] = name
		c.wantHeard(name)
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
			text, _ := c.read().(string)
			id, ok := strings.CutPrefix(text, "42"+names[i]+",")
			id, ok2 := strings.CutSuffix(id, `["who?"]`)
			if !ok || !ok2 {
				t.Fatalf("got %s", text)
			}
			c.write("43" + names[i] + "," + id + `["` + names[i] + `"]`)
		}
		r := receive(t, done)
		if r.err != nil || len(r.replies) != len(names) {
			t.Fatalf("%d replies, %v", len(r.replies), r.err)
		}
		for _, reply := range r.replies {
			wantEqual(t, "answer", reply.Args.String(), `["`+ids[reply.From]+`"]`)
		}
	}
}

// What cannot be sent is an error, children or not.
func TestTemplateWithoutChildren(t *testing.T) {
	t.Parallel()
	org := serve(t, nil).org()
	wantEqual(t, "emit", org.Emit("hello"), nil)
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
	srv := serve(t, nil)
	org := srv.org()
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
		wantEqual(t, what, strings.Join(log, ", "), strings.Join(want, ", "))
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
	c := srv.open(t, webSocket)
	c.join("/org-1", "")
	c.wantHeard("/org-1")
	s := receive(t, sockets)
	wantLog("nothing is registered")

	// A child exists already.
	register(org, "template")
	register(s.Namespace(), "child")
	org.OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	s.Namespace().OnDisconnect(func(*socketio.Socket, socketio.Reason) { gone <- struct{}{} })
	c.write(`42/org-1,["e"]`)
	c.wantHeard("/org-1")
	wantLog("an event", "template any", "child any", "template interceptor", "child interceptor", "child handler", "template handler")
	s.Join("room")
	s.Leave("room")
	wantLog("a room", "template join", "child join", "template leave", "child leave")
	s.Emit("out")
	c.wantHeard("/org-1", `42/org-1,["out"]`)
	wantLog("outgoing", "template outgoing", "child outgoing")
	c.write(`41/org-1,`)
	receive(t, gone)
	receive(t, gone)
	wantLog("leaving", "template disconnect", "child disconnect")

	// A child that comes later has what the template has.
	c.join("/org-1", "")
	c.wantHeard("/org-1")
	wantLog("another child", "template middleware", "template connect")
	c.write(`42/org-1,["e"]`)
	c.wantHeard("/org-1")
	wantLog("an event", "template any", "template interceptor", "template handler")
	if other := receive(t, sockets); other.Namespace() == s.Namespace() {
		t.Error("the child was not dropped")
	}
}

func TestOfGivesAChildThatStays(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	org := srv.org()
	n := srv.Of("/org-1")
	wantEqual(t, "again", srv.Of("org-1"), n)
	n.OnConnect(func(s *socketio.Socket) { s.Emit("kept") })
	for range 2 {
		c := srv.open(t, webSocket)
		c.join("/org-1", "")
		c.wantHeard("/org-1", `42/org-1,["kept"]`)
		org.Emit("all")
		c.wantHeard("/org-1", `42/org-1,["all"]`)
		c.write("41/org-1,")
		c.join("/org-1", "")
		c.want(`42/org-1,["kept"]`)
		c.write("41/org-1,")
		wantEqual(t, "namespaces", srv.names(), "/org-1")
	}

	// One that exists already stays from then on.
	c := srv.open(t, webSocket)
	c.join("/org-2", "")
	n = srv.Of("/org-2")
	c.write("41/org-2,")
	c.join("/org-3", "")
	wantEqual(t, "namespaces", srv.names(), "/org-1 /org-2 /org-3")
	wantEqual(t, "namespace", srv.Of("/org-2"), n)
}

func TestEmptyChildrenAreDropped(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	org := srv.org()
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
	a, b := srv.open(t, webSocket), srv.open(t, webSocket)

	for _, what := range []string{"refuse", "panic"} {
		a.write(`40/org-1,{"what":"` + what + `"}`)
		if text, _ := a.read().(string); !strings.HasPrefix(text, `44/org-1,`) {
			t.Fatalf("%s: got %s", what, text)
		}
		wantEqual(t, "after a refusal", srv.names(), "")
	}
	a.join("/org-1", "")
	b.write(`40/org-1,{"what":"refuse"}`)
	b.want(`44/org-1,{"message":"no"}`)
	wantEqual(t, "after a refusal while somebody else is there", srv.names(), "/org-1")
	b.join("/org-1", "")
	a.write("41/org-1,")
	receive(t, gone)
	wantEqual(t, "after one of two has left", srv.names(), "/org-1")

	a.write(`40/org-1,{"what":"wait"}`)
	receive(t, entered)
	b.wire.close()
	receive(t, gone)
	wantEqual(t, "while somebody connects", srv.names(), "/org-1")
	let <- nil
	a.wantJoined("/org-1")
	a.wantHeard("/org-1")
	for s := range org.LocalSockets() {
		s.Disconnect()
	}
	receive(t, gone)
	wantEqual(t, "after the last has left", srv.names(), "")
	a.want("41/org-1,")
	a.join("/org-1", "")
	a.wantHeard("/org-1")
	org.Emit("hello")
	a.wantHeard("/org-1", `42/org-1,["hello"]`)

	b = srv.open(t, webSocket)
	b.write(`40/org-2,{"what":"wait"}`)
	receive(t, entered)
	b.write("41/org-2,")
	c := srv.open(t, webSocket)
	c.join("/", "")
	let <- errors.New("too late")
	a.write("41/org-1,")
	receive(t, gone)
	wantEqual(t, "after the last has left while it connected", srv.names(), "")
}

// Who joins while the last one leaves finds a namespace that is alive.
func TestJoinWinsOverDrop(t *testing.T) {
	t.Parallel()
	const rounds = 100
	srv := serve(t, nil)
	org := srv.org()
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
		c := srv.open(t, webSocket)
		wg.Go(func() {
			for range rounds {
				for _, packet := range []string{"40/org-1,{}", "40/org-1,", `42/org-1,7["alive"]`, "41/org-1,"} {
					if err := c.wire.write(packet); err != nil {
						t.Error(err)
						return
					}
					if packet[1] == '1' {
						break
					}
					got, err := c.next()
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
		receive(t, gone)
	}
	wantEqual(t, "namespaces", srv.names(), "")
}

func TestMatchThatPanics(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	srv.OfMatch(func(string) bool { panic("oops") })
	srv.OfMatch(func(name string) bool { return name == "/b" })
	c := srv.open(t, webSocket)
	c.write("40/a,")
	c.want(`44/a,{"message":"Invalid namespace"}`)
	wantEqual(t, "value", wantError[*socketio.PanicError](t, srv).Value, any("oops"))
	c.join("/b", "")
	wantEqual(t, "value", wantError[*socketio.PanicError](t, srv).Value, any("oops"))
	wantEqual(t, "panics", srv.Stats().Panics, 2)
}

func TestWhoIsInATemplate(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	org := srv.org()
	want := make(map[string]bool)
	for _, name := range []string{"/org-1", "/org-1", "/org-2"} {
		c := srv.open(t, webSocket)
		id := c.join(name, "")
		c.wantHeard(name)
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
	wantEqual(t, "missing", len(want), 0)
	wantEqual(t, "in the lobby", org.Room("lobby").LocalLen(), 3)
	var rooms []string
	for r := range org.LocalRooms() {
		rooms = append(rooms, fmt.Sprint(r.Name(), " ", r.LocalLen()))
	}
	wantEqual(t, "rooms", strings.Join(sorted(rooms), ", "), "lobby 1, lobby 2")
	n, err := org.To("lobby").Count(t.Context())
	wantEqual(t, "count", n, 3)
	wantEqual(t, "error", err, nil)
	wantEqual(t, "sockets", srv.Stats().Sockets, 3)
	if _, ok := org.LocalSocket("nobody"); ok {
		t.Error("nobody was found")
	}
	if err := org.Broadcast().Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	wantEqual(t, "sockets", srv.Stats().Sockets, 0)
	wantEqual(t, "namespaces", srv.names(), "")
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
			srv := serve(t, nil)
			for _, name := range test.before {
				srv.Of(name)
			}
			panicked := func() (text any) {
				defer func() { text = recover() }()
				srv.OfMatch(test.match).Use(func(context.Context, *socketio.Socket) error { return socketio.Errorf("no") })
				return nil
			}()
			wantEqual(t, "panics", panicked != nil, test.panics)
			if text, _ := panicked.(string); test.panics && !strings.Contains(text, `"/a" exists already`) {
				t.Errorf("panics with %v", panicked)
			}
			if test.panics {
				return
			}
			srv.Of("/a") // becomes a child: the template's middleware holds
			c := srv.open(t, webSocket)
			c.write("40/a,")
			c.want(`44/a,{"message":"no"}`)
		})
	}

	// Neither order of calls that race lets a namespace escape.
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			srv := serveInMemory(t, nil)
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
			c := srv.open(t, webSocket)
			c.write("40/a,")
			if text, _ := c.read().(string); !strings.HasPrefix(text, want) {
				t.Fatalf("joining was answered with %s, want %s", text, want)
			}
		})
	}
}
