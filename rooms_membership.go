package socketio

import "github.com/socketio-go/socketio/internal/rooms"

func newIndex() *rooms.Index[*Socket] {
	return rooms.New((*Socket).ID, func(s *Socket) *rooms.Member[*Socket] { return &s.member })
}

// joinRooms enters rooms of the index, at a known position of the log if there is
// one.
func (n *Namespace) joinRooms(s *Socket, rooms []string) (joined []string, ok bool) {
	defer func() { n.cluster.roomsChanged(joined...) }()
	if n.recovery == nil {
		return n.index.Join(s, rooms)
	}
	n.recovery.mu.Lock()
	defer n.recovery.mu.Unlock()
	if joined, ok = n.index.Join(s, rooms); ok {
		s.rec.trail.join(rooms, n.recovery.last)
	}
	return joined, ok
}

// leaveRooms is the opposite of join.
func (n *Namespace) leaveRooms(s *Socket, rooms []string) (left []string) {
	defer func() { n.cluster.roomsChanged(left...) }()
	if n.recovery == nil {
		return n.index.Leave(s, rooms)
	}
	r := n.recovery
	r.mu.Lock()
	defer r.mu.Unlock()
	if left = n.index.Leave(s, rooms); !n.index.IsRemoved(s) {
		s.rec.trail.leave(rooms, r.last, r.history.first())
	}
	return left
}

// holdRooms sees to it that what other servers send to a socket that may come back
// is received, and so logged, until done is called.
func (n *Namespace) holdRooms(rooms []string) (done func()) {
	if n.cluster == nil {
		return func() {}
	}
	n.index.Hold(rooms)
	return func() {
		n.index.Unhold(rooms)
		n.cluster.roomsChanged(rooms...)
	}
}

// removeSocket takes s out of the index for good and keeps what it needs to come
// back, if it may.
func (n *Namespace) removeSocket(s *Socket, keep bool) (left []string) {
	defer func() {
		n.cluster.roomsChanged(left...)
		n.cluster.roomsChanged(s.id)
	}()
	if n.recovery == nil {
		return n.index.Remove(s)
	}
	values := s.copyValues()
	var encoded Args
	r := n.recovery
	if keep {
		encoded = r.history.encode(s, values)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.forget(s)
	r.depart(s)
	if keep {
		r.history.save(s, values, encoded) // first, so that its rooms are wanted all the time
	}
	left = n.index.Remove(s)
	s.rec.releaseHeldRooms()
	if s.rec.needs { // after its session does
		s.rec.needs = false
		r.track(n, -1)
	}
	return left
}
