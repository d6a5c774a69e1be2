//go:build !unix

package engine

import "net"

// A rawConn can't be had on this system: writes go through a goroutine.
type rawConn struct{}

func newRawConn(net.Conn, func() bool) *rawConn { return nil }

func (*rawConn) read([]byte) (int, error)     { return 0, errWouldBlock }
func (*rawConn) tryWrite([]byte) (int, error) { return 0, errWouldBlock }
