package socketio

import (
	"context"
	"iter"
)

// A Room is a named set of sockets of a namespace. It is a small comparable
// value: keep it, copy it, use it as a map key. The room itself exists while
// somebody is in it. A Room comes from [Namespace.Room]; its zero value can't
// be used.
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
		n += member.index.countRoom(r.name)
	}
	return n
}

// LocalSockets iterates over the room's sockets on this server, in no order. Those
// that join or leave meanwhile may or may not be among them.
func (r Room) LocalSockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		for _, s := range r.Broadcast().localSockets() {
			if !yield(s) {
				return
			}
		}
	}
}

// Join puts sockets into the room. The error is [ErrClosed] if one of them has
// disconnected; the others have joined nevertheless.
func (r Room) Join(sockets ...*Socket) error {
	var err error
	for _, s := range sockets {
		if e := s.Join(r.name); e != nil {
			err = e
		}
	}
	return err
}

// Leave takes sockets out of the room.
func (r Room) Leave(sockets ...*Socket) {
	for _, s := range sockets {
		s.Leave(r.name)
	}
}

// Broadcast returns an emitter to the room.
func (r Room) Broadcast() Emitter { return r.ns.To(r.name) }

// To returns an emitter to this room and others.
func (r Room) To(rooms ...string) Emitter { return r.Broadcast().To(rooms...) }

// Except returns an emitter to the room less the sockets in the given rooms.
func (r Room) Except(rooms ...string) Emitter { return r.Broadcast().Except(rooms...) }

// Volatile returns an emitter to the room that drops events for clients that
// cannot take them at once.
func (r Room) Volatile() Emitter { return r.Broadcast().Volatile() }

// Local returns an emitter to the room's sockets on this server.
func (r Room) Local() Emitter { return r.Broadcast().Local() }

// Compress returns an emitter to the room that overrides compression.
func (r Room) Compress(on bool) Emitter { return r.Broadcast().Compress(on) }

// Emit sends an event to the room.
func (r Room) Emit(event string, args ...any) error { return r.Broadcast().Emit(event, args...) }

// EmitWithAck sends an event to the room and collects the answers; see
// [Emitter.EmitWithAck].
func (r Room) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	return r.Broadcast().EmitWithAck(ctx, event, args...)
}
