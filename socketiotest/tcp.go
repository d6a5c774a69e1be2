package socketiotest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/socketio-go/socketio/internal/memnet"
)

// tcp is a server on a port. Clients reach it through memory, so that their links have
// faults: a connection in memory is copied to one of TCP.
type tcp struct {
	addr   string
	server *http.Server
	http   *http.Client
	tasks  sync.WaitGroup // goroutines; close waits for them
}

func serveTCP(server *http.Server) (network, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tcp{addr: listener.Addr().String(), server: server}
	t.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return t.open(ctx)
	}}}
	t.tasks.Go(func() { _ = server.Serve(listener) }) // until close
	return t, nil
}

func (t *tcp) open(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", t.addr)
}

func (t *tcp) dial(ctx context.Context) (*memnet.Conn, error) {
	up, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	client, down := memnet.Pipe()
	var ends sync.WaitGroup
	ends.Go(func() { pass(up, down) }) // until either end closes
	ends.Go(func() { pass(down, up) })
	t.tasks.Go(func() {
		ends.Wait()
		_ = up.Close()
		_ = down.Close()
	})
	return client, nil
}

// pass copies from one connection to another, and passes on how it ends.
func pass(to, from net.Conn) {
	_, err := io.Copy(to, struct{ io.Reader }{from})
	if err == nil {
		if to.(interface{ CloseWrite() error }).CloseWrite() == nil { //nolint:forcetypeassert // both kinds have it
			return
		}
	}
	for _, c := range []net.Conn{to, from} {
		switch c := c.(type) {
		case *memnet.Conn:
			c.Cut()
		case *net.TCPConn:
			_ = c.SetLinger(0) // a reset
		}
		_ = c.Close()
	}
}

func (t *tcp) client() *http.Client { return t.http }

func (t *tcp) close() {
	_ = t.server.Close()
	t.http.CloseIdleConnections()
	t.tasks.Wait()
}
