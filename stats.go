package socketio

import (
	"net/http"
	"sync/atomic"
)

// Stats counts what a server holds and has refused.
type Stats struct {
	Connections int   // Engine.IO sessions
	Sockets     int   // in all namespaces
	Rooms       int   // in all namespaces, those of a single socket's id not counted
	QueuedBytes int64 // waiting to be written

	Slow       uint64 // connections closed because they did not read
	BadPackets uint64 // connections closed because of what they sent
	LateAcks   uint64 // answers that nobody awaited: too late, given twice, or to no question

	Panics         uint64 // in handlers and other functions of the application
	HandlerErrors  uint64 // errors other than an [Error] that handlers and middleware returned
	BadArguments   uint64 // events whose arguments did not fit their handler, see [DecodeError]
	StuckHandlers  uint64 // handlers that a connection was closed for, see [StuckError]
	Unhandled      uint64 // events that had no handler
	UnansweredAcks uint64 // events whose handler took an [AckFunc] and had not called it when the socket left

	Refused  RefusedStats
	Cluster  ClusterStats // zero unless Options.Adapter is set
	Messages MessageStats
}

// RefusedStats counts refused requests, see [RefusedError]. The fields but Busy are
// Engine.IO's codes.
type RefusedStats struct {
	UnknownTransport uint64
	UnknownSession   uint64 // among them those of sessions that have ended
	BadMethod        uint64
	BadRequest       uint64
	Forbidden        uint64 // by Options.Origins or Options.AllowRequest
	BadVersion       uint64
	Busy             uint64 // beyond Options.MaxHandshakes, or during Shutdown
}

// MessageStats says what has become of every message that a server has sent
// since it was made. A message is one packet for one client: an event that a
// thousand sockets receive is a thousand messages. Answers, and what clients are
// told when they join or leave a namespace, are messages too, as is what a
// recovered client is sent again; heartbeats are not.
//
// Every message is either written, pending or dropped for one reason, so that
//
//	Emitted = Written + Pending + DroppedVolatile + DroppedSlow + DroppedClosed
//
// holds in each snapshot, also while messages are being sent. The connections are
// looked at one after another, so such a snapshot is not one moment for all of
// them. All counts but Pending only grow.
type MessageStats struct {
	// Emitted counts the messages for connections that were open. What was for
	// others was refused with [ErrClosed], or passed over by a broadcast.
	Emitted uint64
	// Written counts those that the operating system has taken, or that were
	// the response to a poll. Whether they arrived is not known. Messages that
	// are written together count when all of them are.
	Written uint64
	// Pending counts those that wait to be written, or are being written.
	Pending uint64
	// DroppedVolatile counts the volatile ones that a client could not take at
	// once.
	DroppedVolatile uint64
	// DroppedSlow counts those that ended with the connection of a slow client,
	// see [ReasonSlow]: what did not fit into its queue, and what was in it.
	DroppedSlow uint64
	// DroppedClosed counts those that had not been written when a connection
	// ended for any other reason.
	DroppedClosed uint64
}

// Stats returns a snapshot of the server's counters. Its cost grows with the
// number of connections.
func (srv *Server) Stats() Stats {
	counts := srv.engine.Counts()
	st := Stats{
		Cluster:     srv.cluster.stats(),
		Connections: counts.Sessions,
		QueuedBytes: counts.Queued,
		Slow:        srv.engine.Slow(),
		BadPackets:  srv.badPackets.Load(),
		LateAcks:    srv.strayAcks.Load(),
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
	st.Cluster.Connected = srv.opts.Adapter != nil
	for n := range srv.Namespaces() {
		if n.cluster != nil && !n.cluster.status.connected() {
			st.Cluster.Connected = false
		}
		sockets, rooms := n.index.count()
		st.Sockets += sockets
		st.Rooms += rooms
	}
	return st
}

// counters are those of [Stats] that the server keeps itself. They count what is
// rare, or what is no part of a server that works.
type counters struct {
	badPackets     atomic.Uint64
	strayAcks      atomic.Uint64
	panics         atomic.Uint64
	handlerErrors  atomic.Uint64
	badArguments   atomic.Uint64
	stuckHandlers  atomic.Uint64
	unhandled      atomic.Uint64
	unansweredAcks atomic.Uint64
	refused        refusedCounters
}

// countError counts an error that is reported. Some kinds are counted where they
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

// refusedCounters counts refused requests by code; the last counts those that
// were refused because the server is busy.
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
