package memnet

import (
	"io"
	"net"
	"time"
)

// A Conn is one end of a connection. Its methods may be called concurrently.
type Conn struct {
	name    addr
	peer    addr
	in, out *Stream
}

// Pipe returns the two ends of a connection.
func Pipe() (client, server *Conn) {
	up, down := newStream(), newStream()
	client = &Conn{name: "client", peer: "server", in: down, out: up}
	server = &Conn{name: "server", peer: "client", in: up, out: down}
	return client, server
}

// In is the direction that c reads from.
func (c *Conn) In() *Stream { return c.in }

// Out is the direction that c writes to.
func (c *Conn) Out() *Stream { return c.out }

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.wrap("read", err)
}

// Write implements [net.Conn].
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// Close implements [net.Conn]. The peer reads what has been sent, then EOF. Its
// writes fail.
func (c *Conn) Close() error {
	if !c.in.leave(reader) {
		return c.wrap("close", net.ErrClosed)
	}
	c.out.leave(writer)
	c.out.End()
	return nil
}

// CloseWrite ends what c sends. It goes on reading.
func (c *Conn) CloseWrite() error {
	c.out.End()
	return nil
}

// Cut breaks the connection: both ends read what had been sent, and get
// ECONNRESET otherwise.
func (c *Conn) Cut() {
	c.in.Cut()
	c.out.Cut()
}

// Freeze stops both directions, as if a cable had been pulled: neither end
// reads anything, not even an end or a reset, until Thaw.
func (c *Conn) Freeze() {
	c.in.Freeze()
	c.out.Freeze()
}

// Thaw ends a Freeze.
func (c *Conn) Thaw() {
	c.in.Thaw()
	c.out.Thaw()
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr { return c.name }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr { return c.peer }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.change(func() { c.in.readDeadline = t })
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.change(func() { c.out.writeDeadline = t })
	return nil
}

func (c *Conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: network, Source: c.name, Addr: c.peer, Err: err}
}
