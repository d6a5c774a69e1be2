package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/sio"
)

// A returner is a client that claims what it missed when it connects again, as
// the official client does.
type returner struct {
	*client // the connection of now

	srv       *testServer
	transport string
	namespace string // "" is "/"

	id, pid   string
	offset    string // empty until it has received one
	recovered bool
}

// arrive joins "/" for the first time.
func (srv *testServer) arrive(t testing.TB, transport string) *returner {
	t.Helper()
	r := &returner{srv: srv, transport: transport}
	r.client = srv.open(t, transport)
	if early := r.joinAgain(); len(early) > 0 {
		t.Fatalf("received %v before having connected", early)
	}
	return r
}

// comeBack connects again and returns what it received before the answer to its
// CONNECT.
func (r *returner) comeBack() (missed []string) {
	r.t.Helper()
	r.client = r.srv.open(r.t, r.transport)
	return r.joinAgain()
}

// joinAgain joins the namespace on the connection of now.
func (r *returner) joinAgain() (missed []string) {
	r.t.Helper()
	missed, err := r.tryToJoin()
	if err != nil {
		r.t.Fatalf("joining again: %v", err)
	}
	return missed
}

// claim is what it says of itself.
func (r *returner) claim() string {
	claim := make(map[string]string)
	if r.pid != "" {
		claim["pid"] = r.pid
	}
	if r.offset != "" {
		claim["offset"] = r.offset
	}
	text, _ := json.Marshal(claim)
	return string(text)
}

// tryToJoin is joinAgain that may fail.
func (r *returner) tryToJoin() (missed []string, err error) {
	events, err := r.connect()
	for _, event := range events {
		missed = append(missed, event.text)
	}
	return missed, err
}

// connect sends a CONNECT. What it receives before the answer counts only when
// the answer comes.
func (r *returner) connect() (missed []received, err error) {
	head := "40" + r.namespace
	if r.namespace != "" {
		head += ","
	}
	if err := r.wire.write(head + r.claim()); err != nil {
		return nil, err
	}
	offset := r.offset
	for {
		event, err := r.receive()
		if err != nil {
			return nil, err
		}
		if event.answer == nil {
			missed = append(missed, event)
			offset = event.offset
			continue
		}
		if event.answer.SID == "" {
			return nil, fmt.Errorf("CONNECT was answered with %s", event.text)
		}
		r.recovered = r.pid != "" && r.pid == event.answer.PID
		if same := r.id == event.answer.SID; same != r.recovered {
			r.t.Errorf("recovered: %v, but the same id: %v", r.recovered, same)
		}
		r.id, r.pid, r.offset = event.answer.SID, event.answer.PID, offset
		return missed, nil
	}
}

// A received is an event, or the answer to a CONNECT.
type received struct {
	text   string // the payload without offset, with the binary parts behind it
	parts  []string
	offset string // where the client is then
	answer *struct{ SID, PID string }
}

// offsetLike is the form of our offsets, which arguments of these tests do not
// have.
var offsetLike = regexp.MustCompile(`^[0-9a-z]+-[0-9a-z]+$`)

func (r *returner) receive() (event received, err error) {
	packet, err := r.next()
	if err != nil {
		return event, err
	}
	text, ok := packet.(string)
	var p sio.Packet
	if !ok || len(text) == 0 || text[0] != '4' || p.Decode([]byte(text[1:]), sio.Limits{Attachments: 100}) != nil {
		return event, fmt.Errorf("received %s", show(packet))
	}
	event.text, event.offset = string(p.Data), r.offset
	switch p.Type {
	case sio.Connect, sio.ConnectError:
		event.answer = new(struct{ SID, PID string })
		return event, json.Unmarshal(p.Data, event.answer)
	case sio.Event, sio.BinaryEvent:
	default:
		return event, fmt.Errorf("received %s", text)
	}
	elements := []string{string(p.Name)}
	for _, arg := range p.Args {
		elements = append(elements, string(arg))
	}
	var last string
	raw := elements[len(elements)-1]
	if len(p.Args) == 0 {
		last = raw // even a name is taken for an offset
	} else if json.Unmarshal([]byte(raw), &last) == nil && p.ID >= 0 {
		last = ""
	}
	if last != "" && p.ID < 0 {
		event.offset = last
	}
	if offsetLike.MatchString(last) {
		elements = elements[:len(elements)-1]
	}
	event.text = strings.Join(elements, " ")
	for range p.Attachments {
		packet, err := r.next()
		if err != nil {
			return event, err
		}
		part, ok := packet.([]byte)
		if !ok {
			return event, fmt.Errorf("received %s for an attachment", show(packet))
		}
		event.parts = append(event.parts, string(part))
		event.text += fmt.Sprintf(" %x", part)
	}
	return event, nil
}

// wantEvents reads events and compares them.
func (r *returner) wantEvents(events ...string) {
	r.t.Helper()
	for _, want := range events {
		got, err := r.receive()
		if err != nil {
			r.t.Fatalf("%v instead of %s", err, want)
		}
		wantEqual(r.t, "received", got.text, want)
		r.offset = got.offset
	}
}

// wantMissed comes back and compares what it has missed.
func (r *returner) wantMissed(events ...string) {
	r.t.Helper()
	missed := r.comeBack()
	if !slices.Equal(missed, events) {
		r.t.Errorf("missed %q, want %q", missed, events)
	}
	if !r.recovered {
		r.t.Error("it has not recovered")
	}
}

// wantFresh comes back and is a stranger.
func (r *returner) wantFresh() {
	r.t.Helper()
	if missed := r.comeBack(); r.recovered || len(missed) > 0 {
		r.t.Errorf("recovered: %v, missed %q; want a fresh session", r.recovered, missed)
	}
}

// leave loses the connection, and waits until the server knows.
func (r *returner) leave() {
	r.t.Helper()
	if r.transport == webSocket {
		r.conn().Cut()
	} else {
		r.write("1")
	}
	r.srv.wantLeft(r.t, r.id, socketio.ReasonTransport)
}

// socket returns the server's end.
func (r *returner) socket() *socketio.Socket {
	r.t.Helper()
	r.wantNothing() // once it has been heard, it can be found
	s, ok := r.srv.LocalSocket(r.id)
	if !ok {
		r.t.Fatalf("there is no socket %s", r.id)
	}
	return s
}

// specifyRecovery is a behaviour of a server with recovery, in a bubble.
func specifyRecovery(t *testing.T, behaviour string, opts socketio.Options, body func(t *testing.T, srv *testServer)) {
	t.Helper()
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			if opts.Recovery == nil {
				opts.Recovery = new(socketio.Recovery)
			}
			body(t, serveInMemory(t, &opts))
		})
	})
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	const score socketio.Key[int] = "score"
	for _, transport := range []string{webSocket, polling} {
		specifyRecovery(t, "over "+transport, socketio.Options{}, func(t *testing.T, srv *testServer) {
			var seen []string
			srv.Use(func(_ context.Context, s *socketio.Socket) error {
				seen = append(seen, fmt.Sprint("middleware ", s.Recovered()))
				return nil
			})
			srv.OnConnect(func(s *socketio.Socket) {
				n, _ := score.Get(s)
				seen = append(seen, fmt.Sprint("connection ", s.Recovered(), sorted(s.Rooms())[1:], n))
			})
			c := srv.arrive(t, transport)
			s := c.socket()
			if err := s.Join("red", "blue"); err != nil {
				t.Fatal(err)
			}
			score.Set(s, 42)
			s.Emit("number", 0)
			c.wantEvents("number 0")
			c.leave()

			srv.To(c.id).Emit("number", 1)
			srv.Emit("number", 2, "and", []any{"more"})
			srv.To("red").Emit("binary", []byte{1, 2}, map[string]any{"deep": []byte{3}}, []byte{})
			srv.To("green").Emit("not for it")
			srv.To("blue", "red").Emit("number", 3)
			c.wantMissed(
				`number 1`,
				`number 2 "and" ["more"]`,
				`binary {"_placeholder":true,"num":0} {"deep":{"_placeholder":true,"num":1}} {"_placeholder":true,"num":2} 0102 03 `,
				`number 3`)

			again := c.socket()
			wantEqual(t, "the id", again.ID(), s.ID())
			wantEqual(t, "Recovered, of the first socket", s.Recovered(), false)
			if got, want := sorted(again.Rooms()), sorted([]string{"red", "blue", c.id}); !slices.Equal(got, want) {
				t.Errorf("rooms %q, want %q", got, want)
			}
			srv.To("red").Emit("number", 4)
			srv.To(c.id).Emit("number", 5)
			again.Emit("number", 6)
			c.wantEvents("number 4", "number 5", "number 6")
			want := []string{"middleware false", "connection false [] 0", "middleware true", "connection true [red blue] 42"}
			want[3] = fmt.Sprint("connection true ", sorted(again.Rooms())[1:], " 42")
			if !slices.Equal(seen, want) {
				t.Errorf("seen %q, want %q", seen, want)
			}

			// And once more, with what it has received since.
			c.leave()
			srv.Emit("number", 7)
			c.wantMissed("number 7")
		})
	}

	specifyRecovery(t, "of a client that has never received an event", socketio.Options{}, func(t *testing.T, srv *testServer) {
		srv.Emit("before its time")
		c := srv.arrive(t, webSocket)
		c.leave()
		c.wantMissed()
		c.leave()
		srv.Emit("first")
		c.wantMissed("first")
	})

	specifyRecovery(t, "of a client whose offset is of an earlier session", socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.offset = "xyz-12" // of another server
		c.leave()
		c.wantFresh()
		c.leave()
		c.wantMissed()
		c.leave()
		srv.Emit("hello")
		c.wantMissed("hello")
		c.leave()

		pass := time.After(2 * time.Minute)
		srv.Emit("others")
		<-pass
		srv.Emit("others")
		c.wantFresh() // its offset is now of an earlier session with this server
		c.leave()
		c.wantMissed()
	})

	specifyRecovery(t, "of several namespaces of one connection", socketio.Options{}, func(t *testing.T, srv *testServer) {
		a := srv.arrive(t, webSocket)
		b := &returner{srv: srv, transport: webSocket, namespace: "/b", client: a.client}
		other := srv.Of("/b")
		b.joinAgain()
		a.leave()
		srv.Emit("to a")
		other.Emit("to b", 1)
		a.wantMissed("to a")
		b.client = a.client
		if missed := b.joinAgain(); !slices.Equal(missed, []string{"to b 1"}) || !b.recovered {
			t.Errorf("missed %q, recovered %v", missed, b.recovered)
		}
	})

	specifyRecovery(t, "is off by default", socketio.Options{}, func(t *testing.T, _ *testServer) {
		srv := serveInMemory(t, nil)
		c := srv.open(t, webSocket)
		c.write(`40`)
		packet, _ := c.read().(string)
		if strings.Contains(packet, "pid") {
			t.Errorf("answered %s", packet)
		}
		srv.Emit("hello", 1)
		c.want(`42["hello",1]`)
	})
}

// Rooms are those that a socket was in when an event was emitted, not those of
// now.
func TestRecoveryOfRooms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// s is the server's end, whose client receives nothing any more.
		play func(srv *testServer, s *socketio.Socket)
		want []string
	}{
		{"joined before", func(srv *testServer, s *socketio.Socket) {
			s.Join("room")
			srv.To("room").Emit("1")
		}, []string{"1"}},
		{"joined later", func(srv *testServer, s *socketio.Socket) {
			srv.To("room").Emit("1")
			s.Join("room")
			srv.To("room").Emit("2")
		}, []string{"2"}},
		{"left before", func(srv *testServer, s *socketio.Socket) {
			s.Join("room")
			srv.To("room").Emit("1")
			s.Leave("room")
			srv.To("room").Emit("2")
		}, []string{"1"}},
		{"left and joined again", func(srv *testServer, s *socketio.Socket) {
			for i := range 40 {
				s.Join("room")
				srv.To("room").Emit(fmt.Sprint("in ", i))
				s.Leave("room")
				srv.To("room").Emit("out")
			}
		}, func() (want []string) {
			for i := range 40 {
				want = append(want, fmt.Sprint("in ", i))
			}
			return want
		}()},
		{"left and joined again, with nothing in between", func(srv *testServer, s *socketio.Socket) {
			s.Join("room")
			s.Leave("room")
			srv.To("room").Emit("1")
			s.Join("room")
			srv.To("room").Emit("2")
			s.Leave("room")
			s.Join("room")
			srv.To("room").Emit("3")
			s.Join("room")
			srv.To("room").Emit("4")
		}, []string{"2", "3", "4"}},
		{"except", func(srv *testServer, s *socketio.Socket) {
			srv.Except("room").Emit("1")
			s.Join("room")
			srv.Except("room").Emit("2")
			srv.Except("room", s.ID()).Emit("3")
			srv.To("room").Except("other").Emit("4")
			s.Leave("room")
			srv.Except("room").Emit("5")
			srv.Except(s.ID()).Emit("6")
		}, []string{"1", "4", "5"}},
		{"its own room left", func(srv *testServer, s *socketio.Socket) {
			srv.To(s.ID()).Emit("1")
			s.Leave(s.ID())
			srv.To(s.ID()).Emit("2")
			s.Emit("3")
			srv.Emit("4")
		}, []string{"1", "3", "4"}},
		{"the sender", func(srv *testServer, s *socketio.Socket) {
			s.Join("room")
			s.Broadcast().Emit("1")
			s.To("room").Emit("2")
			srv.To("room").Emit("3")
		}, []string{"3"}},
		{"another namespace", func(srv *testServer, s *socketio.Socket) {
			srv.Of("/other").Emit("1")
			srv.Emit("2")
		}, []string{"2"}},
		{"another socket", func(srv *testServer, s *socketio.Socket) {
			for other := range srv.LocalSockets() {
				if other != s {
					other.Emit("1")
				}
			}
			s.Emit("2")
		}, []string{"2"}},
	} {
		specifyRecovery(t, test.name, socketio.Options{}, func(t *testing.T, srv *testServer) {
			srv.arrive(t, webSocket)
			c := srv.arrive(t, webSocket)
			s := c.socket()
			inRoom := s.Rooms()
			c.conn().Freeze()
			test.play(srv, s)
			if len(inRoom) != 1 {
				t.Errorf("rooms at first: %q", inRoom)
			}
			rooms := sorted(s.Rooms())
			c.wantMissed(test.want...)
			if got := sorted(c.socket().Rooms()); !slices.Equal(got, rooms) {
				t.Errorf("rooms %q, want %q", got, rooms)
			}
		})
	}
}

func TestRecoveryWhileAway(t *testing.T) {
	t.Parallel()
	specifyRecovery(t, "what a socket that is gone would emit", socketio.Options{}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		other := srv.arrive(t, webSocket)
		s := c.socket()
		s.Join("room")
		other.socket().Join("room")
		c.leave()
		wantEqual(t, "emitting to it", s.Emit("to itself"), socketio.ErrClosed)
		wantEqual(t, "joining", s.Join("late"), socketio.ErrClosed)
		s.Leave("room") // no effect
		s.Broadcast().Emit("not for itself")
		c.wantMissed()
		c.wantNothing()
		if got := sorted(c.socket().Rooms()); !slices.Equal(got, sorted([]string{"room", c.id})) {
			t.Errorf("rooms %q", got)
		}
		// It is still the same sender for the rest of the world.
		s.To("room").Emit("for the others")
		c.wantNothing()
		other.wantEvents("not for itself", "for the others")
	})

	specifyRecovery(t, "observers are told of rooms", socketio.Options{}, func(t *testing.T, srv *testServer) {
		var told []string
		srv.OnJoin(func(s *socketio.Socket, room string) { told = append(told, fmt.Sprint("join ", room, s.Recovered())) })
		srv.OnLeave(func(s *socketio.Socket, room string) { told = append(told, fmt.Sprint("leave ", room, s.Recovered())) })
		refuse, wait := false, make(chan bool)
		srv.Use(func(ctx context.Context, s *socketio.Socket) error {
			if refuse {
				<-wait
				return socketio.Errorf("not today")
			}
			return nil
		})
		want := func(events ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(told, events) {
				t.Errorf("told %q, want %q", told, events)
			}
			told = nil
		}
		c := srv.arrive(t, webSocket)
		c.socket().Join("room")
		want("join roomfalse")
		c.leave()
		want("leave roomfalse")
		c.wantMissed()
		c.socket().Leave("room")
		want("join roomtrue", "leave roomtrue")
		c.socket().Join("other")
		c.leave()
		want("join othertrue", "leave othertrue")

		refuse = true // and cut it off while the middleware runs
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		want("join othertrue")
		c.conn().Cut()
		synctest.Wait()
		wait <- true
		want("leave othertrue")
		c.client = srv.open(t, webSocket)
		c.write("40" + c.claim())
		want("join othertrue")
		wait <- true
		c.want(`44{"message":"not today"}`)
		want("leave othertrue")
	})

	specifyRecovery(t, "observers of what is sent see no offset", socketio.Options{}, func(t *testing.T, srv *testServer) {
		var sent []string
		srv.OnAnyOutgoing(func(_ *socketio.Socket, m socketio.Message) {
			text := m.Event
			for i := range m.Args.Len() {
				text += " " + string(m.Args.Raw(i))
			}
			sent = append(sent, text)
		})
		c := srv.arrive(t, webSocket)
		s := c.socket()
		s.Emit("one", "text")
		srv.Emit("two", 2)
		c.wantEvents(`one "text"`, `two 2`)
		synctest.Wait() // until nothing is on its way
		s.Volatile().Emit("three", "text")
		c.wantEvents(`three "text"`)
		synctest.Wait() // until nothing is on its way
		s.Volatile().Emit("four", 4)
		c.wantEvents(`four 4`)
		synctest.Wait() // until nothing is on its way
		srv.Volatile().Emit("five")
		c.wantEvents(`five`)
		want := []string{`one "text"`, `two 2`, `three "text"`, `four 4`, `five`}
		if !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
	})
}

// What is not kept must not make the client lose its place.
func TestRecoveryAndWhatIsNotKept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		emit func(t *testing.T, c *returner, s *socketio.Socket)
	}{
		{"nothing", func(*testing.T, *returner, *socketio.Socket) {}},
		{"volatile", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", 1)
			c.wantEvents("v 1")
		}},
		{"volatile with a string at its end", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", 1, "text")
			c.wantEvents(`v 1 "text"`)
		}},
		{"volatile with raw JSON at its end", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", json.RawMessage("\"text\" \r\n\t"))
			c.wantEvents(`v "text"`)
		}},
		{"volatile with a type of string at its end", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", socketio.ReasonParse)
			c.wantEvents(`v "parse error"`)
		}},
		{"volatile with binary at its end", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", "text", []byte{7})
			c.wantEvents(`v "text" {"_placeholder":true,"num":0} 07`)
		}},
		{"volatile with binary and a string", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v", []byte{7}, "text")
			c.wantEvents(`v {"_placeholder":true,"num":0} "text" 07`)
		}},
		{"volatile without arguments", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Volatile().Emit("v")
			c.wantEvents("v")
		}},
		{"volatile broadcast", func(_ *testing.T, c *returner, s *socketio.Socket) {
			s.Namespace().Volatile().Emit("v", "text")
			c.wantEvents(`v "text"`)
		}},
		{"asked for an answer", func(t *testing.T, c *returner, s *socketio.Socket) {
			answered := make(chan error)
			go func() {
				_, err := s.EmitWithAck(t.Context(), "q", "text")
				answered <- err
			}()
			c.want(`420["q","text"]`)
			c.write(`430["yes"]`)
			wantEqual(t, "EmitWithAck", <-answered, nil)
			s.Emit("q", "text", func(socketio.Args, error) { answered <- nil })
			c.want(`421["q","text"]`)
			c.write(`431[]`)
			<-answered
		}},
		{"everybody asked for an answer", func(t *testing.T, c *returner, s *socketio.Socket) {
			answered := make(chan int)
			go func() {
				replies, err := s.Namespace().EmitWithAck(t.Context(), "q", "text")
				if err != nil {
					t.Error(err)
				}
				answered <- len(replies)
			}()
			packet, _ := c.read().(string)
			var p sio.Packet
			if err := p.Decode([]byte(packet[1:]), sio.Limits{}); err != nil || string(p.Data) != `["q","text"]` {
				t.Fatalf("%s: %v", packet, err)
			}
			c.write(fmt.Sprintf(`43%d[]`, p.ID))
			wantEqual(t, "replies", <-answered, 1)
		}},
		{"an answer to the client", func(t *testing.T, c *returner, _ *socketio.Socket) {
			wantEqual(t, "the answer", c.ask(`["echo","text"]`), `["text"]`)
		}},
	} {
		for _, before := range []bool{false, true} {
			name := test.name
			if before {
				name += ", after an event"
			}
			specifyRecovery(t, name, socketio.Options{}, func(t *testing.T, srv *testServer) {
				c := srv.arrive(t, webSocket)
				s := c.socket()
				if before {
					s.Emit("before")
					c.wantEvents("before")
				}
				synctest.Wait() // until nothing is on its way
				test.emit(t, c, s)
				synctest.Wait()
				c.leave()
				s.Volatile().Emit("lost")
				srv.Volatile().Emit("lost", "text")
				srv.Emit("kept")
				_, err := srv.EmitWithAck(t.Context(), "lost")
				wantEqual(t, "asking nobody", err, nil)
				c.wantMissed("kept")
			})
		}
	}

	specifyRecovery(t, "an event that can't be encoded", socketio.Options{}, func(t *testing.T, srv *testServer) {
		c := srv.arrive(t, webSocket)
		c.leave()
		srv.Emit("1")
		if err := srv.Emit("2", func() {}); err == nil {
			t.Error("a function was emitted")
		}
		if err := srv.Emit("connect"); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("a reserved name: %v", err)
		}
		srv.Emit("3")
		c.wantMissed("1", "3")
	})
}
