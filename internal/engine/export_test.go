package engine

// LookupQuery returns the first value of a query parameter.
func LookupQuery(query, key string) (string, bool) { return lookupQuery(query, key) }

// Compressed returns m as it goes to clients that have negotiated
// permessage-deflate.
func (m *Message) Compressed(threshold int) []byte { return m.compressed(threshold) }

// SessionCounts returns what s has counted.
func (s *Session) SessionCounts() (c Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.add(&s.sessionCounts, s.reason)
	return c
}

// NewID returns a new session id.
func NewID() string { return newID() }

// Overruns returns how often a queue has been too long while no goroutine flushed it.
func (srv *Server) Overruns() uint64 { return srv.flushPool.overruns.Load() }

// Enqueued returns how often a session was queued for the flush pool.
func (srv *Server) Enqueued() uint64 { return srv.flushPool.enqueued.Load() }

// Waiting returns how many sessions wait in the flush pool.
func (srv *Server) Waiting() int {
	w := &srv.flushPool
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) - w.next
}

// SetWorkers sets the number of flush workers and returns what it was.
func (srv *Server) SetWorkers(n int) (before int) {
	w := &srv.flushPool
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.max = w.max, n
	return before
}

// Line is a flush pool without workers, but for the test.
type Line struct{ flushPool }

// Add queues n sessions that have nothing to send.
func (l *Line) Add(n int) {
	for range n {
		l.enqueued.Add(1)
		l.queue = append(l.queue, new(Session))
	}
}

// Help flushes as a reader does that helps until a ticket.
func (l *Line) Help(due uint64) bool { return l.flushUpTo(due) }

// Waiting returns how many sessions have not been taken.
func (l *Line) Waiting() int { return len(l.queue) - l.next }
