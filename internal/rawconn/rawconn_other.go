//go:build !unix

package rawconn

import "net"

// A Conn does not exist on this platform.
type Conn struct{}

// New returns nil.
func New(net.Conn, func() bool) *Conn { return nil }

// Read is never called.
func (*Conn) Read([]byte) (int, error) { return 0, ErrWouldBlock }

// TryWrite is never called.
func (*Conn) TryWrite([]byte) (int, error) { return 0, ErrWouldBlock }
