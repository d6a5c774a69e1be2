//go:build unix

package engine

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A rawConn reads and writes a network connection without waiting for it. The
// closures are made once, as making them for each call would allocate.
type rawConn struct {
	conn syscall.RawConn

	buf        *[]byte // what has been read and not been asked for; nil if nothing
	rest       []byte  // the rest of it
	readErr    error
	beforeWait func() bool // called when there is nothing to read yet; reports whether to wait for it
	readFunc   func(fd uintptr) bool

	writeBuf  []byte
	writeN    int
	writeErr  error
	writeFunc func(fd uintptr) bool
}

// newRawConn returns nil if c isn't a plain network connection. One that wraps
// another may do more than pass on its bytes.
func newRawConn(c net.Conn, beforeWait func() bool) *rawConn {
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

// received holds buffers for what comes from the network. A connection has one
// only while there is something in it.
var received = sync.Pool{New: func() any { b := make([]byte, receiveSize); return &b }}

const receiveSize = 8 << 10

// read waits for something to read, like net.Conn's Read.
func (r *rawConn) read(p []byte) (int, error) {
	if r.buf == nil {
		r.readErr = nil
		if err := r.conn.Read(r.readFunc); err != nil {
			return 0, err
		}
		if r.readErr != nil {
			return 0, r.readErr
		}
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		received.Put(r.buf)
		r.buf, r.rest = nil, nil // an empty slice would keep the buffer
	}
	return n, nil
}

func (r *rawConn) readOnce(fd uintptr) bool {
	buf := received.Get().(*[]byte)
	for {
		n, err := syscall.Read(int(fd), *buf)
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			r.buf, r.rest = buf, (*buf)[:n]
			return true
		}
		if err == syscall.EAGAIN && !r.beforeWait() {
			continue
		}
		received.Put(buf)
		switch err {
		case syscall.EAGAIN:
			return false
		case nil:
			err = io.EOF
		}
		r.readErr = err
		return true
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
