package engine

import "maps"

// Counts says what became of the messages that sessions accepted. Frames
// that the engine sends of its own, such as heartbeats, are not counted.
//
// Emitted is Written + Pending + Volatile + Slow + Closed, at any time.
type Counts struct {
	Sessions int
	Queued   int64 // bytes held by what waits to be written
	Paused   int   // sessions that are not read because their receiver blocks

	Polling, WebSocket     int // sessions of Engine.IO 4, by transport
	PollingV3, WebSocketV3 int // those of Engine.IO 3

	Emitted  uint64 // accepted by open sessions
	Written  uint64 // written whole to the network or to a poll
	Pending  uint64 // queued, or being written
	Volatile uint64 // dropped because they could not be written at once
	Slow     uint64 // dropped with a session that ended as [SlowClient]
	Closed   uint64 // dropped with one that ended otherwise
}

// sessionCounts is what a session counts, under its lock. It is smaller than Counts.
type sessionCounts struct {
	emitted  uint64
	written  uint64
	volatile uint64
	pending  uint32
	lost     uint32 // with the session; 0 while it is open
}

func (c *Counts) add(t *sessionCounts, reason Reason) {
	c.Emitted += t.emitted
	c.Written += t.written
	c.Pending += uint64(t.pending)
	c.Volatile += t.volatile
	c.addLost(t.lost, reason)
}

func (c *Counts) addLost(n uint32, reason Reason) {
	if reason == SlowClient {
		c.Slow += uint64(n)
	} else {
		c.Closed += uint64(n)
	}
}

// Counts adds up all sessions, also those that have ended. Each session is locked in
// turn, so its own counts are consistent. visit is called for the receiver of each open
// session, without a lock. ended is the number of sessions that have ended, by reason.
func (srv *Server) Counts(visit func(Receiver)) (c Counts, ended map[Reason]uint64) {
	// A session that ends from now on is counted here only, so no message is
	// counted twice or not at all.
	srv.mu.Lock()
	c = srv.ended
	ended = maps.Clone(srv.endedBy)
	list := srv.sessionsLocked()
	srv.mu.Unlock()
	c.Sessions = len(list)
	for _, s := range list {
		s.mu.Lock()
		c.add(&s.sessionCounts, s.reason)
		c.Queued += s.queued
		c.addOpenLocked(s)
		recv := s.recv
		s.mu.Unlock()
		if recv != nil {
			visit(recv)
		}
	}
	return c, ended
}

func (c *Counts) addOpenLocked(s *Session) {
	switch {
	case s.ws == nil && s.v3:
		c.PollingV3++
	case s.ws == nil:
		c.Polling++
	case s.v3:
		c.WebSocketV3++
	default:
		c.WebSocket++
	}
	if s.isPausedLocked() {
		c.Paused++
	}
}

// countTakenLocked counts messages that were taken from the queue.
func (s *Session) countTakenLocked(written, lost uint32) {
	if written+lost == 0 {
		return
	}
	s.pending -= written + lost
	s.written += uint64(written)
	s.lost += lost
	if s.state == closed {
		s.srv.addTaken(written, lost, s.reason)
		s.reportLostLocked()
	}
}

// addTaken counts messages of a session that has been added to srv.ended.
func (srv *Server) addTaken(written, lost uint32, reason Reason) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.ended.Pending -= uint64(written + lost)
	srv.ended.Written += uint64(written)
	srv.ended.addLost(lost, reason)
}

// dropQueueLocked drops the queue of a session that has ended.
func (s *Session) dropQueueLocked() {
	n := uint32(len(s.queue))
	if n > 0 && s.queue[n-1].control { // the close frame
		n--
	}
	s.pending -= n
	s.lost += n
	s.queue, s.queued, s.control, s.pongFrame = nil, 0, controlFrames{}, nil
}

// reportLostLocked reports the messages that a session dropped at its end, once the
// number is final.
func (s *Session) reportLostLocked() {
	report := s.srv.cfg.Lost
	if report == nil || s.lost == 0 || s.pending > 0 || s.recv == nil {
		return
	}
	recv, n, reason := s.recv, int(s.lost), s.reason
	s.srv.Go(func() { report(recv, n, reason) }) // not here: Send may be called under locks of the receiver
}
