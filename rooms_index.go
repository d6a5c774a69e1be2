package socketio

import (
	"slices"
	"sync"
)

// A roomIndex knows which sockets of a namespace are in which rooms. A socket's
// own room, called by its id, is not kept as a room but implied.
type roomIndex struct {
	mu          sync.RWMutex // guards the following, and the membership of sockets
	sockets     map[string]*Socket
	rooms       map[string]*roomSet
	held        map[string]int // of sockets that may come back: how many are in a room
	heldSockets int            // how many of those there are
}

// A roomSet is a set of sockets. Each is kept with the position that the room has
// in the socket's own list, so that joining and leaving take constant time.
type roomSet struct {
	name    string
	members map[*Socket]int
}

// socketRooms is what a socket keeps for the index.
type socketRooms struct {
	rooms       []*roomSet
	gone        bool // it has left for good; rooms stays as it was
	leftOwnRoom bool // it has left the room of its id
}

func newIndex() roomIndex {
	return roomIndex{sockets: make(map[string]*Socket), rooms: make(map[string]*roomSet), held: make(map[string]int)}
}

// add makes s a socket of the namespace. It fails if s has been removed. connect
// tells the client: nobody looks for s between that and s being there.
func (x *roomIndex) add(s *Socket, connect func()) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	connect()
	if s.member.gone {
		return false
	}
	x.sockets[s.id] = s
	return true
}

// remove takes s out of the namespace and all rooms for good, and returns the
// rooms, which s remembers.
func (x *roomIndex) remove(s *Socket) (left []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.member.gone {
		return nil
	}
	s.member.gone = true
	if x.sockets[s.id] == s { // else a v2 client has joined again, with the same id
		delete(x.sockets, s.id)
	}
	for _, r := range s.member.rooms {
		x.drop(r, s)
		left = append(left, r.name)
	}
	return left
}

func (x *roomIndex) drop(r *roomSet, s *Socket) {
	delete(r.members, s)
	if len(r.members) == 0 {
		delete(x.rooms, r.name)
	}
}

// join makes s a member of rooms. It returns those that are new to s, and
// whether s may still join any.
func (x *roomIndex) join(s *Socket, names []string) (joined []string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.member.gone {
		return nil, false
	}
	for _, name := range names {
		if name == s.id {
			s.member.leftOwnRoom = false
			continue
		}
		r := x.rooms[name]
		if r == nil {
			r = &roomSet{name: name, members: make(map[*Socket]int)}
			x.rooms[name] = r
		}
		if _, in := r.members[s]; !in {
			r.members[s] = len(s.member.rooms)
			s.member.rooms = append(s.member.rooms, r)
			joined = append(joined, name)
		}
	}
	return joined, true
}

// leave takes s out of rooms and returns those that it was in.
func (x *roomIndex) leave(s *Socket, names []string) (left []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.member.gone {
		return nil
	}
	for _, name := range names {
		if name == s.id {
			s.member.leftOwnRoom = true
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
		list := s.member.rooms
		last := len(list) - 1
		if i != last {
			list[i] = list[last]
			list[i].members[s] = i
		}
		list[last] = nil
		s.member.rooms = list[:last]
		left = append(left, name)
	}
	return left
}

// isGone reports whether s has been removed.
func (x *roomIndex) isGone(s *Socket) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return s.member.gone
}

// roomsOf returns the names of the rooms that s is in, or was when it left.
func (x *roomIndex) roomsOf(s *Socket) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	names := make([]string, 0, len(s.member.rooms)+1)
	if !s.member.leftOwnRoom {
		names = append(names, s.id)
	}
	for _, r := range s.member.rooms {
		names = append(names, r.name)
	}
	return names
}

func (x *roomIndex) socket(id string) (*Socket, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s, ok := x.sockets[id]
	return s, ok
}

func (x *roomIndex) roomNames() []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	names := make([]string, 0, len(x.rooms))
	for name := range x.rooms {
		names = append(names, name)
	}
	return names
}

func (x *roomIndex) count() (sockets, rooms int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.sockets), len(x.rooms)
}

// count counts the sockets of one room.
func (x *roomIndex) countRoom(name string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	if s := x.own(name); s != nil {
		n++
	}
	if r := x.rooms[name]; r != nil {
		n += len(r.members)
	}
	return n
}

// hold notes that a socket that may come back is in rooms. unkeep takes that back.
func (x *roomIndex) hold(rooms []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heldSockets++
	for _, name := range rooms {
		x.held[name]++
	}
}

func (x *roomIndex) unhold(rooms []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heldSockets--
	for _, name := range rooms {
		if x.held[name]--; x.held[name] == 0 {
			delete(x.held, name)
		}
	}
}

// any reports whether a socket, be it one that may come back, is in any of the
// rooms or has the id of one, or is there at all if there is no room.
func (x *roomIndex) any(rooms []string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(rooms) == 0 {
		return len(x.sockets)+x.heldSockets > 0
	}
	for _, name := range rooms {
		if x.rooms[name] != nil || x.sockets[name] != nil || x.held[name] > 0 {
			return true
		}
	}
	return false
}

// own returns the socket whose own room is called name.
func (x *roomIndex) own(name string) *Socket {
	if s := x.sockets[name]; s != nil && !s.member.leftOwnRoom {
		return s
	}
	return nil
}

// collect appends to dst the sockets in any of the rooms, or all if there is
// none, that are in none of the except rooms and are not the sender, each once.
func (x *roomIndex) collect(dst []*Socket, rooms, except []string, sender *Socket) []*Socket {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := x.exceptions(except)
	if sender != nil && sender.member.gone {
		sender = x.sockets[sender.id] // it may have recovered
	}
	take := func(s *Socket) {
		if s != sender && (out == nil || !out(s)) {
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
		seen := make(map[*Socket]struct{})
		for _, name := range rooms {
			x.each(name, func(s *Socket) {
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
func (x *roomIndex) each(name string, fn func(*Socket)) {
	if s := x.own(name); s != nil {
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
func (x *roomIndex) exceptions(names []string) func(*Socket) bool {
	var own []*Socket
	var rooms []*roomSet
	for _, name := range names {
		if s := x.own(name); s != nil {
			own = append(own, s)
		}
		if r := x.rooms[name]; r != nil {
			rooms = append(rooms, r)
		}
	}
	if len(own)+len(rooms) == 0 {
		return nil
	}
	return func(s *Socket) bool {
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
