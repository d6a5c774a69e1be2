// Package memnet is a network in memory for tests. Its connections are
// buffered and keep deadlines like those of TCP, and each direction of one can
// be slowed, frozen or ended, at once or at a given byte.
//
// Everything that waits does so on channels and timers, so that tests may run
// in a bubble of testing/synctest.
package memnet

import (
	"context"
	"net"
	"sync"
)

// A Listener accepts the connections that its Dial opens.
type Listener struct {
	conns chan *Conn
	done  chan struct{}
	close sync.Once
}

// Listen returns a listener.
func Listen() *Listener {
	return &Listener{conns: make(chan *Conn), done: make(chan struct{})}
}

// Dial opens a connection. It returns when that has been accepted.
func (l *Listener) Dial(ctx context.Context) (*Conn, error) {
	client, server := Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.Addr(), Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.Addr(), Err: ctx.Err()}
	}
}

// DialContext is Dial in the form that HTTP and WebSocket clients take. The
// address does not matter.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: network, Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close implements [net.Listener]. Connections that were accepted stay open.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return addr("server") }

const network = "mem"

type addr string

func (a addr) Network() string { return network }
func (a addr) String() string  { return string(a) }
