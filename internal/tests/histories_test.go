package tests_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/histories"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/siotest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first of the seeds of histories")
	seeds     = flag.Uint64("seeds", 40, "how many histories are played")
)

// eachSeed plays a history for each seed.
func eachSeed(t *testing.T, n uint64, play func(t *testing.T, random *rand.Rand)) {
	for seed := *firstSeed; seed < *firstSeed+n; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			play(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// TestHistories plays random histories: clients of every transport come and go,
// upgrade, are lost and recover, while they join, leave, speak and are spoken
// to, until the server has everybody catch up or shuts down. What each has seen
// is checked against what is promised.
func TestHistories(t *testing.T) {
	t.Parallel()
	eachSeed(t, *seeds, func(t *testing.T, random *rand.Rand) {
		synctest.Test(t, func(t *testing.T) {
			st := newStory(t, random, siotest.ServeInMemory(t, storyOptions(random)))
			for _, p := range st.players {
				if random.IntN(4) > 0 {
					st.start(p)
				}
			}
			for range 25 {
				st.step()
			}
			if random.IntN(2) == 0 {
				st.catchUp()
			} else {
				st.shutDown()
			}
			st.end()
		})
	})
}

// TestClusterHistories plays histories on two servers whose bus records. Clients
// come back to either, also when one of them is shut down.
func TestClusterHistories(t *testing.T) {
	t.Parallel()
	eachSeed(t, *seeds, func(t *testing.T, random *rand.Rand) {
		synctest.Test(t, func(t *testing.T) {
			bus := newLogBus()
			opts := &socketio.Options{Adapter: bus, Recovery: &socketio.Recovery{SkipMiddleware: random.IntN(2) == 0}}
			st := newStory(t, random, siotest.ServeInMemory(t, opts), siotest.ServeInMemory(t, opts))
			st.bus = bus
			synctest.Wait()
			for _, p := range st.players {
				st.start(p)
			}
			for range 40 {
				st.step()
			}
			if random.IntN(2) == 0 {
				if err := st.servers[0].Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				st.servers = st.servers[1:]
			}
			st.catchUp()
			st.end()
		})
	})
}

// A story is a history that is being played.
type story struct {
	t       *testing.T
	random  *rand.Rand
	servers []*siotest.Server
	bus     *logBus       // that joins them, if there are several
	log     histories.Log // what the players receive
	heard   histories.Log // what the server receives
	players []*player
	rooms   []string
	numbers map[string]int // of the events of each emitter

	sockets sync.Map // *socketio.Socket: *atomic.Int32, what has been called for it

	began, recovered, ended atomic.Int32
}

// What has been called for a socket.
const (
	onConnect    = 1
	onDisconnect = 2
)

func storyOptions(random *rand.Rand) *socketio.Options {
	opts := &socketio.Options{}
	if random.IntN(3) > 0 {
		opts.Recovery = &socketio.Recovery{Window: time.Minute, SkipMiddleware: random.IntN(2) == 0}
		if random.IntN(3) == 0 {
			opts.Recovery.MaxEvents = 5 + random.IntN(20)
		}
	}
	return opts
}

func newStory(t *testing.T, random *rand.Rand, servers ...*siotest.Server) *story {
	st := &story{
		t: t, random: random, servers: servers,
		rooms: []string{"red", "green", "blue"}, numbers: make(map[string]int),
	}
	for _, srv := range servers {
		st.prepare(srv)
	}
	for i, transport := range []string{siotest.WebSocket, siotest.Polling, siotest.Upgrading} {
		st.players = append(st.players, &player{
			RecoveringClient: &siotest.RecoveringClient{Srv: servers[0], Transport: transport},
			name:             fmt.Sprint("client", i),
			log:              &st.log,
		})
	}
	return st
}

// prepare has a server note what it calls.
func (st *story) prepare(srv *siotest.Server) {
	t := st.t
	if st.random.IntN(2) == 0 {
		var asked atomic.Int64
		srv.Use(func(context.Context, *socketio.Socket) error {
			bubble.Sleep(time.Duration(asked.Add(1)%3) * time.Second)
			return nil
		})
	}
	srv.OnConnect(func(s *socketio.Socket) {
		st.began.Add(1)
		if s.Recovered() {
			st.recovered.Add(1)
		}
		state := new(atomic.Int32)
		if _, again := st.sockets.LoadOrStore(s, state); again {
			t.Error("OnConnect is called again")
		}
		state.Store(onConnect)
	})
	srv.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
		st.ended.Add(1)
		if state, ok := st.sockets.Load(s); !ok || !state.(*atomic.Int32).CompareAndSwap(onConnect, onDisconnect) {
			t.Error("OnDisconnect is called again, or without OnConnect")
		}
	})
	srv.On("say", func(s *socketio.Socket, server string, number int) {
		if state, ok := st.sockets.Load(s); !ok || state.(*atomic.Int32).Load() != onConnect {
			t.Error("a handler is called before OnConnect or after OnDisconnect")
		}
		st.heard.Receive(server, histories.Event{Emitter: server, Number: number})
	})
}

// server returns one of the servers.
func (st *story) server() *siotest.Server { return st.servers[st.random.IntN(len(st.servers))] }

// step does something.
func (st *story) step() {
	p := st.players[st.random.IntN(len(st.players))]
	if p.done == nil && st.random.IntN(2) == 0 {
		st.start(p)
	}
	switch st.random.IntN(20) {
	case 0, 1:
		synctest.Wait()
	case 2:
		bubble.Sleep(time.Duration(st.random.IntN(70)) * time.Second)
	case 3, 4:
		if lose := st.lose(p); lose != nil {
			lose()
		}
	case 5, 6:
		if w := p.upgrades(); w != nil {
			w.Upgrade(st.random.IntN(4) == 0) // which fails if the server has let it go
		}
	case 7:
		st.disconnect(p)
	case 8, 9, 10:
		if move := st.move(p); move != nil {
			move()
		}
	case 11, 12, 13:
		if say := st.say(p); say != nil {
			say()
		}
	case 14:
		st.burst()
	default:
		st.emit(p)
	}
	st.look(p)
}

func (st *story) start(p *player) {
	p.Client = st.server().Open(st.t, p.Transport)
	p.done, p.ready, p.last = make(chan struct{}), make(chan struct{}), nil
	p.sessions++
	go p.play()
}

// lose returns what loses the connection of a player, so that the server hears
// of it or does not. It is nil if there is none.
func (st *story) lose(p *player) func() {
	synctest.Wait()
	if p.done == nil {
		return nil
	}
	ws, polite, gently := p.webSocket(), p.connected() && st.random.IntN(4) == 0, st.random.IntN(2) == 0
	return func() {
		if polite {
			p.Wire.Write("41")
		}
		if ws != nil && gently {
			ws.WS.NetConn().(*memnet.Conn).Cut()
		} else if ws != nil {
			ws.WS.NetConn().(*memnet.Conn).Freeze()
		}
		p.hangUp(ws)
		<-p.done
		p.done = nil
	}
}

// look sees whether the server has let a player go.
func (st *story) look(p *player) {
	select {
	case <-p.done:
		p.hangUp(p.webSocket())
		p.done = nil
	default:
	}
}

// socket returns the server's end of a player, or nil. Once nothing moves, it
// is clear whether it still lives.
func (st *story) socket(p *player) *socketio.Socket {
	synctest.Wait()
	id, _ := p.socketID.Load().(string)
	for _, srv := range st.servers {
		if s, ok := srv.LocalSocket(id); ok {
			return s
		}
	}
	return nil
}

// disconnect has the server let a player go, who receives what had been
// emitted before.
func (st *story) disconnect(p *player) {
	s := st.socket(p)
	if s == nil || !p.connected() {
		return
	}
	if st.random.IntN(2) == 0 {
		s.Disconnect()
	} else {
		s.CloseConnection()
	}
	<-p.done
	st.log.Settle(p.name)
}

// move returns what has a player join a room or leave it, or nil.
func (st *story) move(p *player) func() {
	s := st.socket(p)
	if s == nil {
		return nil
	}
	room := st.rooms[st.random.IntN(len(st.rooms))]
	if st.random.IntN(2) == 0 {
		return func() {
			done := st.log.Join(p.name, room)
			done(s.Join(room) == nil)
		}
	}
	return func() {
		done := st.log.Leave(p.name, room)
		s.Leave(room)
		done(!slices.Contains(s.Rooms(), room)) // else it had disconnected before
	}
}

// say returns what has a player say something to the server, or nil.
func (st *story) say(p *player) func() {
	synctest.Wait()
	if !p.connected() {
		return nil
	}
	server := p.server()
	if st.numbers[server] == 0 { // the first time on this connection
		st.heard.Connect(server)(false)
	}
	count := 1 + st.random.IntN(3)
	first := st.numbers[server] + 1
	st.numbers[server] += count
	return func() {
		for n := first; n < first+count; n++ {
			done := st.heard.Emit(histories.Emission{Event: histories.Event{Emitter: server, Number: n}, Only: server})
			done(p.Wire.Write(fmt.Sprintf(`42["say",%q,%d]`, server, n)) == nil)
		}
	}
}

// emission returns an event to emit next, for whom it may be.
func (st *story) emission(emitter int) histories.Emission {
	some := func() (names []string) {
		for _, name := range st.rooms {
			if st.random.IntN(2) == 0 {
				names = append(names, name)
			}
		}
		return names
	}
	e := histories.Emission{
		Event:    histories.Event{Emitter: fmt.Sprint("emitter", emitter)},
		Volatile: st.random.IntN(5) == 0,
	}
	st.numbers[e.Emitter]++
	e.Number = st.numbers[e.Emitter]
	switch st.random.IntN(3) {
	case 0:
		e.Rooms = some()
	case 1:
		e.Rooms, e.Except = some(), some()
	}
	return e
}

// emit emits an event, perhaps from the socket of p to others.
func (st *story) emit(p *player) {
	e := st.emission(st.random.IntN(3))
	var sender *socketio.Socket
	if st.random.IntN(4) == 0 {
		if sender = st.socket(p); sender != nil {
			e.Sender = p.name
		}
	}
	st.emitted(st.server(), sender, e, st.random.IntN(3))
}

// emitted emits an event. A bus that records decides who is to have it when it
// is read.
func (st *story) emitted(srv *siotest.Server, sender *socketio.Socket, e histories.Emission, binary int) {
	done := st.log.Emit(e)
	ok := emit(srv, sender, e, binary)
	if st.bus != nil {
		st.bus.wait()
	}
	done(ok)
}

// burst does several things at once.
func (st *story) burst() {
	somebody := func() *player { return st.players[st.random.IntN(len(st.players))] }
	acts := []func(){st.move(somebody()), st.say(somebody())}
	if p := somebody(); st.random.IntN(2) == 0 {
		acts = append(acts, st.lose(p))
	} else if w := p.upgrades(); w != nil {
		acts = append(acts, func() { w.Upgrade(false) })
	}
	for i := range 3 {
		var emissions []histories.Emission
		for range st.random.IntN(4) {
			emissions = append(emissions, st.emission(i))
		}
		srv := st.server() // there is no order between what one emits on two of them
		acts = append(acts, func() {
			for n, e := range emissions {
				st.emitted(srv, nil, e, n%3)
			}
		})
	}
	var wg sync.WaitGroup
	for _, act := range acts {
		if act != nil {
			wg.Go(act)
		}
	}
	wg.Wait()
	for _, p := range st.players {
		st.look(p)
	}
}

// catchUp brings everybody back, who must have seen everything then.
func (st *story) catchUp() {
	for range 2 { // even those whose coming back is cut short
		synctest.Wait()
		for _, p := range st.players {
			if st.look(p); p.done == nil {
				st.start(p)
			}
		}
		bubble.Sleep(10 * time.Second)
	}
	synctest.Wait()
	for _, p := range st.players {
		if !p.connected() {
			st.t.Errorf("%s has not come back: %v", p.name, p.last)
			continue
		}
		st.log.Settle(p.name)
		st.heard.Settle(p.server())
	}
}

// shutDown shuts the server down while it emits. What was emitted before is
// received.
func (st *story) shutDown() {
	synctest.Wait()
	var present []*player
	for _, p := range st.players {
		if p.connected() {
			present = append(present, p)
		}
	}
	srv := st.servers[0]
	for i := range 3 {
		st.emitted(srv, nil, st.emission(i), i)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			e := st.emission(3)
			e.Volatile = true
			st.emitted(srv, nil, e, 1)
		}
	})
	if err := srv.Shutdown(st.t.Context()); err != nil {
		st.t.Error(err)
	}
	wg.Wait()
	for _, p := range present {
		<-p.done
		st.log.Settle(p.name)
	}
}

// end ends what is left, and looks at the server then.
func (st *story) end() {
	for _, p := range st.players {
		if p.done != nil {
			synctest.Wait()
			p.hangUp(p.webSocket())
			<-p.done
		}
	}
	for _, srv := range st.servers {
		if err := srv.Close(); err != nil {
			st.t.Error(err)
		}
	}
	if err := errors.Join(st.log.Check(), st.heard.Check()); err != nil {
		st.t.Error(err)
	}
	siotest.WantEqual(st.t, "calls of OnDisconnect", st.ended.Load(), st.began.Load())
	for _, srv := range st.servers {
		if s := srv.Stats(); s.Connections+s.Sockets+s.Rooms+int(s.QueuedBytes) > 0 || s.Panics+s.Slow > 0 {
			st.t.Errorf("left: %+v", s)
		}
	}
	st.t.Logf("%d sockets, %d of them recovered", st.began.Load(), st.recovered.Load())
}
