// Package rawconn reads and writes plain network connections below their
// net.Conn: a write never waits, and a read runs a function before it waits. It
// also has the buffers for messages that are read from WebSockets and bodies.
package rawconn

import "errors"

// ErrWouldBlock says that the network takes no more at the moment.
var ErrWouldBlock = errors.New("engine.io: write would block")
