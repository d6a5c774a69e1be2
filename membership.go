package socketio

// join enters rooms of the index, at a known position of the log if there is
// one.
func (n *Namespace) join(s *Socket, rooms []string) (joined []string, ok bool) {
	defer func() { n.seat.roomsChanged(joined...) }()
	if n.recovery == nil {
		return n.index.join(s, rooms)
	}
	n.recovery.mu.Lock()
	defer n.recovery.mu.Unlock()
	if joined, ok = n.index.join(s, rooms); ok {
		s.rec.trail.joined(rooms, n.recovery.last)
	}
	return joined, ok
}

// leave is the opposite of join.
func (n *Namespace) leave(s *Socket, rooms []string) (left []string) {
	defer func() { n.seat.roomsChanged(left...) }()
	if n.recovery == nil {
		return n.index.leave(s, rooms)
	}
	r := n.recovery
	r.mu.Lock()
	defer r.mu.Unlock()
	if left = n.index.leave(s, rooms); !n.index.isGone(s) {
		s.rec.trail.left(rooms, r.last, r.first())
	}
	return left
}

// keepRooms sees to it that what other servers send to a socket that may come back
// is received, and so logged, until done is called.
func (n *Namespace) keepRooms(rooms []string) (done func()) {
	if n.seat == nil {
		return func() {}
	}
	n.index.keep(rooms)
	return func() {
		n.index.unkeep(rooms)
		n.seat.roomsChanged(rooms...)
	}
}

// remove takes s out of the index for good and keeps what it needs to come
// back, if it may.
func (n *Namespace) remove(s *Socket, keep bool) (left []string) {
	defer func() {
		n.seat.roomsChanged(left...)
		n.seat.roomsChanged(s.id)
	}()
	if n.recovery == nil {
		return n.index.remove(s)
	}
	values := s.copyValues()
	var encoded Args
	r := n.recovery
	if keep && r.recorder != nil {
		encoded = s.encodeValues(values)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.returning, s)
	r.depart(s)
	switch {
	case keep && r.recorder != nil:
		r.saveRecorded(s, encoded)
	case keep:
		r.save(s, values) // first, so that its rooms are wanted all the time
	}
	left = n.index.remove(s)
	s.rec.arrived()
	if s.rec.needs { // after its session does
		s.rec.needs = false
		r.track(n, -1)
	}
	return left
}
