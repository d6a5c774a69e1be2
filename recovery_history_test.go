package socketio_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/histories"
	"github.com/socketio-go/socketio/internal/memnet"
)

// A client whose connection breaks at any byte lacks nothing in the end.
func TestRecoveryCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		name string
		act  func(*memnet.Conn)
	}{
		{"cut", (*memnet.Conn).Cut},
		{"frozen", (*memnet.Conn).Freeze},
	} {
		for _, when := range []string{"while it receives", "while it recovers"} {
			t.Run(fault.name+" "+when, func(t *testing.T) {
				t.Parallel()
				for at := int64(0); ; at++ {
					beyond := false
					synctest.Test(t, func(t *testing.T) {
						beyond = cutAt(t, when == "while it recovers", at, fault.act)
					})
					if t.Failed() {
						t.Fatalf("failed at byte %d", at)
					}
					if beyond {
						t.Logf("at %d places", at)
						return
					}
				}
			})
		}
	}
}

// cutAt plays a scenario in which a connection breaks at a byte. It reports
// whether that is beyond its end.
func cutAt(t *testing.T, later bool, at int64, act func(*memnet.Conn)) (beyond bool) {
	srv := serveInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}})
	srv.wait = 5 * time.Second
	c := srv.arrive(t, webSocket)
	const events = 6
	emit := func(from, to int) {
		for i := from; i < to; i++ {
			if i%3 == 0 {
				srv.Emit("event", i, []byte{byte(i)}, []byte{})
			} else {
				srv.Emit("event", i)
			}
		}
	}
	beyond = true
	fail := func() { // at a byte from now on
		conn := c.conn()
		conn.In().At(conn.In().Sent()+at, func() { beyond = false; act(conn) })
	}
	next := 0
	take := func(list ...received) {
		for _, event := range list {
			want := fmt.Sprint("event ", next)
			if fields := strings.Fields(event.text); len(fields) < 2 || strings.Join(fields[:2], " ") != want {
				t.Errorf("received %s instead of %s", event.text, want)
			}
			if next%3 == 0 && (len(event.parts) != 2 || event.parts[0] != string(rune(next)) || event.parts[1] != "") {
				t.Errorf("%s has the parts %q", event.text, event.parts)
			}
			next++
		}
	}
	read := func() {
		for next < events {
			event, err := c.receive()
			if err != nil {
				return
			}
			c.offset = event.offset
			take(event)
		}
	}
	if later {
		c.conn().Cut()
		emit(0, events/2)
	} else {
		fail()
		emit(0, events)
	}
	read()
	for failed := !later; ; {
		c.client = srv.open(t, webSocket)
		if !failed {
			failed = true
			fail()
		}
		missed, err := c.connect()
		if err != nil {
			continue
		}
		if !c.recovered {
			t.Error("it has not recovered")
		}
		take(missed...)
		if later {
			later = false
			emit(events/2, events)
		}
		read()
		if next == events {
			break
		}
	}
	wantEqual(t, "events", next, events)
	return beyond
}

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

// A player is a client whose life is logged.
type player struct {
	*returner

	name     string
	socketID atomic.Value
	log      *histories.Log
	patience int           // after so many events it closes the connection; 0 is never
	ready    chan struct{} // closed when it is connected, if not nil
	done     chan struct{} // closed when its connection is lost; nil if there is none
	settled  chan struct{} // closed when it has received its last event, if not nil
}

// play connects and receives until the connection is lost.
func (p *player) play() {
	defer close(p.done)
	connected := p.log.Connect(p.name)
	missed, err := p.connect()
	if err != nil {
		return
	}
	connected(p.recovered)
	p.socketID.Store(p.id)
	if p.ready != nil {
		close(p.ready)
	}
	for _, event := range missed {
		p.note(event)
	}
	for {
		event, err := p.receive()
		if err != nil {
			return
		}
		p.offset = event.offset
		p.note(event)
	}
}

func (p *player) note(event received) {
	var e histories.Event
	if _, err := fmt.Sscanf(event.text, "event %q %d", &e.Emitter, &e.Number); err != nil {
		p.t.Errorf("received %s: %v", event.text, err)
		return
	}
	var parts []histories.Event
	for _, part := range event.parts {
		var of histories.Event
		if _, err := fmt.Sscanf(part, "%s %d", &of.Emitter, &of.Number); err != nil {
			p.t.Errorf("received the part %q: %v", part, err)
		}
		parts = append(parts, of)
	}
	p.log.Receive(p.name, e, parts...)
	if p.patience--; p.patience == 0 {
		p.wire.close()
	}
	if e.Emitter == "last" {
		p.log.Settle(p.name)
		close(p.settled)
	}
}

// emitted emits an event as a history has it.
func emitted(srv *testServer, sender *socketio.Socket, log *histories.Log, e histories.Emission, binary int) {
	to := srv.Broadcast()
	if sender != nil {
		to = sender.Broadcast()
	}
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
	for range binary {
		args = append(args, fmt.Appendf(nil, "%s %d", e.Emitter, e.Number))
	}
	done := log.Emit(e)
	done(to.Emit("event", args...) == nil)
}

// A random history in which one thing happens after another.
func TestRecoveryHistories(t *testing.T) {
	t.Parallel()
	eachSeed(t, *seeds, func(t *testing.T, random *rand.Rand) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			opts := &socketio.Options{Recovery: &socketio.Recovery{Window: time.Minute, SkipMiddleware: random.IntN(2) == 0}}
			if random.IntN(3) == 0 {
				opts.Recovery.MaxPackets = 5 + random.IntN(20)
			}
			srv := serveInMemory(t, opts)
			var asked, connections, recovered atomic.Int64
			srv.Use(func(context.Context, *socketio.Socket) error {
				<-time.After(time.Duration(asked.Add(1)%3) * time.Second)
				return nil
			})
			srv.OnConnect(func(s *socketio.Socket) {
				connections.Add(1)
				if s.Recovered() {
					recovered.Add(1)
				}
			})
			var log histories.Log
			var players []*player
			for i := range 4 {
				transport := webSocket
				if i == 0 {
					transport = polling
				}
				players = append(players, &player{
					returner: &returner{srv: srv, transport: transport},
					name:     fmt.Sprint("client", i),
					log:      &log,
				})
			}
			start := func(p *player) {
				p.client = srv.open(t, p.transport)
				p.done = make(chan struct{})
				go p.play()
			}
			lose := func(p *player, gently bool) {
				switch {
				case p.transport == polling:
					_ = p.wire.write("1")
				case gently:
					p.conn().Cut()
				default: // the server does not notice
					p.conn().Freeze()
					p.conn().Close()
				}
				<-p.done
				p.done = nil
			}
			numbers := make(map[string]int)
			rooms := []string{"red", "green", "blue"}
			some := func() (names []string) {
				for _, name := range rooms {
					if random.IntN(2) == 0 {
						names = append(names, name)
					}
				}
				return names
			}
			// socket returns the server's end. Once nothing moves, it is clear whether
			// it still lives.
			socket := func(p *player) *socketio.Socket {
				synctest.Wait()
				id, _ := p.socketID.Load().(string)
				s, _ := srv.Socket(id)
				return s
			}
			look := func(p *player) {
				select {
				case <-p.done: // the server did not want it
					p.done = nil
				default:
				}
			}
			for range 300 {
				p := players[random.IntN(len(players))]
				switch random.IntN(20) {
				case 0, 1:
					synctest.Wait()
				case 2:
					<-time.After(time.Duration(random.IntN(70)) * time.Second)
				case 3, 4:
					if p.done != nil {
						lose(p, random.IntN(2) == 0)
					}
				case 5, 6, 7:
					if p.done == nil {
						start(p)
					}
				case 8, 9, 10:
					s := socket(p)
					if s == nil {
						break
					}
					room := rooms[random.IntN(len(rooms))]
					if random.IntN(2) == 0 {
						done := log.Join(p.name, room)
						done(s.Join(room) == nil)
					} else {
						done := log.Leave(p.name, room)
						s.Leave(room)
						done(true)
					}
				default:
					e := histories.Emission{
						Event:    histories.Event{Emitter: fmt.Sprint("emitter", random.IntN(3))},
						Volatile: random.IntN(5) == 0,
					}
					numbers[e.Emitter]++
					e.Number = numbers[e.Emitter]
					var sender *socketio.Socket
					switch random.IntN(4) {
					case 0:
						e.Rooms = some()
					case 1:
						e.Rooms, e.Except = some(), some()
					case 2:
						if sender = socket(p); sender != nil {
							e.Sender, e.Rooms = p.name, some()
						}
					}
					emitted(srv, sender, &log, e, random.IntN(3))
				}
				look(p)
			}
			for range 2 { // in the end all are here, even those whose recovery is cut short
				synctest.Wait()
				for _, p := range players {
					if look(p); p.done == nil {
						start(p)
					}
				}
				<-time.After(10 * time.Second)
			}
			synctest.Wait()
			for _, p := range players {
				log.Settle(p.name)
			}
			if err := log.Check(); err != nil {
				t.Error(err)
			}
			t.Logf("recovered %d times of %d", recovered.Load(), connections.Load())
			for _, p := range players {
				lose(p, true)
			}
		})
	})
}

// A random history in which everything happens at once.
func TestConcurrentHistories(t *testing.T) {
	t.Parallel()
	eachSeed(t, max(1, *seeds/20), func(t *testing.T, random *rand.Rand) {
		srv := serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
		var log histories.Log
		srv.On("join", func(s *socketio.Socket, name, room string) {
			done := log.Join(name, room)
			done(s.Join(room) == nil)
		})
		srv.On("leave", func(s *socketio.Socket, name, room string) {
			done := log.Leave(name, room)
			s.Leave(room)
			done(!slices.Contains(s.Rooms(), room)) // else it had disconnected before
		})
		rooms := []string{"red", "green"}
		var emitting, playing sync.WaitGroup
		var recovered atomic.Int64
		for i := range 3 {
			random := rand.New(rand.NewPCG(random.Uint64(), 1))
			emitting.Go(func() {
				for n := 0; n < 3000 && recovered.Load() < 20; n++ {
					e := histories.Emission{Event: histories.Event{Emitter: fmt.Sprint("emitter", i), Number: n + 1}}
					switch random.IntN(3) {
					case 0:
						e.Rooms = []string{rooms[random.IntN(2)]}
					case 1:
						e.Rooms, e.Except = rooms[:1], rooms[1:]
					}
					e.Volatile = random.IntN(5) == 0
					emitted(srv, nil, &log, e, random.IntN(3))
				}
			})
		}
		var players []*player
		stop := make(chan struct{})
		for i := range 4 {
			random := rand.New(rand.NewPCG(random.Uint64(), 2))
			p := &player{returner: &returner{srv: srv, transport: webSocket}, name: fmt.Sprint("client", i), log: &log}
			playing.Go(func() {
				for stay := false; !stay; {
					p.client = srv.open(t, p.transport)
					p.ready, p.done, p.patience = make(chan struct{}), make(chan struct{}), 1+random.IntN(60)
					go p.play()
					select {
					case <-p.ready:
					case <-p.done:
						continue
					}
					if p.recovered {
						recovered.Add(1)
					}
					for range random.IntN(10) {
						how := [2]string{"join", "leave"}[random.IntN(2)]
						_ = p.wire.write(fmt.Sprintf(`42[%q,%q,%q]`, how, p.name, rooms[random.IntN(2)]))
					}
					select {
					case <-stop:
						stay = true
						p.wire.close()
						<-p.done
					case <-p.done:
					}
				}
			})
			players = append(players, p)
		}
		emitting.Wait()
		close(stop)
		playing.Wait()
		for i, p := range players {
			p.client = srv.open(t, p.transport)
			p.ready, p.done, p.settled, p.patience = make(chan struct{}), make(chan struct{}), make(chan struct{}), 0
			go p.play()
			receive(t, p.ready)
			done := log.Emit(histories.Emission{Event: histories.Event{Emitter: "last", Number: i + 1}, Only: p.name})
			done(srv.To(p.id).Emit("event", "last", i+1) == nil)
			receive(t, p.settled)
			p.wire.close()
			<-p.done
		}
		if err := log.Check(); err != nil {
			t.Error(err)
		}
		t.Logf("recovered %d times", recovered.Load())
	})
}
