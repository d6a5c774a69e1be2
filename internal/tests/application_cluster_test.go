package tests_test

import (
	"context"
	"errors"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/siotest"
)

// clusterPlaces are those that other servers of a cluster have called.
func clusterPlaces() (list []place) {
	for _, p := range []place{
		{name: "server-side event", install: func(m *fault, srv *siotest.Server) { srv.OnServerSide("e", func() { m.act() }) }},
		{name: "server-side event with an error", install: func(m *fault, srv *siotest.Server) {
			srv.OnServerSide("e", func() error { return &badError{m, "Unwrap"} })
		}, value: true},
		{name: "server-side event with a result", install: func(m *fault, srv *siotest.Server) { srv.OnServerSide("e", func() any { return badJSON{m} }) }, value: true},
		{name: "OnAnyOutgoing of another server's event", install: func(m *fault, srv *siotest.Server) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
		}},
		{name: "OnJoin by another server", install: func(m *fault, srv *siotest.Server) { srv.OnJoin(func(*socketio.Socket, string) { m.act() }) }},
		{name: "value of a socket, for another server", install: func(m *fault, srv *siotest.Server) {
			srv.OnConnect(func(s *socketio.Socket) { socketio.Key[any]("value").Set(s, badJSON{m}) })
		}, value: true},
		{name: "OnError about another server's message", quiet: true, not: notOnError, options: func(m *fault, o *socketio.Options) {
			o.OnError = func(*socketio.Socket, error) { m.act() }
		}, install: func(_ *fault, srv *siotest.Server) { srv.OnServerSide("e", func() error { return errors.New("x") }) }},
	} {
		inner := p.options
		p.options = func(m *fault, o *socketio.Options) {
			bus := adaptertest.NewBus(1, adaptertest.Faults{})
			o.Adapter = bus.Server()
			m.other = socketio.NewServer(&socketio.Options{Adapter: bus.Server()})
			if inner != nil {
				inner(m, o)
			}
		}
		p.trigger = func(m *fault, _ *siotest.Client) {
			other := m.other
			defer other.Close()
			other.Of("/") // which hears the others
			_ = other.Emit("x")
			_ = other.Broadcast().Join(context.Background(), "room")
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			go other.Broadcast().Sockets(ctx)
			_, _ = other.ServerSideEmitWithAck(ctx, "e")
		}
		list = append(list, p)
	}
	return list
}
