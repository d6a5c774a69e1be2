// Package rooms knows which sockets of a namespace are in which rooms.
package rooms

import (
	"slices"
	"sync"
)

// An Index holds the rooms of one namespace, and its sockets of type S. A room exists
// while a socket is in it. Each socket is in its own room, which has the name of its id,
// until it leaves that room; the index does not store own rooms.
//
// All methods may be called concurrently.
type Index[S comparable] struct {
	id     func(S) string
	member func(S) *Member[S]

	mu          sync.RWMutex // guards the following, and the fields of members
	sockets     map[string]S
	rooms       map[string]*room[S]
	held        map[string]int // of sockets whose sessions are saved: how many are in a room
	heldSockets int            // how many of those there are
}

// A room is a set of sockets. With each it stores the position of the room in the
// member's list of rooms, so that joining and leaving take constant time.
type room[S comparable] struct {
	name    string
	members map[S]int
}

// A Member is what the index keeps about one socket. It is a field of the socket.
type Member[S comparable] struct {
	rooms   []*room[S]
	removed bool // rooms is as it was before
	leftOwn bool // the socket has left its own room
}

// New returns an empty index. id returns the id of a socket, which does not change once
// the socket was added or has joined a room. member returns the socket's member. Both
// are called with locks held.
func New[S comparable](id func(S) string, member func(S) *Member[S]) *Index[S] {
	return &Index[S]{
		id: id, member: member,
		sockets: make(map[string]S), rooms: make(map[string]*room[S]), held: make(map[string]int),
	}
}

// Add adds a socket to the namespace. It returns false if the socket was removed
// before. It calls connect, which queues the CONNECT for the client, under its lock: so
// every lookup finds a socket whose client has received CONNECT. connect must not use
// the index.
func (x *Index[S]) Add(s S, connect func()) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	connect()
	if x.member(s).removed {
		return false
	}
	x.sockets[x.id(s)] = s
	return true
}

// Remove removes a socket from the namespace and all rooms for good, and returns these
// rooms. RoomsOf still returns them.
func (x *Index[S]) Remove(s S) (left []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.member(s)
	if m.removed {
		return nil
	}
	m.removed = true
	if id := x.id(s); x.sockets[id] == s { // otherwise a v2 client has joined again, with the same id
		delete(x.sockets, id)
	}
	for _, r := range m.rooms {
		x.drop(r, s)
		left = append(left, r.name)
	}
	return left
}

// drop removes a socket from a room, but not the room from the socket's list.
func (x *Index[S]) drop(r *room[S], s S) {
	delete(r.members, s)
	if len(r.members) == 0 {
		delete(x.rooms, r.name)
	}
}

// Join puts a socket into rooms and returns those that are new to it. ok is false if the
// socket was removed.
func (x *Index[S]) Join(s S, names []string) (joined []string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m, id := x.member(s), x.id(s)
	if m.removed {
		return nil, false
	}
	for _, name := range names {
		if name == id {
			m.leftOwn = false
			continue
		}
		r := x.rooms[name]
		if r == nil {
			r = &room[S]{name: name, members: make(map[S]int)}
			x.rooms[name] = r
		}
		if _, in := r.members[s]; !in {
			r.members[s] = len(m.rooms)
			m.rooms = append(m.rooms, r)
			joined = append(joined, name)
		}
	}
	return joined, true
}

// Leave removes a socket from rooms and returns those that it was in.
func (x *Index[S]) Leave(s S, names []string) (left []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m, id := x.member(s), x.id(s)
	if m.removed {
		return nil
	}
	for _, name := range names {
		if name == id {
			m.leftOwn = true
			continue
		}
		r := x.rooms[name]
		if r == nil {
			continue
		}
		i, in := r.members[s]
		if !in {
			continue
		}
		x.drop(r, s)
		list := m.rooms
		last := len(list) - 1
		if i != last {
			list[i] = list[last]
			list[i].members[s] = i
		}
		list[last] = nil
		m.rooms = list[:last]
		left = append(left, name)
	}
	return left
}

// IsRemoved reports whether a socket was removed.
func (x *Index[S]) IsRemoved(s S) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.member(s).removed
}

// RoomsOf returns the names of the rooms that a socket is in, or was in when it was
// removed.
func (x *Index[S]) RoomsOf(s S) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.member(s)
	names := make([]string, 0, len(m.rooms)+1)
	if !m.leftOwn {
		names = append(names, x.id(s))
	}
	for _, r := range m.rooms {
		names = append(names, r.name)
	}
	return names
}

// Socket returns the socket with an id.
func (x *Index[S]) Socket(id string) (socket S, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	socket, ok = x.sockets[id]
	return socket, ok
}

// Rooms returns the names of the rooms that exist, without own rooms.
func (x *Index[S]) Rooms() []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	names := make([]string, 0, len(x.rooms))
	for name := range x.rooms {
		names = append(names, name)
	}
	return names
}

// Count counts the sockets and the rooms of the namespace.
func (x *Index[S]) Count() (sockets, rooms int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.sockets), len(x.rooms)
}

// Len counts the sockets of one room.
func (x *Index[S]) Len(name string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	if _, ok := x.ownerOf(name); ok {
		n++
	}
	if r := x.rooms[name]; r != nil {
		n += len(r.members)
	}
	return n
}

// Hold counts a saved session whose socket was in rooms. Unhold is the opposite.
func (x *Index[S]) Hold(rooms []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heldSockets++
	for _, name := range rooms {
		x.held[name]++
	}
}

// Unhold ends what Hold began, with the same rooms.
func (x *Index[S]) Unhold(rooms []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heldSockets--
	for _, name := range rooms {
		if x.held[name]--; x.held[name] == 0 {
			delete(x.held, name)
		}
	}
}

// HasReceivers reports whether a socket, connected or held, is in any of the rooms or has
// the name of one as its id. Without rooms it reports whether there is a socket.
func (x *Index[S]) HasReceivers(rooms []string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(rooms) == 0 {
		return len(x.sockets)+x.heldSockets > 0
	}
	for _, name := range rooms {
		if x.rooms[name] != nil || x.held[name] > 0 {
			return true
		}
		if _, ok := x.sockets[name]; ok {
			return true
		}
	}
	return false
}

// ownerOf returns the socket whose own room has the name.
func (x *Index[S]) ownerOf(name string) (s S, ok bool) {
	if s, ok = x.sockets[name]; ok {
		ok = !x.member(s).leftOwn
	}
	return s, ok
}

// Collect appends receivers to dst, each once: the sockets that are in any of the rooms,
// in none of the except rooms, and not the sender. No rooms means all sockets. sender may
// be the zero value.
func (x *Index[S]) Collect(dst []S, rooms, except []string, sender S) []S {
	x.mu.RLock()
	defer x.mu.RUnlock()
	excluded := x.exceptions(except)
	var none S
	if sender != none && x.member(sender).removed {
		sender = x.sockets[x.id(sender)] // the socket that resumed its session, if any
	}
	take := func(s S) {
		if s != sender && (excluded == nil || !excluded(s)) {
			dst = append(dst, s)
		}
	}
	switch len(rooms) {
	case 0:
		dst = slices.Grow(dst, len(x.sockets))
		for _, s := range x.sockets {
			take(s)
		}
	case 1:
		x.each(rooms[0], take)
	default:
		seen := make(map[S]struct{})
		for _, name := range rooms {
			x.each(name, func(s S) {
				if _, ok := seen[s]; !ok {
					seen[s] = struct{}{}
					take(s)
				}
			})
		}
	}
	return dst
}

// each calls fn for the sockets of a room.
func (x *Index[S]) each(name string, fn func(S)) {
	if s, ok := x.ownerOf(name); ok {
		fn(s)
	}
	if r := x.rooms[name]; r != nil {
		for s := range r.members {
			fn(s)
		}
	}
}

// exceptions returns a function that reports whether a socket is in one of the
// rooms, or nil if none of them exists.
func (x *Index[S]) exceptions(names []string) func(S) bool {
	var own []S
	var rooms []*room[S]
	for _, name := range names {
		if s, ok := x.ownerOf(name); ok {
			own = append(own, s)
		}
		if r := x.rooms[name]; r != nil {
			rooms = append(rooms, r)
		}
	}
	if len(own)+len(rooms) == 0 {
		return nil
	}
	return func(s S) bool {
		if slices.Contains(own, s) {
			return true
		}
		for _, r := range rooms {
			if _, in := r.members[s]; in {
				return true
			}
		}
		return false
	}
}
