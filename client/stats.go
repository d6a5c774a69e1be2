package client

// Stats says what became of the events and answers that were emitted:
//
//	Emitted = Written + Pending + Buffered + Volatile + Dropped.Total()
//
// whenever no call of Emit is under way.
type Stats struct {
	Emitted  uint64
	Written  uint64 // given to the network
	Pending  uint64 // queued, or being written
	Buffered uint64 // until the namespace is joined
	Volatile uint64 // volatile events that could not be written at once
	Dropped  Dropped

	BufferedBytes int64
	PendingAcks   int // answers that are awaited
	Handling      int // events that handlers have or wait for, and functions of OnConnect and so on
	Attempts      int // since the last stable connection
}

// Dropped counts events by why they were not sent.
type Dropped struct {
	Refused      uint64 // Emit has returned an error
	Offline      uint64 // emitted while offline, with the policy [Drop]
	Disconnected uint64 // buffered when Disconnect was called, or the server left
	Expired      uint64 // buffered for longer than MaxBufferAge or their context
	TooBig       uint64 // buffered, and larger than the server accepts
	Overflow     uint64 // taken back from a lost connection, beyond MaxBuffer
	Closed       uint64 // answers and others that belonged to a lost connection
	Lost         uint64 // being written when the connection was lost: perhaps received

	LateAnswers uint64 // of the server, which were not awaited any more; not in Total
}

// Total returns the sum.
func (d Dropped) Total() uint64 {
	return d.Refused + d.Offline + d.Disconnected + d.Expired + d.TooBig + d.Overflow + d.Closed + d.Lost
}

// Stats returns a snapshot.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{
		Emitted:       c.emitted.Load(),
		Volatile:      c.volatile.Load(),
		Written:       c.past.Written,
		Dropped:       c.dropped,
		BufferedBytes: c.buffered,
		Attempts:      c.attempts,
	}
	s.Dropped.Lost = c.past.Lost
	for _, k := range c.conns {
		counts := k.session.Counts()
		s.Written += counts.Written
		s.Pending += counts.Pending
		s.Dropped.Lost += counts.Lost
	}
	for _, socket := range c.order {
		s.Buffered += uint64(len(socket.buffer))
		s.PendingAcks += len(socket.acks)
		s.Handling += len(socket.tasks)
		if socket.busy {
			s.Handling++
		}
	}
	return s
}
