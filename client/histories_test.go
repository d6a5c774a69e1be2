package client_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/histories"
)

var (
	seeds = flag.Int("seeds", 60, "how many seeds TestHistories tries")
	seed  = flag.Uint64("seed", 1, "the first of them")
)

// TestHistories has a client and a server talk over a network that is cut, frozen
// and refused at random, and checks the history as the server's own test does.
func TestHistories(t *testing.T) {
	for i := range *seeds {
		n := *seed + uint64(i)
		t.Run(fmt.Sprint(n), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { history(t, n) }) })
	}
}

// A story is a client and a server, of which the history is written down.
type story struct {
	t      *testing.T
	random *rand.Rand
	h      *harness
	c      *client.Client
	parts  []*part
	wait   sync.WaitGroup // deliveries
}

// A part is one namespace of a story.
type part struct {
	t      *testing.T
	name   string
	ns     *socketio.Namespace
	socket *client.Socket
	log    histories.Log // what the client receives
	heard  histories.Log // what the server receives

	numbers map[string]int // of the events of each emitter
	asked   int            // deliveries

	mu      sync.Mutex           // guards the following
	joining func(recovered bool) // of log.Connect
	handled int                  // the last delivery
}

func history(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, seed))
	options := &socketio.Options{PingInterval: 5 * time.Second, PingTimeout: 5 * time.Second}
	if random.IntN(4) > 0 {
		options.Recovery = &socketio.Recovery{Window: time.Minute}
		if random.IntN(3) == 0 {
			options.Recovery.MaxEvents = 5 + random.IntN(20)
		}
	}
	st := &story{t: t, random: random, h: serve(t, options)}
	all := []client.Options{ways["websocket"], ways["polling"], ways["upgrading"]}
	opts := all[random.IntN(len(all))]
	opts.AckTimeout = time.Minute
	opts.RetryRefused = func(*client.RefusedError) bool { return true }
	st.c = st.h.client(opts)
	for _, name := range []string{"/a", "/b"} {
		st.parts = append(st.parts, st.begin(name))
	}
	for range 60 {
		st.step(st.parts[random.IntN(len(st.parts))])
		if random.IntN(2) == 0 {
			bubble.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
	}
	st.end()
}

// begin prepares both ends of a namespace.
func (st *story) begin(name string) *part {
	p := &part{t: st.t, name: name, ns: st.h.io.Of(name), socket: st.c.Of(name), numbers: make(map[string]int)}
	refusals := st.random.IntN(3)
	var mu sync.Mutex // guards refusals
	p.ns.Use(func(context.Context, *socketio.Socket) error {
		mu.Lock()
		defer mu.Unlock()
		if refusals--; refusals >= 0 {
			return socketio.Errorf("not yet")
		}
		return nil
	})
	p.ns.On("say", func(emitter string, number int) {
		p.heard.Receive("server", histories.Event{Emitter: emitter, Number: number})
	})
	p.ns.On("deliver", func(n int) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n > p.handled+1 {
			st.t.Errorf("%s: delivery %d after %d", name, n, p.handled)
		}
		p.handled = max(n, p.handled)
		return n
	})
	p.ns.On("echo", func(n int) int { return n })
	p.heard.Connect("server")(false)

	p.joining = p.log.Connect("client")
	p.socket.OnConnect(func(j client.Joined) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.joining(j.Recovered)
	})
	p.socket.OnDisconnect(func(socketio.Reason) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.joining = p.log.Connect("client")
	})
	p.socket.On("event", p.receive)
	go p.socket.Connect(st.t.Context())
	return p
}

// receive handles an event of the server, in one of several ways.
func (p *part) receive(ctx context.Context, emitter string, number int, more ...any) error {
	parts := make([]histories.Event, 0, len(more))
	for _, data := range more {
		raw, ok := data.([]byte)
		if !ok { // the position of the event, with recovery
			continue
		}
		var of histories.Event
		if _, err := fmt.Sscanf(string(raw), "%s %d", &of.Emitter, &of.Number); err != nil {
			p.t.Errorf("received the part %q: %v", raw, err)
		}
		parts = append(parts, of)
	}
	p.log.Receive("client", histories.Event{Emitter: emitter, Number: number}, parts...)
	switch number % 8 {
	case 0: // the server may be away
		if got, err := p.socket.EmitWithAck(ctx, "echo", number); err == nil && got.String() != fmt.Sprintf("[%d]", number) {
			p.t.Errorf("%d was answered with %s", number, got)
		}
	case 1:
		select {
		case <-ctx.Done():
		case <-bubble.After(time.Second):
		}
	}
	return nil
}

// step does something.
func (st *story) step(p *part) {
	switch st.random.IntN(12) {
	case 0, 1:
		p.say(1 + st.random.IntN(3))
	case 2, 3:
		st.deliver(p)
	case 4, 5, 6:
		for range 1 + st.random.IntN(3) {
			st.emit(p)
		}
	case 7, 8:
		st.move(p)
	case 9:
		st.h.cut()
	case 10:
		st.h.setDown(st.random.IntN(2) == 0)
	case 11:
		st.h.freeze(st.random.IntN(2) == 0)
	}
}

// say emits events of the client.
func (p *part) say(count int) {
	for range count {
		p.numbers["client"]++
		e := histories.Event{Emitter: "client", Number: p.numbers["client"]}
		done := p.heard.Emit(histories.Emission{Event: e})
		err := p.socket.Emit("say", e.Emitter, e.Number)
		if done(err == nil); err != nil {
			p.t.Error(err)
		}
	}
}

func (st *story) deliver(p *part) {
	p.asked++
	n := p.asked
	started := make(chan struct{})
	st.wait.Go(func() {
		close(started)
		if got, err := p.socket.Deliver(st.t.Context(), "deliver", n); err != nil || got.String() != fmt.Sprintf("[%d]", n) {
			st.t.Errorf("%s: delivery %d: %v, %v", p.name, n, got, err)
		}
	})
	<-started
	synctest.Wait()
}

// emit emits an event of the server.
func (st *story) emit(p *part) {
	some := func() (rooms []string) {
		for _, room := range []string{"red", "green"} {
			if st.random.IntN(2) == 0 {
				rooms = append(rooms, room)
			}
		}
		return rooms
	}
	e := histories.Emission{Event: histories.Event{Emitter: fmt.Sprint("emitter", st.random.IntN(3))}, Volatile: st.random.IntN(5) == 0}
	p.numbers[e.Emitter]++
	e.Number = p.numbers[e.Emitter]
	switch st.random.IntN(3) {
	case 0:
		e.Rooms = some()
	case 1:
		e.Rooms, e.Except = some(), some()
	}
	to := p.ns.Broadcast()
	if len(e.Rooms) > 0 {
		to = to.To(e.Rooms...)
	}
	if len(e.Except) > 0 {
		to = to.Except(e.Except...)
	}
	if e.Volatile {
		to = to.Volatile()
	}
	args := []any{e.Emitter, e.Number}
	for range st.random.IntN(3) {
		args = append(args, fmt.Appendf(nil, "%s %d", e.Emitter, e.Number))
	}
	done := p.log.Emit(e)
	done(to.Emit("event", args...) == nil)
}

// move has the client join a room or leave it, if it is connected.
func (st *story) move(p *part) {
	synctest.Wait()
	s, ok := p.ns.LocalSocket(p.socket.ID())
	if !ok {
		return
	}
	room := []string{"red", "green"}[st.random.IntN(2)]
	if st.random.IntN(2) == 0 {
		done := p.log.Join("client", room)
		done(s.Join(room) == nil)
		return
	}
	done := p.log.Leave("client", room)
	s.Leave(room)
	done(!slices.Contains(s.Rooms(), room)) // else it had disconnected before
}

// end lets the client come back, which must have received everything then.
func (st *story) end() {
	st.h.setDown(false)
	st.h.freeze(false)
	st.wait.Wait()
	bubble.Sleep(time.Minute)
	for _, p := range st.parts {
		if err := p.socket.Connect(st.t.Context()); err != nil {
			st.t.Error(err)
		}
	}
	bubble.Sleep(time.Minute) // handlers that wait
	for _, p := range st.parts {
		p.log.Settle("client")
		for _, log := range []*histories.Log{&p.log, &p.heard} {
			if err := log.Check(); err != nil {
				st.t.Errorf("%s: %v", p.name, err)
			}
		}
		p.mu.Lock()
		if p.handled != p.asked {
			st.t.Errorf("%s: %d of %d deliveries", p.name, p.handled, p.asked)
		}
		p.mu.Unlock()
	}
}
