package tests_test

import (
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
	"github.com/socketio-go/socketio/internal/siotest"
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
	srv := siotest.ServeInMemory(t, &socketio.Options{Recovery: &socketio.Recovery{}})
	srv.WaitLimit = 5 * time.Second
	c := srv.JoinRecovering(t, siotest.WebSocket)
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
		conn := c.MemConn()
		conn.In().At(conn.In().Sent()+at, func() { beyond = false; act(conn) })
	}
	next := 0
	take := func(list ...siotest.Received) {
		for _, event := range list {
			want := fmt.Sprint("event ", next)
			if fields := strings.Fields(event.Text); len(fields) < 2 || strings.Join(fields[:2], " ") != want {
				t.Errorf("received %s instead of %s", event.Text, want)
			}
			if next%3 == 0 && (len(event.Parts) != 2 || event.Parts[0] != string(rune(next)) || event.Parts[1] != "") {
				t.Errorf("%s has the parts %q", event.Text, event.Parts)
			}
			next++
		}
	}
	read := func() {
		for next < events {
			event, err := c.Receive()
			if err != nil {
				return
			}
			c.Offset = event.Offset
			take(event)
		}
	}
	if later {
		c.MemConn().Cut()
		emit(0, events/2)
	} else {
		fail()
		emit(0, events)
	}
	read()
	for failed := !later; ; {
		c.Client = srv.Open(t, siotest.WebSocket)
		if !failed {
			failed = true
			fail()
		}
		missed, err := c.Connect()
		if err != nil {
			continue
		}
		if !c.Recovered {
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
	siotest.WantEqual(t, "events", next, events)
	return beyond
}

// A random history in which everything happens at once.
func TestConcurrentHistories(t *testing.T) {
	t.Parallel()
	eachSeed(t, max(1, *seeds/20), func(t *testing.T, random *rand.Rand) {
		srv := siotest.Serve(t, &socketio.Options{Recovery: &socketio.Recovery{}})
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
			p := &player{RecoveringClient: &siotest.RecoveringClient{Srv: srv, Transport: siotest.WebSocket}, name: fmt.Sprint("client", i), log: &log}
			playing.Go(func() {
				for stay := false; !stay; {
					p.Client = srv.Open(t, p.Transport)
					p.ready, p.done, p.patience = make(chan struct{}), make(chan struct{}), 1+random.IntN(60)
					go p.play()
					select {
					case <-p.ready:
					case <-p.done:
						continue
					}
					if p.Recovered {
						recovered.Add(1)
					}
					for range random.IntN(10) {
						how := [2]string{"join", "leave"}[random.IntN(2)]
						_ = p.Wire.Write(fmt.Sprintf(`42[%q,%q,%q]`, how, p.name, rooms[random.IntN(2)]))
					}
					select {
					case <-stop:
						stay = true
						p.Wire.Close()
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
			p.Client = srv.Open(t, p.Transport)
			p.ready, p.done, p.settled, p.patience = make(chan struct{}), make(chan struct{}), make(chan struct{}), 0
			go p.play()
			siotest.Receive(t, p.ready)
			done := log.Emit(histories.Emission{Event: histories.Event{Emitter: "last", Number: i + 1}, Only: p.name})
			done(srv.To(p.ID).Emit("event", "last", i+1) == nil)
			siotest.Receive(t, p.settled)
			p.Wire.Close()
			<-p.done
		}
		if err := log.Check(); err != nil {
			t.Error(err)
		}
		t.Logf("recovered %d times", recovered.Load())
	})
}
