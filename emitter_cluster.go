package socketio

import (
	"context"
	"crypto/rand"

	"github.com/socketio-go/socketio/adapter"
)

// Sockets describes the matching sockets of the whole cluster, which is asked
// until ctx ends, or for [Options.AckTimeout] if ctx has no deadline. If servers
// did not answer, the error is a *[NoResponseError], and the sockets of the others
// are returned beside it.
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

// Count counts the matching sockets of the whole cluster, which is asked as by
// Sockets.
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
		case adapter.Fetched: // the bus knows no other way to count
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

// Join makes the matching sockets of the whole cluster enter rooms. Those of this
// server have when it returns, also with an error. It waits until those of the other
// servers have, so that an event emitted next reaches them: until ctx ends, or for
// [Options.AckTimeout] if ctx has no deadline. The error is ctx's if it has ended already,
// and nothing was done; it wraps [ErrUnpublished] if the other servers were not told; it
// is a *[NoResponseError] if some have not said that it is done. A server of Node.js with
// sharded Redis Pub/Sub says so a moment before it hears the rooms.
func (e Emitter) Join(ctx context.Context, rooms ...string) error {
	m := adapter.Message{Kind: adapter.Join, Targets: rooms}
	return e.command(ctx, m, func(s *Socket) { _ = s.Join(rooms...) })
}

// Leave makes the matching sockets of the whole cluster leave rooms, as Join
// makes them enter.
func (e Emitter) Leave(ctx context.Context, rooms ...string) error {
	m := adapter.Message{Kind: adapter.Leave, Targets: rooms}
	return e.command(ctx, m, func(s *Socket) { s.Leave(rooms...) })
}

// Disconnect makes the matching sockets of the whole cluster leave the
// namespace; its errors are those of Join.
func (e Emitter) Disconnect(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Disconnect}
	return e.command(ctx, m, func(s *Socket) { _ = s.Disconnect() })
}

// CloseConnections disconnects the matching sockets of the whole cluster with their
// connections; its errors are those of Join.
func (e Emitter) CloseConnections(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Disconnect, Close: true}
	return e.command(ctx, m, func(s *Socket) { _ = s.CloseConnection() })
}

// Reconnect makes the clients of the matching sockets of the whole cluster come back
// by themselves, as [Socket.Reconnect] does; its errors are those of Join. Servers of
// Node.js know no such command: their sockets stay as they are.
func (e Emitter) Reconnect(ctx context.Context) error {
	m := adapter.Message{Kind: adapter.Reconnect}
	return e.command(ctx, m, func(s *Socket) { _ = s.Reconnect() })
}

// command tells the other servers what to do with the matching sockets, and does
// it with those of this one.
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

// awaitOthers waits until the other servers have handled what was published before: they
// answer a question behind it, about sockets that do not exist.
func (e Emitter) awaitOthers(ctx context.Context) error {
	if e.empty() {
		return nil
	}
	e.rooms, e.except, e.sender = []string{noRoom}, nil, nil
	return e.requestAll(ctx, adapter.Message{Kind: adapter.Count}, func(*adapter.Message) error { return nil })
}

// noRoom is a room that no socket is in.
var noRoom = "none-" + rand.Text()

// eachLocal calls fn for the matching sockets of this server; one that has left is
// not an error.
func (e Emitter) eachLocal(fn func(*Socket)) {
	for _, s := range e.localSockets() {
		fn(s)
	}
}
