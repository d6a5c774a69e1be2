package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/sio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestRecovery(t *testing.T) {
	t.Parallel()
	const score socketio.Key[int] = "score"
	for _, transport := range []string{siotest.WebSocket, siotest.Polling} {
		siotest.SpecifyRecovery(t, "over "+transport, socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
			var seen []string
			srv.Use(func(_ context.Context, s *socketio.Socket) error {
				seen = append(seen, fmt.Sprint("middleware ", s.Recovered()))
				return nil
			})
			srv.OnConnect(func(s *socketio.Socket) {
				n, _ := score.Get(s)
				seen = append(seen, fmt.Sprint("connection ", s.Recovered(), siotest.Sorted(s.Rooms())[1:], n))
			})
			c := srv.JoinRecovering(t, transport)
			s := c.Socket()
			if err := s.Join("red", "blue"); err != nil {
				t.Fatal(err)
			}
			score.Set(s, 42)
			s.Emit("number", 0)
			c.WantEvents("number 0")
			c.Disconnect()

			srv.To(c.ID).Emit("number", 1)
			srv.Emit("number", 2, "and", []any{"more"})
			srv.To("red").Emit("binary", []byte{1, 2}, map[string]any{"deep": []byte{3}}, []byte{})
			srv.To("green").Emit("not for it")
			srv.To("blue", "red").Emit("number", 3)
			c.WantMissed(
				`number 1`,
				`number 2 "and" ["more"]`,
				`binary {"_placeholder":true,"num":0} {"deep":{"_placeholder":true,"num":1}} {"_placeholder":true,"num":2} 0102 03 `,
				`number 3`)

			again := c.Socket()
			siotest.WantEqual(t, "the id", again.ID(), s.ID())
			siotest.WantEqual(t, "Recovered, of the first socket", s.Recovered(), false)
			if got, want := siotest.Sorted(again.Rooms()), siotest.Sorted([]string{"red", "blue", c.ID}); !slices.Equal(got, want) {
				t.Errorf("rooms %q, want %q", got, want)
			}
			srv.To("red").Emit("number", 4)
			srv.To(c.ID).Emit("number", 5)
			again.Emit("number", 6)
			c.WantEvents("number 4", "number 5", "number 6")
			want := []string{"middleware false", "connection false [] 0", "middleware true", "connection true [red blue] 42"}
			want[3] = fmt.Sprint("connection true ", siotest.Sorted(again.Rooms())[1:], " 42")
			if !slices.Equal(seen, want) {
				t.Errorf("seen %q, want %q", seen, want)
			}

			// And once more, with what it has received since.
			c.Disconnect()
			srv.Emit("number", 7)
			c.WantMissed("number 7")
		})
	}

	siotest.SpecifyRecovery(t, "of a client that has never received an event", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		srv.Emit("before its time")
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		c.WantMissed()
		c.Disconnect()
		srv.Emit("first")
		c.WantMissed("first")
	})

	siotest.SpecifyRecovery(t, "of a client whose offset is of an earlier session", socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute}}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Offset = "xyz-12" // of another server
		c.Disconnect()
		c.WantNotRecovered()
		c.Disconnect()
		c.WantMissed()
		c.Disconnect()
		srv.Emit("hello")
		c.WantMissed("hello")
		c.Disconnect()

		pass := bubble.After(2 * time.Minute)
		srv.Emit("others")
		<-pass
		srv.Emit("others")
		c.WantNotRecovered() // its offset is now of an earlier session with this server
		c.Disconnect()
		c.WantMissed()
	})

	siotest.SpecifyRecovery(t, "of several namespaces of one connection", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		a := srv.JoinRecovering(t, siotest.WebSocket)
		b := &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket, Namespace: "/b", Client: a.Client}
		other := srv.Of("/b")
		b.Rejoin()
		a.Disconnect()
		srv.Emit("to a")
		other.Emit("to b", 1)
		a.WantMissed("to a")
		b.Client = a.Client
		if missed := b.Rejoin(); !slices.Equal(missed, []string{"to b 1"}) || !b.Recovered {
			t.Errorf("missed %q, recovered %v", missed, b.Recovered)
		}
	})

	siotest.SpecifyRecovery(t, "is off by default", socketio.Options{}, func(t *testing.T, _ *siotest.Server) {
		srv := siotest.ServeInMemory(t, nil)
		c := srv.Open(t, siotest.WebSocket)
		c.Write(`40`)
		packet, _ := c.Read().(string)
		if strings.Contains(packet, "pid") {
			t.Errorf("answered %s", packet)
		}
		srv.Emit("hello", 1)
		c.Want(`42["hello",1]`)
	})
}

// Rooms are those that a socket was in when an event was emitted, not those of
// now.
func TestRecoveryOfRooms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// s is the server's end, whose client receives nothing any more.
		play func(srv *siotest.Server, s *socketio.Socket)
		want []string
	}{
		{"joined before", func(srv *siotest.Server, s *socketio.Socket) {
			s.Join("room")
			srv.To("room").Emit("1")
		}, []string{"1"}},
		{"joined later", func(srv *siotest.Server, s *socketio.Socket) {
			srv.To("room").Emit("1")
			s.Join("room")
			srv.To("room").Emit("2")
		}, []string{"2"}},
		{"left before", func(srv *siotest.Server, s *socketio.Socket) {
			s.Join("room")
			srv.To("room").Emit("1")
			s.Leave("room")
			srv.To("room").Emit("2")
		}, []string{"1"}},
		{"left and joined again", func(srv *siotest.Server, s *socketio.Socket) {
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
		{"left and joined again, with nothing in between", func(srv *siotest.Server, s *socketio.Socket) {
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
		{"except", func(srv *siotest.Server, s *socketio.Socket) {
			srv.Except("room").Emit("1")
			s.Join("room")
			srv.Except("room").Emit("2")
			srv.Except("room", s.ID()).Emit("3")
			srv.To("room").Except("other").Emit("4")
			s.Leave("room")
			srv.Except("room").Emit("5")
			srv.Except(s.ID()).Emit("6")
		}, []string{"1", "4", "5"}},
		{"its own room left", func(srv *siotest.Server, s *socketio.Socket) {
			srv.To(s.ID()).Emit("1")
			s.Leave(s.ID())
			srv.To(s.ID()).Emit("2")
			s.Emit("3")
			srv.Emit("4")
		}, []string{"1", "3", "4"}},
		{"the sender", func(srv *siotest.Server, s *socketio.Socket) {
			s.Join("room")
			s.Broadcast().Emit("1")
			s.To("room").Emit("2")
			srv.To("room").Emit("3")
		}, []string{"3"}},
		{"another namespace", func(srv *siotest.Server, s *socketio.Socket) {
			srv.Of("/other").Emit("1")
			srv.Emit("2")
		}, []string{"2"}},
		{"another socket", func(srv *siotest.Server, s *socketio.Socket) {
			for other := range srv.LocalSockets() {
				if other != s {
					other.Emit("1")
				}
			}
			s.Emit("2")
		}, []string{"2"}},
	} {
		siotest.SpecifyRecovery(t, test.name, socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
			srv.JoinRecovering(t, siotest.WebSocket)
			c := srv.JoinRecovering(t, siotest.WebSocket)
			s := c.Socket()
			inRoom := s.Rooms()
			c.MemConn().Freeze()
			test.play(srv, s)
			if len(inRoom) != 1 {
				t.Errorf("rooms at first: %q", inRoom)
			}
			rooms := siotest.Sorted(s.Rooms())
			c.WantMissed(test.want...)
			if got := siotest.Sorted(c.Socket().Rooms()); !slices.Equal(got, rooms) {
				t.Errorf("rooms %q, want %q", got, rooms)
			}
		})
	}
}

func TestRecoveryWhileAway(t *testing.T) {
	t.Parallel()
	siotest.SpecifyRecovery(t, "what a socket that is gone would emit", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		other := srv.JoinRecovering(t, siotest.WebSocket)
		s := c.Socket()
		s.Join("room")
		other.Socket().Join("room")
		c.Disconnect()
		siotest.WantEqual(t, "emitting to it", s.Emit("to itself"), socketio.ErrClosed)
		siotest.WantEqual(t, "joining", s.Join("late"), socketio.ErrClosed)
		s.Leave("room") // no effect
		s.Broadcast().Emit("not for itself")
		c.WantMissed()
		c.WantNothing()
		if got := siotest.Sorted(c.Socket().Rooms()); !slices.Equal(got, siotest.Sorted([]string{"room", c.ID})) {
			t.Errorf("rooms %q", got)
		}
		// It is still the same sender for the rest of the world.
		s.To("room").Emit("for the others")
		c.WantNothing()
		other.WantEvents("not for itself", "for the others")
	})

	siotest.SpecifyRecovery(t, "observers are told of rooms", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
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
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Socket().Join("room")
		want("join roomfalse")
		c.Disconnect()
		want("leave roomfalse")
		c.WantMissed()
		c.Socket().Leave("room")
		want("join roomtrue", "leave roomtrue")
		c.Socket().Join("other")
		c.Disconnect()
		want("join othertrue", "leave othertrue")

		refuse = true // and cut it off while the middleware runs
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		want("join othertrue")
		c.MemConn().Cut()
		synctest.Wait()
		wait <- true
		want("leave othertrue")
		c.Client = srv.Open(t, siotest.WebSocket)
		c.Write("40" + c.Claim())
		want("join othertrue")
		wait <- true
		c.Want(`44{"message":"not today"}`)
		want("leave othertrue")
	})

	siotest.SpecifyRecovery(t, "observers of what is sent see no offset", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		var sent []string
		srv.OnAnyOutgoing(func(_ *socketio.Socket, m socketio.Message) {
			text := m.Event
			for i := range m.Args.Len() {
				text += " " + string(m.Args.Raw(i))
			}
			sent = append(sent, text)
		})
		c := srv.JoinRecovering(t, siotest.WebSocket)
		s := c.Socket()
		s.Emit("one", "text")
		srv.Emit("two", 2)
		c.WantEvents(`one "text"`, `two 2`)
		synctest.Wait() // until nothing is on its way
		s.Volatile().Emit("three", "text")
		c.WantEvents(`three "text"`)
		synctest.Wait() // until nothing is on its way
		s.Volatile().Emit("four", 4)
		c.WantEvents(`four 4`)
		synctest.Wait() // until nothing is on its way
		srv.Volatile().Emit("five")
		c.WantEvents(`five`)
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
		emit func(t *testing.T, c *siotest.RecoveringClient, s *socketio.Socket)
	}{
		{"nothing", func(*testing.T, *siotest.RecoveringClient, *socketio.Socket) {}},
		{"volatile", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", 1)
			c.WantEvents("v 1")
		}},
		{"volatile with a string at its end", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", 1, "text")
			c.WantEvents(`v 1 "text"`)
		}},
		{"volatile with raw JSON at its end", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", json.RawMessage("\"text\" \r\n\t"))
			c.WantEvents(`v "text"`)
		}},
		{"volatile with a type of string at its end", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", socketio.ReasonParse)
			c.WantEvents(`v "parse error"`)
		}},
		{"volatile with binary at its end", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", "text", []byte{7})
			c.WantEvents(`v "text" {"_placeholder":true,"num":0} 07`)
		}},
		{"volatile with binary and a string", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v", []byte{7}, "text")
			c.WantEvents(`v {"_placeholder":true,"num":0} "text" 07`)
		}},
		{"volatile without arguments", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Volatile().Emit("v")
			c.WantEvents("v")
		}},
		{"volatile broadcast", func(_ *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			s.Namespace().Volatile().Emit("v", "text")
			c.WantEvents(`v "text"`)
		}},
		{"asked for an answer", func(t *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			answered := make(chan error)
			go func() {
				_, err := s.EmitWithAck(t.Context(), "q", "text")
				answered <- err
			}()
			c.Want(`420["q","text"]`)
			c.Write(`430["yes"]`)
			siotest.WantEqual(t, "EmitWithAck", <-answered, nil)
			s.Emit("q", "text", func(socketio.Args, error) { answered <- nil })
			c.Want(`421["q","text"]`)
			c.Write(`431[]`)
			<-answered
		}},
		{"everybody asked for an answer", func(t *testing.T, c *siotest.RecoveringClient, s *socketio.Socket) {
			answered := make(chan int)
			go func() {
				replies, err := s.Namespace().EmitWithAck(t.Context(), "q", "text")
				if err != nil {
					t.Error(err)
				}
				answered <- len(replies)
			}()
			packet, _ := c.Read().(string)
			var p sio.Packet
			if err := p.Decode([]byte(packet[1:]), sio.Limits{}); err != nil || string(p.Data) != `["q","text"]` {
				t.Fatalf("%s: %v", packet, err)
			}
			c.Write(fmt.Sprintf(`43%d[]`, p.ID))
			siotest.WantEqual(t, "replies", <-answered, 1)
		}},
		{"an answer to the client", func(t *testing.T, c *siotest.RecoveringClient, _ *socketio.Socket) {
			siotest.WantEqual(t, "the answer", c.Ask(`["echo","text"]`), `["text"]`)
		}},
	} {
		for _, before := range []bool{false, true} {
			name := test.name
			if before {
				name += ", after an event"
			}
			siotest.SpecifyRecovery(t, name, socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
				c := srv.JoinRecovering(t, siotest.WebSocket)
				s := c.Socket()
				if before {
					s.Emit("before")
					c.WantEvents("before")
				}
				synctest.Wait() // until nothing is on its way
				test.emit(t, c, s)
				synctest.Wait()
				c.Disconnect()
				s.Volatile().Emit("lost")
				srv.Volatile().Emit("lost", "text")
				srv.Emit("kept")
				_, err := srv.EmitWithAck(t.Context(), "lost")
				siotest.WantEqual(t, "asking nobody", err, nil)
				c.WantMissed("kept")
			})
		}
	}

	siotest.SpecifyRecovery(t, "an event that can't be encoded", socketio.Options{}, func(t *testing.T, srv *siotest.Server) {
		c := srv.JoinRecovering(t, siotest.WebSocket)
		c.Disconnect()
		srv.Emit("1")
		if err := srv.Emit("2", func() {}); err == nil {
			t.Error("a function was emitted")
		}
		if err := srv.Emit("connect"); !errors.Is(err, socketio.ErrReserved) {
			t.Errorf("a reserved name: %v", err)
		}
		srv.Emit("3")
		c.WantMissed("1", "3")
	})
}
