package tests_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A crowd is some clients of one server, by name, and their sockets.
type crowd struct {
	t       *testing.T
	srv     *siotest.Server
	clients map[string]*siotest.Client
	sockets map[string]*socketio.Socket
}

// gather lets clients join "/". Each is given as its name and its rooms, such
// as "ann: lobby games".
func gather(t *testing.T, srv *siotest.Server, transport string, members ...string) *crowd {
	t.Helper()
	g := &crowd{t, srv, make(map[string]*siotest.Client), make(map[string]*socketio.Socket)}
	for _, member := range members {
		name, rooms, _ := strings.Cut(member, ":")
		c, s := srv.JoinSocket(t, transport)
		if err := s.Join(strings.Fields(rooms)...); err != nil {
			t.Fatal(err)
		}
		g.clients[name], g.sockets[name] = c, s
	}
	return g
}

// receivers emits once and says who receives it, exactly once.
func (g *crowd) receivers(emit func(event string, args ...any) error) string {
	g.t.Helper()
	if err := emit("v", 1, []byte{7}); err != nil {
		g.t.Fatal(err)
	}
	var got []string
	for _, name := range slices.Sorted(maps.Keys(g.clients)) {
		c := g.clients[name]
		c.Acks++
		c.Write(fmt.Sprintf(`42%d["sync"]`, 1000+c.Acks))
		packet := c.Read()
		if siotest.Show(packet) == `451-["v",1,{"_placeholder":true,"num":0}]` {
			c.Want([]byte{7})
			got = append(got, name)
			packet = c.Read()
		}
		siotest.WantEqual(g.t, name+" hears", siotest.Show(packet), fmt.Sprintf(`43%d[]`, 1000+c.Acks))
	}
	return strings.Join(got, " ")
}

func TestWhomAnEmitterReaches(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		g := gather(t, srv, transport, "ann: lobby", "bob: lobby games", "cid: games", "dan:", "eve: lobby games news")
		ann, dan, eve := g.sockets["ann"], g.sockets["dan"], g.sockets["eve"]
		everybody := "ann bob cid dan eve"
		tests := []struct {
			name string
			e    socketio.Target
			want string
		}{
			{"the server", srv, everybody},
			{"its namespace", srv.Of("/"), everybody},
			{"Broadcast", srv.Broadcast(), everybody},
			{"Local", srv.Local(), everybody},
			{"a room", srv.To("lobby"), "ann bob eve"},
			{"a room's handle", srv.Room("games"), "bob cid eve"},
			{"no room", srv.To("nowhere"), ""},
			{"several rooms", srv.To("lobby", "games"), "ann bob cid eve"},
			{"several rooms, chained", srv.To("lobby").To("games").To("games", "nowhere"), "ann bob cid eve"},
			{"a room and others", srv.Room("news").To("lobby"), "ann bob eve"},
			{"but for a room", srv.Except("games"), "ann dan"},
			{"but for several", srv.Except("games", "lobby"), "dan"},
			{"but for nobody", srv.Except("nowhere"), everybody},
			{"a room but for another", srv.To("lobby").Except("games"), "ann"},
			{"a room's handle but for another", srv.Room("lobby").Except("news"), "ann bob"},
			{"rooms but for rooms", srv.To("lobby", "games").Except("news").Except("nowhere"), "ann bob cid"},
			{"a room but for itself", srv.To("lobby").Except("lobby"), ""},
			{"a socket by its id", srv.To(dan.ID()), "dan"},
			{"a socket and a room", srv.To(dan.ID(), "news"), "dan eve"},
			{"but for a socket", srv.Except(dan.ID()), "ann bob cid eve"},
			{"a room but for a socket", srv.To("lobby").Except(ann.ID(), dan.ID()), "bob eve"},
			{"itself", ann, "ann"},
			{"the others", ann.Broadcast(), "bob cid dan eve"},
			{"the others in a room", ann.To("lobby"), "bob eve"},
			{"the others in a room it is not in", dan.To("lobby"), "ann bob eve"},
			{"the others in several rooms", eve.To("lobby", "games"), "ann bob cid"},
			{"the others but for a room", dan.Except("games"), "ann"},
			{"itself by its id", ann.To(ann.ID()), ""},
			{"an empty list of rooms", srv.To(), ""},
			{"an empty list and a room", srv.To().To("lobby"), "ann bob eve"},
			{"a room and an empty list", srv.To("lobby").To(), "ann bob eve"},
			{"an empty list but for a room", srv.To().Except("games"), ""},
			{"but for a room, to an empty list", srv.Except("games").To(), ""},
			{"but for an empty list", srv.Except(), everybody},
			{"an empty list, chained", srv.Broadcast().Local().To().Compress(false), ""},
			{"a room's handle and an empty list", srv.Room("games").To(), "bob cid eve"},
			{"a room's handle but for an empty list", srv.Room("games").Except(), "bob cid eve"},
			{"the others in an empty list", ann.To(), ""},
			{"the others but for an empty list", ann.Except(), "bob cid dan eve"},
			{"itself, then an empty list", ann.Compress(false).To(), ""},
			{"a template and an empty list", srv.OfMatch(func(string) bool { return false }).To(), ""},
			{"the others, chained", ann.Broadcast().To("lobby").Except("news"), "bob"},
		}
		for _, tt := range tests {
			siotest.WantEqual(t, tt.name, g.receivers(tt.e.Emit), tt.want)
		}
		eve.Leave("lobby", "nowhere")
		siotest.WantEqual(t, "after Leave", g.receivers(srv.To("lobby").Emit), "ann bob")
		srv.Room("lobby").Leave(ann)
		siotest.WantEqual(t, "after Room.Leave", g.receivers(srv.To("lobby").Emit), "bob")
		srv.Room("lobby").Join(ann, dan)
		siotest.WantEqual(t, "after Room.Join", g.receivers(srv.To("lobby").Emit), "ann bob dan")
		dan.Leave(dan.ID())
		siotest.WantEqual(t, "without its own room", g.receivers(srv.To(dan.ID()).Emit), "")
		siotest.WantEqual(t, "without its own room, as an exception", g.receivers(srv.Except(dan.ID()).Emit), everybody)
		dan.Join(dan.ID())
		siotest.WantEqual(t, "with it again", g.receivers(srv.To(dan.ID()).Emit), "dan")
		ann.Join(dan.ID())
		siotest.WantEqual(t, "in another's own room", g.receivers(srv.To(dan.ID()).Emit), "ann dan")
	})
}

func TestWhomAVolatileEmitterReaches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		g := gather(t, srv, siotest.WebSocket, "ann: lobby", "bob: lobby games", "cid: games", "dan:", "eve: lobby games news")
		ann := g.sockets["ann"]
		for _, tt := range []struct {
			name string
			e    socketio.Target
			want string
		}{
			{"the server", srv.Volatile(), "ann bob cid dan eve"},
			{"a room", srv.Room("lobby").Volatile(), "ann bob eve"},
			{"a socket", ann.Volatile(), "ann"},
			{"the others in a room", ann.Volatile().To("games").Except("news"), "bob cid"},
			{"the others but for a room", ann.Volatile().Except("games"), "dan"},
			{"the others in a room, the other way round", ann.To("games").Except("news").Volatile(), "bob cid"},
		} {
			synctest.Wait() // until nothing is on its way to anybody
			siotest.WantEqual(t, tt.name, g.receivers(tt.e.Emit), tt.want)
		}
	})
}

func TestEmittersAreValues(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann: a", "bob: b", "cid: c")
	base := srv.To("a")
	withB, withC := base.To("b"), base.To("c")
	notB, notC := srv.Except("b"), srv.Except("c")
	siotest.WantEqual(t, "the base", g.receivers(base.Emit), "ann")
	siotest.WantEqual(t, "one branch", g.receivers(withB.Emit), "ann bob")
	siotest.WantEqual(t, "the other", g.receivers(withC.Emit), "ann cid")
	siotest.WantEqual(t, "an exception", g.receivers(notB.Except("a").Emit), "cid")
	siotest.WantEqual(t, "the exception it grew from", g.receivers(notB.Emit), "ann cid")
	siotest.WantEqual(t, "another exception", g.receivers(notC.Emit), "ann bob")
	rooms := []string{"a", "b"}
	e := srv.To(rooms...)
	rooms[0] = "c"
	siotest.WantEqual(t, "rooms changed afterwards", g.receivers(e.Emit), "ann bob")
}

func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Open(t, siotest.WebSocket)
	root := c.Join("/", "")
	srv.Of("chat").On("sync", func() {})
	chat := c.Join("/chat", "")
	if root == chat {
		t.Error("one id for both")
	}
	c.Write(`42/chat,7["sync"]`)
	c.Want(`43/chat,7[]`)
	srv.Socket(t, c, root).Join("room")
	s, ok := srv.Of("/chat").LocalSocket(chat)
	if !ok {
		t.Fatal("no socket in /chat")
	}
	siotest.WantEqual(t, "namespace", s.Namespace(), srv.Of("/chat"))
	srv.Emit("v", 1)
	srv.Of("/chat").Emit("v", 2)
	srv.To("room").Emit("v", 3)
	srv.Of("/chat").To("room").Emit("v", 4)
	s.Emit("v", []byte{5})
	c.Want(`42["v",1]`, `42/chat,["v",2]`, `42["v",3]`, `451-/chat,["v",{"_placeholder":true,"num":0}]`, []byte{5})
	c.WantNothing()
}

func TestVolatileEventsAreDropped(t *testing.T) {
	t.Parallel()
	// In a bubble no time passes while a handler runs, so the reader sends
	// nothing before it returns.
	emits := func(t *testing.T, fn func(*socketio.Socket)) *siotest.Client {
		srv := siotest.ServeInMemory(t, nil)
		srv.On("go", fn)
		c := srv.Join(t, siotest.WebSocket)
		c.Write(`42["go"]`)
		return c
	}
	t.Run("behind others", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := emits(t, func(s *socketio.Socket) {
				s.Emit("v", 1)
				s.Volatile().Emit("v", 2, []byte("x"))
				s.Namespace().To(s.ID()).Volatile().Emit("v", 3)
				s.Emit("v", 4)
			})
			c.Want(`42["v",1]`, `42["v",4]`)
			c.WantNothing()
		})
	})
	t.Run("of two only the first", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := emits(t, func(s *socketio.Socket) {
				s.Volatile().Emit("v", 1, []byte("x"))
				s.Volatile().Emit("v", 2)
			})
			c.Want(`451-["v",1,{"_placeholder":true,"num":0}]`, []byte("x"))
			c.WantNothing()
		})
	})
	t.Run("while the network takes no more", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c, s := srv.JoinSocket(t, siotest.WebSocket)
			c.MemConn().In().SetCapacity(10)
			s.Emit("v", 1, strings.Repeat("x", 100))
			synctest.Wait()
			s.Volatile().Emit("v", 2)
			s.Emit("v", 3)
			c.Want(`42["v",1,"`+strings.Repeat("x", 100)+`"]`, `42["v",3]`)
			c.WantNothing()
			synctest.Wait()
			s.Volatile().Emit("v", 4) // idle again
			c.Want(`42["v",4]`)
		})
	})
	t.Run("between two polls", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, nil)
		c, s := srv.JoinSocket(t, siotest.Polling)
		s.Volatile().Emit("v", 1)
		s.Emit("v", 2)
		c.Want(`42["v",2]`)
		c.WantNothing()
	})
	t.Run("not while a poll waits", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := siotest.ServeInMemory(t, nil)
			c, s := srv.JoinSocket(t, siotest.Polling)
			go func() {
				synctest.Wait()
				s.Volatile().Emit("v", 1)
				s.Volatile().Emit("v", 2)
			}()
			c.Want(`42["v",1]`)
			c.WantNothing()
		})
	})
}
