package socketio

import (
	"context"
	"iter"
)

// The methods of the default namespace, "/", on Server.

// On registers handler for an event; see [Namespace.On].
func (srv *Server) On(event string, handler any) (off func()) { return srv.root.On(event, handler) }

func (srv *Server) register(event string, h *handler) (off func()) {
	return srv.root.register(event, h)
}

// OnAny adds a function that is called with every incoming event; see [Namespace.OnAny].
func (srv *Server) OnAny(fn func(s *Socket, m Message)) (off func()) { return srv.root.OnAny(fn) }

// OnAnyOutgoing adds a function that is called with every event that is sent; see
// [Namespace.OnAnyOutgoing].
func (srv *Server) OnAnyOutgoing(fn func(s *Socket, m Message)) (off func()) {
	return srv.root.OnAnyOutgoing(fn)
}

// OnConnect adds a function that is called for every new socket; see [Namespace.OnConnect].
func (srv *Server) OnConnect(fn func(s *Socket)) (off func()) { return srv.root.OnConnect(fn) }

// OnDisconnect adds a function that is called for every socket that has disconnected;
// see [Namespace.OnDisconnect].
func (srv *Server) OnDisconnect(fn func(s *Socket, reason Reason)) (off func()) {
	return srv.root.OnDisconnect(fn)
}

// OnJoin adds a function that is called when a socket has joined a room; see
// [Namespace.OnJoin].
func (srv *Server) OnJoin(fn func(s *Socket, room string)) (off func()) { return srv.root.OnJoin(fn) }

// OnLeave adds a function that is called when a socket has left a room; see [Namespace.OnLeave].
func (srv *Server) OnLeave(fn func(s *Socket, room string)) (off func()) {
	return srv.root.OnLeave(fn)
}

// Use appends middleware, which runs for the sockets of "/" only; see [Namespace.Use].
func (srv *Server) Use(mw ...Middleware) (off func()) { return srv.root.Use(mw...) }

// Intercept appends interceptors of incoming events; see [Namespace.Intercept].
func (srv *Server) Intercept(in ...Interceptor) (off func()) { return srv.root.Intercept(in...) }

// Emit sends an event to every socket; see [Namespace.Emit].
func (srv *Server) Emit(event string, args ...any) error { return srv.root.Emit(event, args...) }

// EmitWithAck sends an event to every socket and collects one reply from each; see
// [Namespace.EmitWithAck].
func (srv *Server) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return srv.root.EmitWithAck(ctx, event, args...)
}

// Broadcast returns an emitter to every socket; see [Namespace.Broadcast].
func (srv *Server) Broadcast() Emitter { return srv.root.Broadcast() }

// To returns an emitter to the sockets in any of the rooms; see [Namespace.To].
func (srv *Server) To(rooms ...string) Emitter { return srv.root.To(rooms...) }

// Except returns an emitter to the sockets in none of the rooms; see [Namespace.Except].
func (srv *Server) Except(rooms ...string) Emitter { return srv.root.Except(rooms...) }

// Volatile returns an emitter that drops events for clients that are not ready; see
// [Namespace.Volatile].
func (srv *Server) Volatile() Emitter { return srv.root.Volatile() }

// Local returns an emitter to the sockets of this server; see [Namespace.Local].
func (srv *Server) Local() Emitter { return srv.root.Local() }

// Compress returns an emitter that overrides compression; see [Namespace.Compress].
func (srv *Server) Compress(on bool) Emitter { return srv.root.Compress(on) }

// Room returns a handle on a room; see [Namespace.Room].
func (srv *Server) Room(name string) Room { return srv.root.Room(name) }

// LocalRooms iterates over the rooms that have a socket on this server; see
// [Namespace.LocalRooms].
func (srv *Server) LocalRooms() iter.Seq[Room] { return srv.root.LocalRooms() }

// LocalSocket returns a socket of this server by its id; see [Namespace.LocalSocket].
func (srv *Server) LocalSocket(id string) (*Socket, bool) { return srv.root.LocalSocket(id) }

// LocalSockets iterates over the sockets of this server; see [Namespace.LocalSockets].
func (srv *Server) LocalSockets() iter.Seq[*Socket] { return srv.root.LocalSockets() }

// ServerSideEmit sends an event to the other servers of the cluster; see
// [Namespace.ServerSideEmit].
func (srv *Server) ServerSideEmit(event string, args ...any) error {
	return srv.root.ServerSideEmit(event, args...)
}

// ServerSideEmitWithAck sends an event to the other servers and collects one reply from
// each; see [Namespace.ServerSideEmitWithAck].
func (srv *Server) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return srv.root.ServerSideEmitWithAck(ctx, event, args...)
}

// OnServerSide registers handler for an event of another server; see [Namespace.OnServerSide].
func (srv *Server) OnServerSide(event string, handler any) (off func()) {
	return srv.root.OnServerSide(event, handler)
}

func (srv *Server) registerServerSide(event string, h *handler) (off func()) {
	return srv.root.registerServerSide(event, h)
}
