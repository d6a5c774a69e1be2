package engine

// LookupQuery returns the first value of a query parameter.
func LookupQuery(query, key string) (string, bool) { return lookupQuery(query, key) }

// Compressed returns m as it goes to clients that have negotiated
// permessage-deflate.
func (m *Message) Compressed(threshold int) []byte { return m.compressed(threshold) }

// Tally returns what s has counted.
func (s *Session) Tally() (c Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.add(&s.tally, s.reason)
	return c
}

// NewID returns a new session id.
func NewID() string { return newID() }

// Swollen returns how often a queue has been too long while nobody flushed it.
func (srv *Server) Swollen() uint64 { return srv.flushPool.overruns.Load() }

// Waiting returns how many sessions no flusher has taken.
func (srv *Server) Waiting() int {
	w := &srv.flushPool
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) - w.next
}

// SetWorkers sets how many flushers there are at most, beside readers, and returns
// how many there were.
func (srv *Server) SetWorkers(n int) (before int) {
	w := &srv.flushPool
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.max = w.max, n
	return before
}

// Line is the flushers' line, with a worker only where the test is one.
type Line struct{ flushPool }

// Add puts n sessions into the line that have nothing to send.
func (l *Line) Add(n int) {
	for range n {
		l.enqueued.Add(1)
		l.queue = append(l.queue, new(Session))
	}
}

// Help is what a reader does that has to wait for the first due sessions.
func (l *Line) Help(due uint64) bool { return l.flushUpTo(due) }

// Waiting returns how many sessions nobody has taken.
func (l *Line) Waiting() int { return len(l.queue) - l.next }
