package engine

// Counts says what became of the messages that were handed to sessions. Frames
// that the engine sends of its own, such as heartbeats, are not counted.
//
// Emitted is Written + Pending + Volatile + Slow + Closed, at any time.
type Counts struct {
	Sessions int
	Queued   int64 // bytes held by what waits to be written

	Emitted  uint64 // handed to sessions that were open
	Written  uint64 // taken whole by the network, or by a poll
	Pending  uint64 // queued, or being written
	Volatile uint64 // dropped, as they could not leave at once
	Slow     uint64 // dropped with a session that ended as [SlowClient]
	Closed   uint64 // dropped with one that ended otherwise
}

// A tally is what a session counts, under its lock.
type tally struct {
	emitted  uint64
	written  uint64
	volatile uint64
	pending  uint32
	lost     uint32 // with the session; 0 while it is open
}

func (c *Counts) add(t *tally, reason Reason) {
	c.Emitted += t.emitted
	c.Written += t.written
	c.Pending += uint64(t.pending)
	c.Volatile += t.volatile
	c.lose(t.lost, reason)
}

func (c *Counts) lose(n uint32, reason Reason) {
	if reason == SlowClient {
		c.Slow += uint64(n)
	} else {
		c.Closed += uint64(n)
	}
}

// Counts sums up all sessions there have been. Those that live are looked at
// one after another, each in balance.
func (srv *Server) Counts() Counts {
	// A session that ends from now on is counted here only, so no message is
	// counted twice or not at all.
	srv.mu.Lock()
	c := srv.ended
	list := srv.sessionsLocked()
	srv.mu.Unlock()
	c.Sessions = len(list)
	for _, s := range list {
		s.mu.Lock()
		c.add(&s.tally, s.reason)
		c.Queued += s.queued
		s.mu.Unlock()
	}
	return c
}

// countTakenLocked says what became of messages that were taken from the queue.
func (s *Session) countTakenLocked(written, lost uint32) {
	if written+lost == 0 {
		return
	}
	s.pending -= written + lost
	s.written += uint64(written)
	s.lost += lost
	if s.state == closed {
		s.srv.settled(written, lost, s.reason)
		s.reportLostLocked()
	}
}

// settled is settledLocked for a session that has been added to those ended.
func (srv *Server) settled(written, lost uint32, reason Reason) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.ended.Pending -= uint64(written + lost)
	srv.ended.Written += uint64(written)
	srv.ended.lose(lost, reason)
}

// dropQueueLocked gives up what is queued, of a session that is not open any
// more.
func (s *Session) dropQueueLocked() {
	n := uint32(len(s.queue))
	if n > 0 && s.queue[n-1].control { // the close frame
		n--
	}
	s.pending -= n
	s.lost += n
	s.queue, s.queued, s.control, s.pongFrame = nil, 0, control{}, nil
}

// reportLostLocked reports what was lost with a session, once that is known.
func (s *Session) reportLostLocked() {
	tell := s.srv.cfg.Lost
	if tell == nil || s.lost == 0 || s.pending > 0 || s.recv == nil {
		return
	}
	recv, n, reason := s.recv, int(s.lost), s.reason
	s.srv.Go(func() { tell(recv, n, reason) }) // on a goroutine of its own, as Send may be called under locks
}
