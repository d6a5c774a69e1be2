// Package histories records what a test has made servers and clients do, and
// checks what the clients received against what is promised:
//
//   - no event is received twice, or by somebody whom it was not for;
//   - the events of one emitter are received in the order in which it emitted
//     them;
//   - once a join has returned, the room's events arrive; once a leave has
//     returned, none does;
//   - a client that has settled lacks none of the events that were for it since
//     its life began, over all connections that it recovered;
//   - what belongs to an event, such as its binary parts, is its own.
//
// Operations that overlap an emission in time may have come before or after
// it, so that a history of concurrent operations can be checked, too.
package histories

import (
	"fmt"
	"slices"
	"sync"
)

// A Log is a history. Its methods may be called concurrently; the order of the
// calls is the order of what happened. The zero value is an empty history.
type Log struct {
	mu        sync.Mutex // guards the following
	now       int
	emissions []*emission
	clients   map[string]*client
}

// An Event is the number that an emitter has given to an event; the numbers of
// one emitter rise.
type Event struct {
	Emitter string
	Number  int
}

func (e Event) String() string { return fmt.Sprintf("%s #%d", e.Emitter, e.Number) }

// An Emission is an event with those whom it is for: the clients in any of the
// rooms and in none of the excepted ones, but not the sender.
type Emission struct {
	Event

	Rooms    []string // all clients if empty
	Except   []string
	Only     string // the one client that it is for, if not empty
	Sender   string
	Volatile bool // it need not arrive
}

type emission struct {
	Emission

	span
	failed bool
}

// A span is the time from before to after an operation.
type span struct{ from, to int }

// never is the end of what has not ended.
const never = int(^uint(0) >> 1)

// A client is the history of one client.
type client struct {
	lives    []*life
	received []reception
	settled  []int
}

// A life is what a client can see as one connection: from a connection that
// was not recovered to the next such one.
type life struct {
	begin     int // the client has begun to connect
	connected int // and knows that it is; never if it does not
	moves     []*move
}

// A move is a join or a leave.
type move struct {
	span
	room string
	in   bool
}

type reception struct {
	Event

	at    int
	parts []Event
}

func (l *Log) tick() int {
	l.now++
	return l.now
}

func (l *Log) client(name string) *client {
	if l.clients == nil {
		l.clients = make(map[string]*client)
	}
	c := l.clients[name]
	if c == nil {
		c = new(client)
		l.clients[name] = c
	}
	return c
}

// Emit says that an event is about to be emitted. The caller calls the function
// that it returns afterwards, and says whether the emitting has succeeded.
func (l *Log) Emit(e Emission) (done func(ok bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Rooms, e.Except = slices.Clone(e.Rooms), slices.Clone(e.Except)
	logged := &emission{Emission: e, span: span{l.tick(), never}}
	l.emissions = append(l.emissions, logged)
	return func(ok bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		logged.to, logged.failed = l.tick(), !ok
	}
}

// Connect says that a client is about to connect. The caller calls the function
// that it returns when the client is connected, before anything that it receives
// then, and says whether it has recovered what it had.
func (l *Log) Connect(name string) (done func(recovered bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begin := l.tick()
	return func(recovered bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		c := l.client(name)
		if !recovered || len(c.lives) == 0 {
			c.lives = append(c.lives, &life{begin: begin, connected: l.tick()})
		}
	}
}

// Join says that a connected client, or one that may recover, is about to join
// a room. The caller calls the function that it returns afterwards, and says
// whether the joining has succeeded.
func (l *Log) Join(client, room string) (done func(ok bool)) { return l.move(client, room, true) }

// Leave is the opposite of Join.
func (l *Log) Leave(client, room string) (done func(ok bool)) { return l.move(client, room, false) }

func (l *Log) move(name, room string, in bool) (done func(ok bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(name)
	if len(c.lives) == 0 {
		panic("histories: " + name + " moves and has not connected")
	}
	life := c.lives[len(c.lives)-1]
	m := &move{span: span{l.tick(), never}, room: room, in: in}
	life.moves = append(life.moves, m)
	return func(ok bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		m.to = l.tick()
		if !ok {
			life.moves = slices.DeleteFunc(life.moves, func(other *move) bool { return other == m })
		}
	}
}

// Receive says that a client has received an event, with parts of it that say
// which event they belong to.
func (l *Log) Receive(client string, e Event, parts ...Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(client)
	c.received = append(c.received, reception{e, l.tick(), parts})
}

// Settle says that a client has received everything that was for it and had
// been emitted.
func (l *Log) Settle(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(client)
	c.settled = append(c.settled, l.tick())
}
