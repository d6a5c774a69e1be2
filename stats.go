package socketio

import (
	"net/http"
	"sync/atomic"

	"github.com/socketio-go/socketio/internal/engine"
)

// Stats is a snapshot of the counters of a server.
type Stats struct {
	Connections int   // Engine.IO sessions
	Sockets     int   // in all namespaces
	Rooms       int   // in all namespaces, without the sockets' own rooms
	QueuedBytes int64 // waiting to be written

	InboxEvents   int // events that wait for their handlers, of open connections
	PausedReaders int // connections that are not read because their inboxes are full

	Transports TransportStats
	Closed     ReasonCounts // connections that have ended

	// Received counts the complete packets of clients: events, acks, CONNECT and
	// DISCONNECT, but no heartbeats. Those that are handled after their connection has
	// ended may be missing.
	Received uint64

	Slow       uint64 // connections of slow clients that were closed, see [ReasonSlow]
	BadPackets uint64 // connections closed because of a malformed packet or a violation
	LateAcks   uint64 // acks that were not pending: late, duplicate, or with an unknown id

	Panics         uint64 // in handlers and other functions of the application
	HandlerErrors  uint64 // errors other than an [Error] that handlers and middleware returned
	BadArguments   uint64 // events whose arguments did not fit their handler, see [DecodeError]
	StuckHandlers  uint64 // connections closed because a handler did not return, see [StuckError]
	Unhandled      uint64 // events that had no handler
	UnansweredAcks uint64 // events whose handler took an [AckFunc] and had not called it when the socket disconnected

	Refused  RefusedStats
	Cluster  ClusterStats // zero unless Options.Adapter is set
	Messages MessageStats
}

// TransportStats counts connections by transport and by protocol.
type TransportStats struct {
	Polling, WebSocket     int // clients of Socket.IO 3 and later
	PollingV2, WebSocketV2 int // clients of Socket.IO 2
}

// RefusedStats counts refused requests, see [RefusedError]. All fields except Busy
// are Engine.IO's codes.
type RefusedStats struct {
	UnknownTransport uint64
	UnknownSession   uint64 // including sessions that have ended
	BadMethod        uint64
	BadRequest       uint64
	Forbidden        uint64 // by Options.Origins or Options.AllowRequest
	BadVersion       uint64
	Busy             uint64 // beyond Options.MaxHandshakes, or during Shutdown
}

// MessageStats counts the messages that a server has sent since it was made. A
// message is one packet for one client: an event with a thousand receivers is a
// thousand messages. Acks, CONNECT, CONNECT_ERROR, DISCONNECT and replayed events
// are messages too; heartbeats are not.
//
// Every message is either written, pending or dropped for one reason, so that
//
//	Emitted = Written + Pending + DroppedVolatile + DroppedSlow + DroppedClosed
//
// holds in each snapshot, also while messages are being sent. Stats reads the
// connections one after another, so a snapshot does not show all of them at the
// same time. All counts except Pending only grow.
type MessageStats struct {
	// Emitted counts the messages for open connections. A message for a closed
	// connection fails with [ErrClosed], or is skipped by a broadcast.
	Emitted uint64
	// Written counts the messages that the operating system accepted, or that were
	// the response to a poll. They may not have arrived. Messages that are written
	// together count when all of them are written.
	Written uint64
	// Pending counts the messages that wait to be written, or are being written.
	Pending uint64
	// DroppedVolatile counts the volatile messages that could not be written at once.
	DroppedVolatile uint64
	// DroppedSlow counts the messages of slow clients, see [ReasonSlow]: the
	// message that exceeded the queue, and the messages in the queue.
	DroppedSlow uint64
	// DroppedClosed counts the messages that were not written when a connection
	// ended for any other reason.
	DroppedClosed uint64
}

// Stats returns a snapshot of the server's counters. Its cost grows with the
// number of connections.
func (srv *Server) Stats() Stats {
	inbox := 0
	received := srv.receivedBefore.Load() // first, so that no packet is counted twice
	counts, ended := srv.engine.Counts(func(recv engine.Receiver) {
		c := recv.(*conn) //nolint:forcetypeassert // it is no other
		received += c.received.Load()
		c.mu.Lock()
		inbox += int(c.waiting)
		c.mu.Unlock()
	})
	st := Stats{
		Received:      received,
		InboxEvents:   inbox,
		PausedReaders: counts.Paused,
		Transports: TransportStats{
			Polling: counts.Polling, WebSocket: counts.WebSocket,
			PollingV2: counts.PollingV3, WebSocketV2: counts.WebSocketV3,
		},
		Cluster:     srv.cluster.stats(),
		Connections: counts.Sessions,
		QueuedBytes: counts.Queued,
		Slow:        srv.engine.Slow(),
		BadPackets:  srv.badPackets.Load(),
		LateAcks:    srv.lateAcks.Load(),
		Panics:      srv.panics.Load(),

		HandlerErrors:  srv.handlerErrors.Load(),
		BadArguments:   srv.badArguments.Load(),
		StuckHandlers:  srv.stuckHandlers.Load(),
		Unhandled:      srv.unhandled.Load(),
		UnansweredAcks: srv.unansweredAcks.Load(),

		Refused: srv.refused.stats(),
		Messages: MessageStats{
			Emitted:         counts.Emitted,
			Written:         counts.Written,
			Pending:         counts.Pending,
			DroppedVolatile: counts.Volatile,
			DroppedSlow:     counts.Slow,
			DroppedClosed:   counts.Closed,
		},
	}
	for reason, n := range ended {
		addReason(&st.Closed, Reason(reason), n)
	}
	st.Cluster.Enabled = srv.opts.Adapter != nil
	st.Cluster.Connected = st.Cluster.Enabled
	for n := range srv.Namespaces() {
		if n.cluster != nil && n.cluster.status.health() != nil {
			st.Cluster.Connected = false
		}
		sockets, rooms := n.index.Count()
		st.Sockets += sockets
		st.Rooms += rooms
	}
	return st
}

// counters are the counters of [Stats] that the server keeps itself. They count
// rare events and failures.
type counters struct {
	receivedBefore atomic.Uint64 // packets of connections that have ended
	badPackets     atomic.Uint64
	lateAcks       atomic.Uint64
	panics         atomic.Uint64
	handlerErrors  atomic.Uint64
	badArguments   atomic.Uint64
	stuckHandlers  atomic.Uint64
	unhandled      atomic.Uint64
	unansweredAcks atomic.Uint64
	refused        refusedCounters
}

// countError counts a reported error. The other kinds are counted where they
// occur.
func (c *counters) countError(kind errorKind) {
	switch kind {
	case handlerError:
		c.handlerErrors.Add(1)
	case argumentError:
		c.badArguments.Add(1)
	case stuckError:
		c.stuckHandlers.Add(1)
	}
}

// refusedCounters counts refused requests by code. The last element counts those
// that were refused because the server is busy.
type refusedCounters [CodeBadVersion + 2]atomic.Uint64

func (c *refusedCounters) count(e *RefusedError) {
	if e.Status == http.StatusServiceUnavailable {
		c[len(c)-1].Add(1)
		return
	}
	c[e.Code].Add(1)
}

func (c *refusedCounters) stats() RefusedStats {
	return RefusedStats{
		UnknownTransport: c[CodeUnknownTransport].Load(),
		UnknownSession:   c[CodeUnknownSession].Load(),
		BadMethod:        c[CodeBadMethod].Load(),
		BadRequest:       c[CodeBadRequest].Load(),
		Forbidden:        c[CodeForbidden].Load(),
		BadVersion:       c[CodeBadVersion].Load(),
		Busy:             c[len(c)-1].Load(),
	}
}
