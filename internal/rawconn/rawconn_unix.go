//go:build unix

package rawconn

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A Conn reads and writes a network connection without blocking in a write.
// One goroutine may read while another one writes. The closures are made once,
// because making them for each call would allocate.
type Conn struct {
	conn syscall.RawConn

	buf        *[]byte // what has been read but not asked for; nil if nothing
	rest       []byte  // the rest of it
	readErr    error
	beforeWait func() bool
	readFunc   func(fd uintptr) bool

	writeBuf  []byte
	writeN    int
	writeErr  error
	writeFunc func(fd uintptr) bool
}

// New returns nil if c is not a plain network connection, because a type that
// wraps one may do more than pass on its bytes. beforeWait is called each time
// that nothing can be read. It reports whether to wait; if it reports false, the
// connection is read again.
func New(c net.Conn, beforeWait func() bool) *Conn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	conn, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	r := &Conn{conn: conn, beforeWait: beforeWait}
	r.readFunc, r.writeFunc = r.readOnce, r.writeOnce
	return r
}

// received holds read buffers. A connection has one only while there is
// something in it.
var received = sync.Pool{New: func() any { b := make([]byte, receiveSize); return &b }}

const receiveSize = 8 << 10

// Read reads like net.Conn's Read, deadlines included.
func (r *Conn) Read(p []byte) (int, error) {
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

func (r *Conn) readOnce(fd uintptr) bool {
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

// TryWrite writes as much of p as the network takes at once. The error is
// [ErrWouldBlock] if that is not all.
func (r *Conn) TryWrite(p []byte) (int, error) {
	r.writeBuf, r.writeN, r.writeErr = p, 0, nil
	err := r.conn.Write(r.writeFunc)
	r.writeBuf = nil
	if err == nil {
		err = r.writeErr
	}
	return r.writeN, err
}

func (r *Conn) writeOnce(fd uintptr) bool {
	for len(r.writeBuf) > 0 {
		n, err := syscall.Write(int(fd), r.writeBuf)
		switch err {
		case nil:
			r.writeN += n
			r.writeBuf = r.writeBuf[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			r.writeErr = ErrWouldBlock
			return true
		default:
			r.writeErr = err
			return true
		}
	}
	return true
}
