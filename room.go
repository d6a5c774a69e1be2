package socketio

import (
	"context"
	"iter"
)

// A Room is a handle on a named set of sockets of a namespace. It is a small comparable
// value, which may be copied and used as a map key. A room exists while a socket is in
// it. A Room comes from [Namespace.Room]; its zero value can't be used.
type Room struct {
	ns   *Namespace
	name string
}

// Name returns the room's name.
func (r Room) Name() string { return r.name }

// LocalLen counts the room's sockets on this server.
func (r Room) LocalLen() int {
	n := 0
	for _, member := range r.ns.expand() {
		n += member.index.Len(r.name)
	}
	return n
}

// LocalSockets iterates over the room's sockets on this server, in no order: those in
// the room when the iteration begins. No lock is held, so the body may block.
func (r Room) LocalSockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, s := range r.Broadcast().localSockets() {
			if !yield(s) {
				return
			}
		}
	}
}

// Join makes sockets join the room. The error is [ErrClosed] if one of them is
// disconnected; the others have joined.
func (r Room) Join(sockets ...*Socket) error {
	var err error
	for _, s := range sockets {
		if e := s.Join(r.name); e != nil {
			err = e
		}
	}
	return err
}

// Leave makes sockets leave the room.
func (r Room) Leave(sockets ...*Socket) {
	for _, s := range sockets {
		s.Leave(r.name)
	}
}

// Broadcast returns an emitter to the room.
func (r Room) Broadcast() Emitter { return r.ns.To(r.name) }

// To returns an emitter to this room and others.
func (r Room) To(rooms ...string) Emitter { return r.Broadcast().To(rooms...) }

// Except returns an emitter to the sockets of the room that are in none of the given
// rooms.
func (r Room) Except(rooms ...string) Emitter { return r.Broadcast().Except(rooms...) }

// Volatile returns an emitter to the room. It drops an event for a client that is not
// ready; see [Emitter.Volatile].
func (r Room) Volatile() Emitter { return r.Broadcast().Volatile() }

// Local returns an emitter to the room's sockets on this server.
func (r Room) Local() Emitter { return r.Broadcast().Local() }

// Compress returns an emitter to the room that compresses its events or does not; see
// [Emitter.Compress].
func (r Room) Compress(on bool) Emitter { return r.Broadcast().Compress(on) }

// Emit sends an event to the room; see [Emitter.Emit].
func (r Room) Emit(event string, args ...any) error { return r.Broadcast().Emit(event, args...) }

// EmitWithAck sends an event to the room and collects one reply from each socket; see
// [Emitter.EmitWithAck].
func (r Room) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return r.Broadcast().EmitWithAck(ctx, event, args...)
}
