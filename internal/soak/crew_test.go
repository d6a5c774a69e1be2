//go:build linux

package soak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/histories"
)

// A crew is clients whose history is recorded and checked.
type crew struct {
	t       *testing.T
	network *network
	members []*member
	faults  faults

	mu  sync.Mutex // guards the following
	log *histories.Log

	said, received, cuts, freezes, recovered, anew atomic.Int64
}

// faults are what members do to their connections, each with a probability of
// one in so many actions; 0 is never.
type faults struct {
	leave, cut, freeze int
	frozen             time.Duration // at most
	mayBeLost          bool          // connections may end that nobody has ended
}

// A member is one client, over all its connections. It tells its history.
type member struct {
	crew *crew
	name string
	how  int
	rand *rand.Rand

	session *session // nil while there is none
	number  int

	mu          sync.Mutex // guards the following
	pid, offset string
}

var crewRooms = []string{"red", "green", "blue"}

func newCrew(t *testing.T, n *network, count int, f faults) *crew {
	c := &crew{t: t, network: n, faults: f, log: new(histories.Log)}
	for i := range count {
		c.members = append(c.members, &member{
			crew: c, name: fmt.Sprint("m", i), how: mixed(i), rand: rand.New(rand.NewPCG(*seed, uint64(i))),
		})
	}
	t.Cleanup(c.leave)
	return c
}

func (c *crew) history() *histories.Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log
}

func (c *crew) leave() {
	each(len(c.members), 64, func(i int) {
		if m := c.members[i]; m.session != nil {
			m.session.leave(false)
			m.session = nil
		}
	})
	c.network.polling.CloseIdleConnections()
}

// epoch has all members act for a while, and checks the history of that.
func (c *crew) epoch(ctx context.Context, d time.Duration, meanwhile func(ctx context.Context)) {
	c.t.Helper()
	acting, stop := context.WithTimeout(ctx, d)
	defer stop()
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(func() {
			for acting.Err() == nil && !c.t.Failed() {
				m.act(acting)
			}
		})
	}
	if meanwhile != nil {
		meanwhile(acting)
	}
	wg.Wait()
	each(len(c.members), len(c.members), func(i int) { c.members[i].reach("sync") }) // handlers have run
	each(len(c.members), len(c.members), func(i int) {
		c.members[i].reach("sync")
		c.history().Settle(c.members[i].name)
	})
	if c.t.Failed() {
		return // the history is not whole
	}
	if err := c.history().Check(); err != nil {
		c.t.Errorf("seed %d: the history is against the promises: %.2000v", *seed, err)
	}
	// The next history begins with clients that are in no room.
	each(len(c.members), len(c.members), func(i int) { c.members[i].reach("leave", "red", "green", "blue") })
	c.mu.Lock()
	c.log = new(histories.Log)
	c.mu.Unlock()
	for _, m := range c.members {
		c.log.Connect(m.name)(false)
		m.number = 0
	}
}

// reach asks the server something, by another connection if that one has ended.
func (m *member) reach(args ...any) {
	for deadline := time.Now().Add(patience); !m.crew.t.Failed(); {
		if m.connected(context.Background()) {
			_, err := m.session.ask(args...)
			if err == nil {
				return
			}
			m.lost(err)
		}
		if time.Now().After(deadline) {
			m.crew.t.Errorf("%s does not get through: %v", m.name, args)
		}
	}
}

// connected connects the member unless it is.
func (m *member) connected(ctx context.Context) bool {
	if m.session != nil {
		return true
	}
	err := m.connect()
	if err != nil {
		if !m.crew.faults.mayBeLost && !errors.Is(err, errRefused) {
			m.crew.t.Errorf("%s can't connect: %v", m.name, err)
		}
		pause(ctx, time.Duration(20+m.rand.IntN(50))*time.Millisecond)
	}
	return err == nil
}

func (m *member) connect() error {
	m.mu.Lock()
	auth := map[string]string{}
	if m.pid != "" {
		auth["pid"] = m.pid
	}
	if m.offset != "" {
		auth["offset"] = m.offset
	}
	m.mu.Unlock()
	claim, _ := json.Marshal(auth)
	connected := m.crew.history().Connect(m.name)
	w, err := m.crew.network.open(m.how)
	if err != nil {
		return err
	}
	s, err := m.crew.network.connect(w, string(claim))
	if err == nil && m.how == upgrading {
		err = s.upgrade()
	}
	if err != nil {
		w.close()
		// The server may have taken the session for recovered, and forgotten it:
		// then the next time is a new one, whatever it says.
		return err
	}
	recovered := s.pid != "" && s.pid == auth["pid"]
	switch {
	case recovered:
		m.crew.recovered.Add(1)
	case len(s.missed) > 0:
		m.crew.t.Errorf("%s has missed %q, but not recovered", m.name, s.missed)
	default:
		m.crew.anew.Add(1)
	}
	connected(recovered)
	m.mu.Lock()
	m.pid = s.pid
	if !recovered {
		m.offset = ""
	}
	m.mu.Unlock()
	for _, p := range s.missed {
		m.receive(p[0], p[1])
	}
	s.events = m.receive
	m.session = s
	go s.run() // ended by leave or lost
	return nil
}

// lost sees to a connection that has ended, or will.
func (m *member) lost(err error) {
	if !m.crew.faults.mayBeLost {
		m.crew.t.Errorf("%s has lost its connection: %v; the reader: %v", m.name, err, m.session.why())
	}
	m.end(true)
}

func (m *member) end(cut bool) {
	m.session.leave(cut)
	m.session = nil
	if !cut { // it does not come back to what it had
		m.mu.Lock()
		m.pid, m.offset = "", ""
		m.mu.Unlock()
	}
}

// act does something.
func (m *member) act(ctx context.Context) {
	if !m.connected(ctx) {
		return
	}
	oneIn := func(n int) bool { return n > 0 && m.rand.IntN(n) == 0 }
	f, log := m.crew.faults, m.crew.history()
	room := crewRooms[m.rand.IntN(len(crewRooms))]
	var err error
	switch {
	case oneIn(f.cut):
		m.crew.cuts.Add(1)
		m.end(true)
		return
	case oneIn(f.leave):
		m.end(false)
		return
	case oneIn(f.freeze):
		m.crew.freezes.Add(1)
		m.session.freeze()
		pause(ctx, time.Duration(m.rand.Int64N(int64(f.frozen))))
		m.session.thaw()
		return
	case oneIn(4):
		done := log.Join(m.name, room)
		if _, err = m.session.ask("join", room); err == nil {
			done(true)
		}
	case oneIn(4):
		done := log.Leave(m.name, room)
		if _, err = m.session.ask("leave", room); err == nil {
			done(true)
		}
	default:
		m.number++
		e := histories.Emission{Event: histories.Event{Emitter: m.name, Number: m.number}}
		to, others := "", oneIn(3)
		if !oneIn(5) {
			to = room
			e.Rooms = []string{room}
		}
		if others {
			e.Sender = m.name
		}
		done := log.Emit(e)
		var answer string
		if answer, err = m.session.ask("say", m.name, m.number, to, others, oneIn(2)); err == nil {
			m.crew.said.Add(1)
			done(true)
			if answer != "[]" {
				m.crew.t.Errorf("%s could not say something: %s", m.name, answer)
			}
		}
	}
	if err != nil {
		m.lost(err)
		return
	}
	pause(ctx, time.Duration(m.rand.IntN(20))*time.Millisecond)
}

// receive takes what is sent to the member.
func (m *member) receive(text, binary string) {
	_, payload, _ := strings.Cut(text, "[")
	var args []json.RawMessage
	if err := json.Unmarshal([]byte("["+payload), &args); err != nil || len(args) < 3 || string(args[0]) != `"said"` {
		return // somebody else's
	}
	var e histories.Event
	if err := errors.Join(json.Unmarshal(args[1], &e.Emitter), json.Unmarshal(args[2], &e.Number)); err != nil {
		m.crew.t.Errorf("%s has received %q: %v", m.name, text, err)
		return
	}
	if last := args[len(args)-1]; len(args) > 3 && last[0] == '"' {
		m.mu.Lock()
		m.offset = strings.Trim(string(last), `"`)
		m.mu.Unlock()
	}
	if e.Emitter == stranger {
		return
	}
	var parts []histories.Event
	if binary != "" {
		var part histories.Event
		if _, err := fmt.Sscanf(binary, "b%s %d", &part.Emitter, &part.Number); err != nil {
			m.crew.t.Errorf("%s has received a part %q: %v", m.name, binary, err)
		}
		parts = append(parts, part)
	}
	m.crew.received.Add(1)
	m.crew.history().Receive(m.name, e, parts...)
}

// stranger is the name of those who say something and are in no crew.
const stranger = "x"

func (c *crew) String() string {
	return fmt.Sprintf("%d events said, %d received, %d connections cut, %d frozen, %d recovered, %d anew",
		c.said.Load(), c.received.Load(), c.cuts.Load(), c.freezes.Load(), c.recovered.Load(), c.anew.Load())
}

// choose returns a random element.
func choose[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
