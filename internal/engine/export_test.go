package engine

// LookupQuery returns the first value of a query parameter.
func LookupQuery(query, key string) (string, bool) { return lookupQuery(query, key) }

// Compressed returns m as it goes to clients that have negotiated
// permessage-deflate.
func (m *Message) Compressed(threshold int) []byte { return m.compressed(threshold) }

// NewID returns a new session id.
func NewID() string { return newID() }
