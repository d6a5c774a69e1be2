package socketio

import "context"

// A RemoteSocket describes a socket that may be on another server.
type RemoteSocket struct {
	ID        string
	Handshake Handshake
	Rooms     []string

	values map[string]any
}

// Sockets describes the matching sockets of the whole cluster.
func (e Emitter) Sockets(ctx context.Context) ([]RemoteSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	local := e.local()
	list := make([]RemoteSocket, len(local))
	for i, s := range local {
		list[i] = RemoteSocket{ID: s.id, Handshake: *s.Handshake(), Rooms: s.Rooms(), values: s.copyValues()}
	}
	return list, nil
}

// Count counts the matching sockets of the whole cluster without fetching them.
func (e Emitter) Count(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(e.rooms) == 1 && len(e.except) == 0 && e.sender == nil && e.only == nil {
		return e.ns.Room(e.rooms[0]).Len(), nil
	}
	return len(e.local()), nil
}

// Join makes the matching sockets enter rooms.
func (e Emitter) Join(ctx context.Context, rooms ...string) error {
	return e.each(ctx, func(s *Socket) { _ = s.Join(rooms...) })
}

// Leave makes the matching sockets leave rooms.
func (e Emitter) Leave(ctx context.Context, rooms ...string) error {
	return e.each(ctx, func(s *Socket) { s.Leave(rooms...) })
}

// Disconnect makes the matching sockets leave the namespace.
func (e Emitter) Disconnect(ctx context.Context) error {
	return e.each(ctx, func(s *Socket) { _ = s.Disconnect() })
}

// Close disconnects the matching sockets with their connections.
func (e Emitter) Close(ctx context.Context) error {
	return e.each(ctx, func(s *Socket) { _ = s.Close() })
}

// each calls fn for the matching sockets; one that has left is not an error.
func (e Emitter) each(ctx context.Context, fn func(*Socket)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, s := range e.local() {
		fn(s)
	}
	return nil
}

// ServerSideEmit sends an event to the other servers of the cluster. As long as
// the server is not part of one, nobody receives it. The error is [ErrReserved]
// for a reserved name, or says which argument can't be encoded.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	if err := checkEvent(event); err != nil {
		return err
	}
	return n.checkArgs(event, args)
}

// checkArgs says what can't be sent when there is nobody to send it to.
func (n *Namespace) checkArgs(event string, args []any) error {
	_, err := encodeEvent(n, noAck, event, args)
	return err
}

// ServerSideEmitWithAck sends an event to the other servers and collects one
// reply per server until ctx ends. A server that is not part of a cluster is
// answered by nobody, at once.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	if err := n.ServerSideEmit(event, args...); err != nil {
		return nil, err
	}
	return nil, ctx.Err()
}
