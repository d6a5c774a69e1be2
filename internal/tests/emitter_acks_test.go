package tests_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// replies is what an EmitWithAck returns.
type replies struct {
	list []socketio.Reply
	err  error
}

// of returns the reply of a socket, of which there must be one.
func (r replies) of(t *testing.T, s *socketio.Socket) socketio.Reply {
	t.Helper()
	var found []socketio.Reply
	for _, reply := range r.list {
		if reply.From == s.ID() {
			found = append(found, reply)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d replies of one socket", len(found))
	}
	return found[0]
}

// ask calls EmitWithAck in the background.
func ask(ctx context.Context, to interface {
	EmitWithAck(ctx context.Context, event string, args ...any) ([]socketio.Reply, error)
}, event string, args ...any) <-chan replies {
	done := make(chan replies, 1)
	go func() {
		list, err := to.EmitWithAck(ctx, event, args...)
		done <- replies{list, err}
	}()
	return done
}

func TestOneReplyPerReceiver(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		g := gather(t, srv, transport, "ann: lobby", "bob: lobby games", "cid:")
		done := ask(t.Context(), srv.To("lobby", "games"), "who?", []byte{1})
		for _, name := range []string{"bob", "ann"} {
			c := g.clients[name]
			id := c.WantAckRequest(`"who?"`)
			c.Want([]byte{1})
			c.Write("461-"+id+`["`+name+`",{"_placeholder":true,"num":0}]`, []byte(name))
		}
		r := siotest.Receive(t, done)
		if r.err != nil || len(r.list) != 2 {
			t.Fatalf("%d replies, %v", len(r.list), r.err)
		}
		for _, name := range []string{"ann", "bob"} {
			reply := r.of(t, g.sockets[name])
			var text string
			var data []byte
			if err := reply.Args.Decode(&text, &data); err != nil || reply.Err != nil {
				t.Error(err, reply.Err)
			}
			siotest.WantEqual(t, "text", text, name)
			siotest.WantEqual(t, "data", string(data), name)
		}
		g.clients["cid"].WantNothing()
	})
}

func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann: lobby", "bob: lobby", "cid:")
	tests := []struct {
		name string
		to   interface {
			EmitWithAck(ctx context.Context, event string, args ...any) ([]socketio.Reply, error)
		}
		want string
	}{
		{"everybody", srv.Of("/"), "ann bob cid"},
		{"a room", srv.Room("lobby"), "ann bob"},
		{"but one", srv.Except(g.sockets["ann"].ID()), "bob cid"},
		{"others", g.sockets["ann"].Broadcast(), "bob cid"},
		{"others in a room", g.sockets["ann"].To("lobby"), "bob"},
		{"oneself", g.sockets["ann"].Compress(true), "ann"},
		{"local", srv.Local(), "ann bob cid"},
	}
	for _, test := range tests {
		done := ask(t.Context(), test.to, "q")
		want := strings.Fields(test.want)
		for _, name := range want {
			c := g.clients[name]
			c.Write("43" + c.WantAckRequest(`"q"`) + "[]")
		}
		r := siotest.Receive(t, done)
		siotest.WantEqual(t, test.name, len(r.list), len(want))
		siotest.WantEqual(t, test.name, r.err, nil)
		for name, c := range g.clients {
			if !slices.Contains(want, name) {
				c.WantNothing()
			}
		}
	}
}

func TestLeaversAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		g := gather(t, srv, transport, "ann:", "bob:", "cid:")
		done := ask(t.Context(), srv.Of("/"), "q")
		for _, name := range []string{"ann", "bob", "cid"} {
			id := g.clients[name].WantAckRequest(`"q"`)
			switch name {
			case "ann":
				g.clients[name].Write("41")
			case "bob":
				g.sockets[name].CloseConnection()
			case "cid":
				g.clients[name].Write("43" + id + "[1]")
			}
		}
		r := siotest.Receive(t, done)
		siotest.WantEqual(t, "error", r.err, nil)
		siotest.WantEqual(t, "ann", r.of(t, g.sockets["ann"]).Err, socketio.ErrClosed)
		siotest.WantEqual(t, "bob", r.of(t, g.sockets["bob"]).Err, socketio.ErrClosed)
		siotest.WantEqual(t, "cid", r.of(t, g.sockets["cid"]).Err, nil)
	})
}

func TestRepliesThatDoNotCome(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts *socketio.Options
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		wait time.Duration
		err  error
	}{
		{"AckTimeout is 20s", nil, context.WithCancel, 20 * time.Second, context.DeadlineExceeded},
		{"AckTimeout", &socketio.Options{AckTimeout: time.Second}, context.WithCancel, time.Second, context.DeadlineExceeded},
		{"the context's deadline", &socketio.Options{AckTimeout: time.Second}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, 3 * time.Second, context.DeadlineExceeded},
		{"the context's end", nil, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(2*time.Second, cancel)
			return ctx, cancel
		}, 2 * time.Second, context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.ServeInMemory(t, test.opts)
				a, ann := srv.JoinSocket(t, siotest.WebSocket)
				b, bob := srv.JoinSocket(t, siotest.WebSocket)
				ctx, cancel := test.ctx(t.Context())
				defer cancel()
				start := time.Now()
				done := ask(ctx, srv.Of("/"), "q")
				a.Write("43" + a.WantAckRequest(`"q"`) + `["in time"]`)
				late := b.WantAckRequest(`"q"`)
				r := <-done
				siotest.WantEqual(t, "waited", time.Since(start), test.wait)
				siotest.WantEqual(t, "error", r.err, test.err)
				siotest.WantEqual(t, "replies", len(r.list), 2)
				siotest.WantEqual(t, "ann", r.of(t, ann).Args.String(), `["in time"]`)
				siotest.WantEqual(t, "ann", r.of(t, ann).Err, nil)
				siotest.WantEqual(t, "bob", r.of(t, bob).Err, test.err)
				b.Write("43" + late + `["too late"]`)
				b.WantNothing()
				siotest.WantEqual(t, "bob, afterwards", r.of(t, bob).Args.Len(), 0)
			})
		})
	}
}

// What Volatile drops is not waited for: its reply says so at once.
func TestVolatileQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		a, ann := srv.JoinSocket(t, siotest.WebSocket)
		b, bob := srv.JoinSocket(t, siotest.Polling) // and does not poll now
		synctest.Wait()
		begin := time.Now()
		done := ask(t.Context(), srv.Volatile(), "q")
		a.Write("43" + a.WantAckRequest(`"q"`) + "[]")
		r := <-done
		siotest.WantEqual(t, "error", r.err, nil)
		siotest.WantEqual(t, "ann", r.of(t, ann).Err, nil)
		siotest.WantEqual(t, "bob", r.of(t, bob).Err, socketio.ErrDropped)
		siotest.WantEqual(t, "waited", time.Since(begin), 0)
		r = <-ask(t.Context(), bob.Volatile(), "q")
		siotest.WantEqual(t, "bob alone", r.of(t, bob).Err, socketio.ErrDropped)
		siotest.WantEqual(t, "waited", time.Since(begin), 0)
		b.Write(`430[]`)
		b.Write(`431[]`)
		b.WantNothing()
		siotest.WantEqual(t, "acks that are no longer pending", srv.Stats().LateAcks, 2)
	})
}

func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	list, err := srv.EmitWithAck(t.Context(), "q")
	siotest.WantEqual(t, "replies", len(list), 0)
	siotest.WantEqual(t, "error", err, nil)
	done := make(chan replies, 1)
	if err := srv.To("nowhere").Emit("q", func(list []socketio.Reply, err error) { done <- replies{list, err} }); err != nil {
		t.Fatal(err)
	}
	r := siotest.Receive(t, done)
	siotest.WantEqual(t, "replies", len(r.list), 0)
	siotest.WantEqual(t, "error", r.err, nil)

	_, s := srv.JoinSocket(t, siotest.WebSocket)
	s.Disconnect()
	list, err = s.Volatile().EmitWithAck(t.Context(), "q")
	siotest.WantEqual(t, "error", err, nil)
	siotest.WantEqual(t, "reply", list[0].Err, socketio.ErrClosed)
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Join(t, siotest.WebSocket)
	c.WantNothing()
	if _, err := srv.EmitWithAck(t.Context(), "connect"); !errors.Is(err, socketio.ErrReserved) {
		t.Errorf("a reserved name: %v", err)
	}
	if list, err := srv.EmitWithAck(t.Context(), "q", make(chan int)); err == nil || list != nil {
		t.Errorf("a channel: %v %v", list, err)
	}
	never := func([]socketio.Reply, error) { t.Error("called") }
	if err := srv.Emit("connect", never); !errors.Is(err, socketio.ErrReserved) {
		t.Errorf("a reserved name: %v", err)
	}
	if err := srv.Emit("q", make(chan int), never); err == nil {
		t.Error("a channel was sent")
	}
	c.WantNothing()
}

func TestSocketThatAwaitsTooMuch(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:")
	ann, bob := g.sockets["ann"], g.sockets["bob"]
	for range 1024 {
		if err := ann.Emit("first", func(socketio.Args, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	done := ask(t.Context(), srv.Of("/"), "q")
	g.clients["bob"].Write("43" + g.clients["bob"].WantAckRequest(`"q"`) + "[]")
	r := siotest.Receive(t, done)
	siotest.WantEqual(t, "error", r.err, nil)
	siotest.WantEqual(t, "ann", r.of(t, ann).Err, socketio.ErrTooManyAcks)
	siotest.WantEqual(t, "bob", r.of(t, bob).Err, nil)
	for range 1024 {
		g.clients["ann"].WantAckRequest(`"first"`)
	}
	g.clients["ann"].WantNothing() // and is still there
}

func TestBroadcastCallback(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:")
	done := make(chan replies, 1)
	arg := []int{1}
	err := srv.Emit("q", arg, func(list []socketio.Reply, err error) { done <- replies{list, err} })
	arg[0] = 2
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		c := g.clients[name]
		c.Write("43" + c.WantAckRequest(`"q",[1]`) + `["` + name + `"]`)
	}
	r := siotest.Receive(t, done)
	siotest.WantEqual(t, "error", r.err, nil)
	for name, s := range g.sockets {
		siotest.WantEqual(t, name, r.of(t, s).Args.String(), `["`+name+`"]`)
	}

	if err := srv.To("nowhere").Emit("q", func([]socketio.Reply, error) { panic("oops") }); err != nil {
		t.Fatal(err)
	}
	p := siotest.WantError[*socketio.PanicError](t, srv)
	siotest.WantEqual(t, "value", p.Value, any("oops"))
	siotest.WantEqual(t, "event", p.Event, "q")
}

// An event with a callback keeps its place among the others.
func TestBroadcastCallbackKeepsTheOrder(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Join(t, siotest.WebSocket)
	c.WantNothing()
	const n = 100
	for i := range n {
		if err := srv.Emit("q", i, func([]socketio.Reply, error) {}); err != nil {
			t.Fatal(err)
		}
		if err := srv.Emit("e", i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		c.Write("43" + c.WantAckRequest(fmt.Sprintf(`["q",%d]`, i)) + "[]")
		c.Want(fmt.Sprintf(`42["e",%d]`, i))
	}
}

// A handler may ask everybody, its own client included.
func TestHandlerAsksEverybody(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("poll", func(ctx context.Context) (int, error) {
		list, err := srv.EmitWithAck(ctx, "q")
		return len(list), err
	})
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:")
	ann, bob := g.clients["ann"], g.clients["bob"]
	ann.Write(`427["poll"]`)
	for _, c := range []*siotest.Client{bob, ann} {
		c.Write("43" + c.WantAckRequest(`"q"`) + "[]")
	}
	ann.Want(`437[2]`)
}

// The ids of a socket's own questions and of broadcasts do not meet.
func TestIDsOfQuestions(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	g := gather(t, srv, siotest.WebSocket, "ann:", "bob:")
	ann, bob := g.clients["ann"], g.clients["bob"]
	seen := make(map[string]bool)
	for range 20 {
		broadcast := ask(t.Context(), srv.Of("/"), "all")
		all := ann.WantAckRequest(`"all"`)
		single := make(chan string, 1)
		go func() {
			args, err := g.sockets["ann"].EmitWithAck(t.Context(), "one")
			single <- fmt.Sprint(args, err)
		}()
		one := ann.WantAckRequest(`"one"`)
		for _, id := range []string{all, one} {
			if n, err := strconv.ParseInt(id, 10, 64); err != nil || n >= 1<<53 || seen[id] {
				t.Errorf("id %s", id)
			}
			seen[id] = true
		}
		other := bob.WantAckRequest(`"all"`)
		bob.Write("43"+one+`["not asked"]`, "43"+other+`["bob"]`, "43"+other+`["bob again"]`)
		ann.Write("43"+one+`["one"]`, "43"+all+`["all"]`)
		siotest.WantEqual(t, "answer", siotest.Receive(t, single), `["one"] <nil>`)
		r := siotest.Receive(t, broadcast)
		siotest.WantEqual(t, "ann", r.of(t, g.sockets["ann"]).Args.String(), `["all"]`)
		siotest.WantEqual(t, "bob", r.of(t, g.sockets["bob"]).Args.String(), `["bob"]`)
	}
}

// Everybody is asked again and again while everybody leaves.
func TestQuestionsWhileClientsLeave(t *testing.T) {
	t.Parallel()
	const clients = 20
	srv := siotest.Serve(t, nil)
	var wg sync.WaitGroup
	for i := range clients {
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		wg.Go(func() { // answers some questions, and leaves in one of three ways
			for n := range i {
				packet, err := c.Next()
				text, _ := packet.(string)
				m := siotest.AckID.FindStringSubmatch(text)
				if err != nil || m == nil {
					t.Errorf("question %d: %s, %v", n, text, err)
					return
				}
				if err := c.Wire.Write("43" + m[1] + "[1]"); err != nil {
					t.Error(err)
					return
				}
			}
			switch i % 3 {
			case 0:
				c.Wire.Close()
			case 1:
				if err := c.Wire.Write("41"); err != nil {
					t.Error(err)
				}
			case 2:
				if err := s.CloseConnection(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for {
		r := siotest.Receive(t, ask(t.Context(), srv.Of("/"), "q"))
		if r.err != nil {
			t.Fatal(r.err)
		}
		for _, reply := range r.list {
			if reply.Err == nil && reply.Args.Len() != 1 || reply.Err != nil && reply.Err != socketio.ErrClosed {
				t.Fatalf("reply %v, %v", reply.Args, reply.Err)
			}
		}
		if len(r.list) == 0 {
			break
		}
	}
	wg.Wait()
}

// Shutdown ends questions.
func TestShutdownEndsQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		c, s := srv.JoinSocket(t, siotest.WebSocket)
		done := ask(t.Context(), srv.Of("/"), "q")
		called := make(chan replies, 1)
		c.WantAckRequest(`"q"`)
		if err := srv.Emit("q", func(list []socketio.Reply, err error) { called <- replies{list, err} }); err != nil {
			t.Fatal(err)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, ch := range []<-chan replies{done, called} {
			r := siotest.Receive(t, ch)
			siotest.WantEqual(t, "error", r.err, nil)
			siotest.WantEqual(t, "reply", r.of(t, s).Err, socketio.ErrClosed)
		}
	})
}
