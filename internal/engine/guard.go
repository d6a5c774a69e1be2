package engine

import (
	"errors"
	"net"
	"time"
)

// A response, a request's body and a network connection may be of types of the
// application. Where a request is served, their panics go up to net/http, and what
// defer statements here undo. Where the engine's own goroutines call them, they are
// called through guard.

var errPanicked = errors.New("engine.io: the connection has panicked")

// guard calls fn, whose panic is reported and is an error. If fn ends its goroutine,
// that is reported too, and lost is called.
func (srv *Server) guard(fn func() error, lost func()) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if srv.cfg.Panicked != nil {
			srv.cfg.Panicked(value)
		}
		err = errPanicked
		if value == nil {
			lost()
		}
	}()
	err = fn()
	returned = true
	return err
}

// A guardedConn calls the methods of a connection that the engine does not know.
type guardedConn struct {
	net.Conn
	session *Session
}

// guardConn returns c if no code of the application is behind it.
func guardConn(s *Session, c net.Conn) net.Conn {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return c
	}
	return &guardedConn{c, s}
}

func (c *guardedConn) guard(fn func() error) error {
	return c.session.srv.guard(fn, func() { c.session.Discard(TransportError) })
}

func (c *guardedConn) Read(p []byte) (n int, err error) {
	err = c.guard(func() (err error) { n, err = c.Conn.Read(p); return err })
	return n, err
}

func (c *guardedConn) Write(p []byte) (n int, err error) {
	err = c.guard(func() (err error) { n, err = c.Conn.Write(p); return err })
	return n, err
}

func (c *guardedConn) Close() error {
	return c.guard(func() error { return c.Conn.Close() })
}

func (c *guardedConn) SetReadDeadline(t time.Time) error {
	return c.guard(func() error { return c.Conn.SetReadDeadline(t) })
}

func (c *guardedConn) SetWriteDeadline(t time.Time) error {
	return c.guard(func() error { return c.Conn.SetWriteDeadline(t) })
}

func (c *guardedConn) SetDeadline(t time.Time) error {
	return c.guard(func() error { return c.Conn.SetDeadline(t) })
}

// CloseWrite does nothing where the connection has no such method.
func (c *guardedConn) CloseWrite() error {
	conn, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return c.guard(conn.CloseWrite)
}

// NetConn returns the connection below, as that of package tls does.
func (c *guardedConn) NetConn() net.Conn {
	below := c.Conn
	if conn, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = c.guard(func() error { below = conn.NetConn(); return nil })
	}
	return below
}
