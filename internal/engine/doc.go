// Package engine speaks Engine.IO 4, and Engine.IO 3 if it is allowed. It admits HTTP requests, keeps sessions, moves messages over long-polling
// and WebSocket, upgrades from one to the other, and checks heartbeats. It
// knows nothing of Socket.IO.
//
// The protocol is described at https://github.com/socketio/engine.io-protocol.
//
// # Receiving
//
// A WebSocket costs one goroutine, its reader. It hands every message to the
// session's [Receiver] and, through a [Turn], lets the receiver run
// application code on the same goroutine: when that code does not return in
// time, another goroutine reads on. The messages of a POST have no Turn.
//
// # Sending
//
// [Session.Send] appends a shared, immutable [Message] to the session's queue
// and never blocks. At most one goroutine flushes a session: the reader at the end
// of its turn, a worker of the flush pool, or the poll that waits. A flush writes
// all that is queued and never blocks: when the network takes no more, a goroutine
// of that session continues under a write deadline. A reader whose turn has sent to
// other sessions helps the workers before it reads on. That is the backpressure for
// a client whose events are sent to many.
package engine
