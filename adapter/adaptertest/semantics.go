package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/socketio-go/socketio"
)

// semantics has the tests of what servers and their clients observe.
var semantics = []struct {
	name string
	run  func(s *servers)
}{
	{"emit", (*servers).testEmit},
	{"emit with acks", (*servers).testAcks},
	{"emit with acks that do not come", (*servers).testMissingAcks},
	{"a server leaves during a request", (*servers).testShutdown},
	{"fetch sockets", (*servers).testFetch},
	{"move sockets", (*servers).testCommands},
	{"sockets have moved when the call returns", (*servers).testMoved},
	{"server-side events", (*servers).testServerSide},
}

// testEmit runs every line of the emit cheat sheet that crosses servers.
func (s *servers) testEmit() {
	io, ada := s.a.ns, s.ada.socket
	for _, line := range []struct {
		name string
		emit func() error
		want string
	}{
		{"all sockets", func() error { return io.Emit("e") }, "ada bob cem dan"},
		{"all but the sender", func() error { return ada.Broadcast().Emit("e") }, "bob cem dan"},
		{"a room", func() error { return io.To("room1").Emit("e") }, "ada bob"},
		{"a room on another server", func() error { return io.Room("room3").Emit("e") }, "cem"},
		{"a room but the sender", func() error { return ada.To("room1").Emit("e") }, "bob"},
		{"rooms that share a socket", func() error { return io.To("room1").To("room2").Emit("e") }, "ada bob"},
		{"rooms on other servers", func() error { return io.To("room2", "room3").Emit("e") }, "bob cem"},
		{"everybody but a room", func() error { return io.Except("room2").Emit("e") }, "ada cem dan"},
		{"everybody but rooms", func() error { return io.Except("room1", "room3").Emit("e") }, "dan"},
		{"everybody but the sender and a room", func() error { return ada.Except("room3").Emit("e") }, "bob dan"},
		{"a room but those in another", func() error { return io.To("room1").Except("room2").Emit("e") }, "ada"},
		{"one socket", func() error { return io.To(s.cem.id).Emit("e") }, "cem"},
		{"all but one socket", func() error { return io.Except(s.cem.id).Emit("e") }, "ada bob dan"},
		{"compressed", func() error { return io.To("room1").Compress(true).Emit("e") }, "ada bob"},
		{"not compressed", func() error { return io.To("room3").Compress(false).Emit("e") }, "cem"},
		{"this server only", func() error { return io.Local().Emit("e") }, "ada"},
		{"no socket", func() error { return io.To("empty").Emit("e") }, ""},
	} {
		if err := line.emit(); err != nil {
			s.t.Errorf("%s: %v", line.name, err)
		}
		if got := s.names(s.a, `["e"]`); got != line.want {
			s.t.Errorf("%s: received by %q, want %q", line.name, got, line.want)
		}
	}
	if err := io.Except("room1").Emit("e", 1, "2", map[string]any{"3": []any{4.5, nil, true}}, []byte{1}, []any{[]byte{2, 3}}); err != nil {
		s.t.Error(err)
	}
	const arguments = `["e",1,"2",{"3":[4.5,null,true]},{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]] 01 0203`
	s.wantReceived(s.a, "cem: "+arguments, "dan: "+arguments)
}

// ask emits an event with acks. The clients respond as reply says, by their names. If
// cancel is not nil, it is called when all acks that are expected have been sent.
func (s *servers) ask(ctx context.Context, e socketio.Emitter, reply map[*client]string, cancel func()) ([]socketio.Reply, error) {
	s.t.Helper()
	var acked, delivered sync.WaitGroup
	for c, args := range reply {
		acked.Go(func() {
			_, id := c.request()
			switch args {
			case "":
			case "leave":
				c.leave()
			default:
				c.respond(id, args)
			}
		})
	}
	if cancel != nil {
		delivered.Go(func() {
			acked.Wait()
			s.wantDelivered()
			cancel()
		})
	}
	replies, err := e.EmitWithAck(ctx, "q", "?")
	acked.Wait()
	delivered.Wait()
	return replies, err
}

func (s *servers) testAcks() {
	ctx, cancel := inTime()
	defer cancel()
	for _, test := range []struct {
		name  string
		of    socketio.Emitter
		reply map[*client]string
		want  []string
	}{
		{"all sockets", s.a.ns.Broadcast(), map[*client]string{s.ada: `["ada"]`, s.bob: `["bob"]`, s.cem: `["cem"]`, s.dan: `["dan"]`},
			[]string{`"ada"`, `"bob"`, `"cem"`, `"dan"`}},
		{"others only", s.a.ns.To("room2", "room3"), map[*client]string{s.bob: `[1]`, s.cem: `[{"x":2}]`}, []string{`1`, `{"x":2}`}},
		{"this server only", s.a.ns.Local(), map[*client]string{s.ada: `[1]`}, []string{`1`}},
		{"all but the sender", s.bob.socket.Broadcast(), map[*client]string{s.ada: `[1]`, s.cem: `[2]`, s.dan: `[3]`}, []string{`1`, `2`, `3`}},
		{"no socket", s.a.ns.To("empty"), nil, nil},
		{"an ack without arguments", s.a.ns.To("room3"), map[*client]string{s.cem: `[]`}, []string{""}},
	} {
		replies, err := s.ask(ctx, test.of, test.reply, nil)
		if got := sorted(replies); err != nil || !slices.Equal(got, test.want) {
			s.t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
	go func() { // ends with the call below
		_, id := s.cem.request()
		s.cem.write("461-" + s.cem.prefix + id + `[{"_placeholder":true,"num":0}]` + separator + "bAQID")
	}()
	replies, err := s.a.ns.To("room3").EmitWithAck(ctx, "q", []byte{7})
	if got := sorted(replies); err != nil || !slices.Equal(got, []string{`{"_placeholder":true,"num":0} 010203`}) {
		s.t.Errorf("with binary data: got %q, %v", got, err)
	}
	s.wantReceived(s.a)
}

func (s *servers) testMissingAcks() {
	ctx, cancel := inTime()
	defer cancel()
	replies, err := s.ask(ctx, s.a.ns.Broadcast(), map[*client]string{s.ada: `[1]`, s.bob: `[2]`, s.cem: "", s.dan: ""}, cancel)
	if !errors.Is(err, context.Canceled) {
		s.t.Errorf("two clients do not respond: %v", err)
	}
	missing := context.Canceled.Error()
	if got := sorted(replies); !slices.Equal(got, []string{"1", "2", missing, missing}) {
		s.t.Errorf("two clients do not respond: got %q", got)
	}
	s.cem.respond("0", `["late"]`) // an ack that was not requested
	s.wantReceived(s.a)

	ctx, cancel = inTime()
	defer cancel()
	var end func()
	if slices.Contains(s.t.lacks, FailedAcks) {
		end = cancel
	}
	replies, err = s.ask(ctx, s.a.ns.To("room1", "room3"), map[*client]string{s.ada: `[1]`, s.bob: `[2]`, s.cem: "leave"}, end)
	got := sorted(replies)
	if (err != nil) != (end != nil) || len(got) != 3 || got[0] != "1" || got[1] != "2" {
		s.t.Errorf("one has left: got %q, %v", got, err)
	}
	s.cem = s.connect(s.c, "cem", "room3")
	s.wantReceived(s.a)
}

func (s *servers) testShutdown() {
	ctx, cancel := inTime()
	defer cancel()
	asked := make(chan struct{})
	go func() { // ends with the shutdown
		s.cem.request() // and never responds
		close(asked)
		s.cem.wantEnd()
	}()
	var shutdown sync.WaitGroup
	shutdown.Go(func() {
		<-asked
		ctx, cancelShutdown := inTime()
		defer cancelShutdown()
		if err := s.c.Shutdown(ctx); err != nil {
			s.t.Errorf("Shutdown: %v", err)
		}
		if slices.Contains(s.t.lacks, FailedAcks) {
			cancel()
		}
	})
	replies, err := s.ask(ctx, s.a.ns.Broadcast(), map[*client]string{s.ada: `[1]`, s.bob: `[2]`, s.dan: `[3]`}, nil)
	shutdown.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		s.t.Fatal("a server that had left was waited for")
	}
	got := sorted(replies)
	if !slices.Contains(s.t.lacks, FailedAcks) && (len(got) < 3 || !slices.Equal(got[:3], []string{"1", "2", "3"})) {
		s.t.Errorf("got %q, %v", got, err)
	}
	s.wantServers(s.a, s.b)
	ctx, cancel = inTime()
	defer cancel()
	if n, err := s.b.ns.Broadcast().Count(ctx); n != 3 || err != nil {
		s.t.Errorf("%d sockets are left, %v", n, err)
	}
}

func (s *servers) testFetch() {
	ctx, cancel := inTime()
	defer cancel()
	for _, test := range []struct {
		name string
		of   socketio.Emitter
		want []string
	}{
		{"all", s.a.ns.Broadcast(), []string{"ada in room1", "bob in room1 room2", "cem in room3", "dan in "}},
		{"a room", s.c.ns.To("room1"), []string{"ada in room1", "bob in room1 room2"}},
		{"all but a room", s.b.ns.Except("room1"), []string{"cem in room3", "dan in "}},
		{"one", s.a.ns.To(s.dan.id), []string{"dan in "}},
		{"no socket", s.a.ns.To("empty"), nil},
		{"this server only", s.b.ns.Local(), []string{"bob in room1 room2", "dan in "}},
	} {
		sockets, err := test.of.Sockets(ctx)
		if err != nil {
			s.t.Errorf("%s: %v", test.name, err)
		}
		var got []string
		for _, socket := range sockets {
			name, ok := nameKey.Get(socket)
			rooms := slices.DeleteFunc(slices.Clone(socket.Rooms), func(room string) bool { return room == socket.ID })
			slices.Sort(rooms)
			got = append(got, name+" in "+strings.Join(rooms, " "))
			if !ok || socket.Handshake.Time.IsZero() || socket.Handshake.Header == nil {
				s.t.Errorf("%s: described as %+v", test.name, socket)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			s.t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if n, err := test.of.Count(ctx); n != len(test.want) || err != nil {
			s.t.Errorf("%s: counted %d, %v, want %d", test.name, n, err, len(test.want))
		}
	}
}

func (s *servers) testCommands() {
	ctx, cancel := inTime()
	defer cancel()
	command := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Error(err)
		}
	}
	command(s.a.ns.To("room2", "room3").Join(ctx, "x", "y"))
	s.waitForRooms(s.a, s.bob, "x")
	s.waitForRooms(s.a, s.cem, "x")
	command(s.a.ns.To("x").Emit("joined"))
	s.wantReceived(s.a, `bob: ["joined"]`, `cem: ["joined"]`)
	command(s.a.ns.To("room3").Leave(ctx, "x"))
	command(s.a.ns.To("x").Emit("left"))
	s.wantReceived(s.a, `bob: ["left"]`)
	command(s.a.ns.Except("y").Join(ctx, "z"))
	s.waitForRooms(s.a, s.dan, "z")
	command(s.a.ns.To("z").Emit("others"))
	s.wantReceived(s.a, `ada: ["others"]`, `dan: ["others"]`)

	command(s.a.ns.To(s.dan.id).Disconnect(ctx))
	if got, want := s.dan.next(), "41"+s.dan.prefix; got != want {
		s.t.Errorf("dan has received %q, want %q", got, want)
	}
	s.dan = s.connect(s.b, "dan")
	command(s.a.ns.To("room3").CloseConnections(ctx))
	s.cem.wantEnd()
	s.cem = s.connect(s.c, "cem", "room3")
	s.wantReceived(s.a)
}

// testMoved checks that Join and Leave have taken effect on the sockets of other servers
// when they return: an event that is emitted next reaches them in their rooms.
func (s *servers) testMoved() {
	ctx, cancel := inTime()
	defer cancel()
	for i := range 20 {
		room := fmt.Sprintf("new%d", i)
		if err := s.a.ns.To(s.bob.id, s.cem.id).Join(ctx, room); err != nil {
			s.t.Fatal(err)
		}
		if err := s.a.ns.To(room).Emit("joined", i); err != nil {
			s.t.Fatal(err)
		}
		if err := s.a.ns.To(s.bob.id).Leave(ctx, room); err != nil {
			s.t.Fatal(err)
		}
		if err := s.a.ns.To(room).Emit("left", i); err != nil {
			s.t.Fatal(err)
		}
		s.wantReceived(s.a, fmt.Sprintf(`bob: ["joined",%d]`, i), fmt.Sprintf(`cem: ["joined",%d]`, i), fmt.Sprintf(`cem: ["left",%d]`, i))
	}
	if err := s.a.ns.To(s.dan.id).Disconnect(ctx); err != nil {
		s.t.Fatal(err)
	}
	if n, err := s.a.ns.Broadcast().Count(ctx); n != 3 || err != nil {
		s.t.Errorf("%d sockets are left, %v", n, err)
	}
}

// wantEnd checks that the session ends, in whatever way.
func (c *client) wantEnd() {
	c.t.Helper()
	for {
		body, err := c.do("GET", "")
		if err != nil || strings.HasSuffix(body, "1") {
			return
		}
		if !strings.HasPrefix(body, "41") && body != "6" {
			c.t.Fatalf("%s has received %q, want the end", c.name, body)
		}
	}
}

func (s *servers) testServerSide() {
	if err := s.a.ns.ServerSideEmit("news", "hello", []byte{1, 2}); err != nil {
		s.t.Error(err)
	}
	for _, srv := range []*server{s.b, s.c} {
		srv.wantEvents("hello 0102")
	}
	ctx, cancel := inTime()
	defer cancel()
	for text, want := range map[string]string{"hi": `"hi!"`, "refuse": `{"error":{"message":"no"}}`} {
		replies, err := s.b.ns.ServerSideEmitWithAck(ctx, "ask", text)
		if got := sorted(replies); err != nil || !slices.Equal(got, []string{want, want}) {
			s.t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	handled := make(chan struct{})
	s.c.ns.OnServerSide("only here", func() string { close(handled); return "yes" })
	ctx, cancel = inTime()
	defer cancel()
	var delivered sync.WaitGroup
	delivered.Go(func() {
		<-handled // it has responded before the next event is handled
		if err := s.a.ns.ServerSideEmit("news", "after the request", []byte{}); err != nil {
			s.t.Error(err)
		}
		s.b.wantEvents("after the request ")
		s.c.wantEvents("after the request ")
		s.wantDelivered()
		cancel()
	})
	replies, err := s.a.ns.ServerSideEmitWithAck(ctx, "only here")
	delivered.Wait()
	var noResponse *socketio.NoResponseError // 1 server, or none if the others were not counted yet
	if !errors.As(err, &noResponse) || noResponse.Count > 1 || !errors.Is(err, context.Canceled) {
		s.t.Errorf("one server does not respond: %v", err)
	}
	if got := sorted(replies); !slices.Equal(got, []string{`"yes"`}) {
		s.t.Errorf("one server does not respond: got %q", got)
	}
	select {
	case event := <-s.a.events:
		s.t.Errorf("the first server was sent %q", event)
	default:
	}
}
