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
