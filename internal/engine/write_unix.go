//go:build unix

package engine

import (
	"io"
	"net"
	"syscall"
)

// A rawConn reads and writes a network connection without waiting for it. The
// closures are made once, as making them for each call would allocate.
type rawConn struct {
	conn syscall.RawConn

	readBuf    []byte
	readN      int
	readErr    error
	beforeWait func() // called when there is nothing to read yet
	readFunc   func(fd uintptr) bool

	writeBuf  []byte
	writeN    int
	writeErr  error
	writeFunc func(fd uintptr) bool
}

// newRawConn returns nil if c isn't a plain network connection. One that wraps
// another may do more than pass on its bytes.
func newRawConn(c net.Conn, beforeWait func()) *rawConn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	conn, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawConn{conn: conn, beforeWait: beforeWait}
	r.readFunc, r.writeFunc = r.readOnce, r.writeOnce
	return r
}

// read waits for something to read, like net.Conn's Read.
func (r *rawConn) read(p []byte) (int, error) {
	r.readBuf, r.readN, r.readErr = p, 0, nil
	err := r.conn.Read(r.readFunc)
	r.readBuf = nil
	switch {
	case err != nil:
		return 0, err
	case r.readErr != nil:
		return 0, r.readErr
	case r.readN == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return r.readN, nil
}

func (r *rawConn) readOnce(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), r.readBuf)
		switch err {
		case nil:
			r.readN = n
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			r.beforeWait()
			return false
		default:
			r.readErr = err
			return true
		}
	}
}

// tryWrite writes as much as the network takes at once.
func (r *rawConn) tryWrite(p []byte) (int, error) {
	r.writeBuf, r.writeN, r.writeErr = p, 0, nil
	err := r.conn.Write(r.writeFunc)
	r.writeBuf = nil
	if err == nil {
		err = r.writeErr
	}
	return r.writeN, err
}

func (r *rawConn) writeOnce(fd uintptr) bool {
	for len(r.writeBuf) > 0 {
		n, err := syscall.Write(int(fd), r.writeBuf)
		switch err {
		case nil:
			r.writeN += n
			r.writeBuf = r.writeBuf[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			r.writeErr = errWouldBlock
			return true
		default:
			r.writeErr = err
			return true
		}
	}
	return true
}
