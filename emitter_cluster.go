package socketio

import (
	"context"
	"crypto/rand"

	"github.com/socketio-go/socketio/adapter"
)

// Sockets describes the matching sockets of the whole cluster. It waits for the
// other servers until ctx ends, or for [Options.AckTimeout] if ctx has no deadline.
// If servers did not respond, the error is a *[NoResponseError], and the sockets of
// the others are returned beside it.
func (e Emitter) Sockets(ctx context.Context) ([]RemoteSocket, error) {
	ctx = e.ns.srv.guardContext(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var list []RemoteSocket
	err := e.requestAll(ctx, adapter.Message{Kind: adapter.Fetch}, func(m *adapter.Message) error {
		if m.Kind != adapter.Fetched {
			return errResponseKind
		}
		remote, err := remoteSockets(m)
		list = append(list, remote...)
		return err
	})
	local := e.localSockets()
	for _, s := range local {
		list = append(list, RemoteSocket{ID: s.id, Handshake: *s.Handshake(), Rooms: s.Rooms(), values: s.copyValues()})
	}
	return list, err
}

// Count counts the matching sockets of the whole cluster. It waits, and fails, as
// Sockets does.
func (e Emitter) Count(ctx context.Context) (int, error) {
	ctx = e.ns.srv.guardContext(ctx)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	err := e.requestAll(ctx, adapter.Message{Kind: adapter.Count}, func(m *adapter.Message) error {
		switch m.Kind {
		case adapter.Clients:
			n += max(m.Count, 0)
		case adapter.Fetched: // this bus has no message for Count
			args, err := receivedArgs(m)
			n += args.Len()
			return err
		default:
			return errResponseKind
		}
		return nil
	})
	if len(e.rooms) == 1 && len(e.except) == 0 && e.sender == nil && e.only == nil {
		return n + e.ns.Room(e.rooms[0]).LocalLen(), err
	}
	return n + len(e.localSockets()), err
}

// Join makes the matching sockets of the whole cluster join rooms. The sockets of this
// server have joined when it returns, also with an error. It waits for the other
// servers, so that an event emitted next reaches their sockets: until ctx ends, or
// for [Options.AckTimeout] if ctx has no deadline.
//
// If ctx has ended already, Join does nothing and returns its error. The error wraps
// [ErrUnpublished] if the request could not be sent. It is a *[NoResponseError] if
// some servers did not confirm. A server of Node.js with sharded Redis Pub/Sub
// confirms shortly before it receives messages for the rooms.
func (e Emitter) Join(ctx context.Context, rooms ...string) error {
	m := adapter.Message{Kind: adapter.Join, Targets: rooms}
	return e.command(ctx, m, func(s *Socket) { _ = s.Join(rooms...) })
}

// Leave makes the matching sockets of the whole cluster leave rooms. It waits, and
// fails, as Join does.
func (e Emitter) Leave(ctx context.Context, rooms ...string) error {
	m := adapter.Message{Kind: adapter.Leave, Targets: rooms}
	return e.command(ctx, m, func(s *Socket) { s.Leave(rooms...) })
}

// Disconnect disconnects the matching sockets of the whole cluster from the
// namespace. It waits, and fails, as Join does.
func (e Emitter) Disconnect(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Disconnect}
	return e.command(ctx, m, func(s *Socket) { _ = s.Disconnect() })
}

// CloseConnections closes the connections of the matching sockets of the whole
// cluster. It waits, and fails, as Join does.
func (e Emitter) CloseConnections(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Disconnect, Close: true}
	return e.command(ctx, m, func(s *Socket) { _ = s.CloseConnection() })
}

// Reconnect makes the clients of the matching sockets of the whole cluster reconnect,
// as [Socket.Reconnect] does. It waits, and fails, as Join does. Servers of Node.js
// ignore it.
func (e Emitter) Reconnect(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Reconnect}
	return e.command(ctx, m, func(s *Socket) { _ = s.Reconnect() })
}

// command publishes m, calls fn for the matching sockets of this server, and waits for
// the other servers.
func (e Emitter) command(ctx context.Context, m adapter.Message, fn func(*Socket)) error {
	ctx = e.ns.srv.guardContext(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	err := e.publishAll(m)
	e.eachLocal(fn)
	if err != nil {
		return err
	}
	return e.awaitOthers(ctx)
}

// awaitOthers waits until the other servers have handled the messages published
// before. It sends them a request, and messages are handled in order. The request
// counts the sockets of a room that does not exist.
func (e Emitter) awaitOthers(ctx context.Context) error {
	if e.hasNoReceivers() {
		return nil
	}
	e.rooms, e.except, e.sender = []string{noRoom}, nil, nil
	return e.requestAll(ctx, adapter.Message{Kind: adapter.Count}, func(*adapter.Message) error { return nil })
}

// noRoom is a room that no socket is in.
var noRoom = "none-" + rand.Text()

// eachLocal calls fn for the matching sockets of this server.
func (e Emitter) eachLocal(fn func(*Socket)) {
	for _, s := range e.localSockets() {
		fn(s)
	}
}
