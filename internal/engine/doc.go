// Package engine speaks Engine.IO 4, and Engine.IO 3 with old clients if told
// to: it admits HTTP requests, keeps sessions, moves messages over long-polling
// and WebSocket, upgrades from one to the other, and watches heartbeats. It
// knows nothing of Socket.IO.
//
// The protocol is described at https://github.com/socketio/engine.io-protocol.
//
// # The way in
//
// A WebSocket costs one goroutine, its reader. It hands every message to the
// session's [Receiver] and, through a [Turn], lets the receiver run
// application code on the same goroutine: when that code does not come back,
// another goroutine takes over the reading. A POST hands over its messages
// without a Turn.
//
// # The way out
//
// [Session.Send] appends a shared, immutable [Message] to the session's queue
// and never blocks. Whoever finds the queue idle makes sure that it gets one
// flusher: the reader at the end of its turn, a worker of the server, or the
// poll that waits. A flusher writes all that is queued at once. It never
// blocks: when the network takes no more, a goroutine of that session goes on
// under a write deadline. A reader whose turn has sent to others works with the
// workers before it reads on: who sends to many can't overrun them.
package engine
