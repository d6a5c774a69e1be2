package socketio

import (
	"errors"
	"slices"
	"sync"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// An Emitter holds the receivers of an event and the modifiers with which it is sent.
// It is an immutable value: every method returns a new one, so several goroutines may
// keep and extend the same Emitter. It comes from a server, namespace, room or socket;
// the zero value can't be used.
//
//	io.To("lobby").Except(s.ID()).Volatile().Emit("cursor", x, y)
type Emitter struct {
	ns        *Namespace
	only      *Socket // the one receiver, if not nil
	onlyID    string  // the id of the one receiver, which may not be on this server
	sender    *Socket // excluded, if not nil
	rooms     []string
	except    []string
	roomsOnly bool // To was called: without rooms there is no receiver
	volatile  bool
	localOnly bool // not published to other servers
	compress  engine.Compression
}

// To limits the receivers to the sockets in any of the rooms, or in those of an earlier
// To. A socket in several of the rooms receives the event once. If no call of To names a
// room, as in To(list...) with an empty list, there is no receiver.
func (e Emitter) To(rooms ...string) Emitter {
	e = e.toOthers()
	e.roomsOnly = true
	e.rooms = append(slices.Clip(e.rooms), rooms...)
	return e
}

// Except excludes the sockets in any of the rooms. Without a room it excludes none.
func (e Emitter) Except(rooms ...string) Emitter {
	e = e.toOthers()
	e.except = append(slices.Clip(e.except), rooms...)
	return e
}

// hasNoReceivers reports whether e cannot have a receiver, on any server.
func (e Emitter) hasNoReceivers() bool { return e.roomsOnly && len(e.rooms) == 0 }

// toOthers turns an emitter to one socket into one to the other sockets, like
// [Socket.Broadcast]: s.Volatile().To("lobby") is s.To("lobby").Volatile().
func (e Emitter) toOthers() Emitter {
	if e.only != nil {
		e.sender, e.only = e.only, nil
	}
	return e
}

// Local limits the receivers to the sockets on this server. It has no effect on a
// server that is not part of a cluster.
func (e Emitter) Local() Emitter {
	e.localOnly = true
	return e
}

// Volatile drops the event for clients that are not ready: other messages are queued or
// being written for them, or they are between two polls or two transports.
func (e Emitter) Volatile() Emitter {
	e.volatile = true
	return e
}

// Compress says whether the event is compressed, whatever its size. It affects clients
// with which compression was negotiated; see [Options.CompressMinBytes].
func (e Emitter) Compress(on bool) Emitter {
	e.compress = engine.CompressNever
	if on {
		e.compress = engine.CompressAlways
	}
	return e
}

// withCompression applies the compression of a message of another server.
func (e Emitter) withCompression(c adapter.Compression) Emitter {
	if c != 0 {
		return e.Compress(c > 0)
	}
	return e
}

// Emit sends an event. It encodes the arguments once, whatever the number of receivers,
// and does not block. A nil error means that the event is queued for the receivers, not
// that it arrived. A receiver whose queue is full is disconnected with [ReasonSlow];
// the others are not affected.
//
// The error is [ErrReserved] for a reserved name, or says which argument can't be
// encoded; then the event is not sent. It wraps [ErrUnpublished] when the event was sent
// to the receivers on this server but not to the other servers of the cluster.
//
// Binary data is sent as binary at any depth: a []byte, or a value of a type made from
// it without methods for JSON or text. The same slice in several places is sent once. An
// event has at most [Options.MaxAttachments] binary parts, or 10 if that is more. An
// event with binary data can't contain an object whose "_placeholder" is true, as the
// protocol uses such objects for binary data; with [Options.Codec] it can.
//
// If the last argument is a func([]Reply, error), the event requests acks. The function
// is called once with the results of EmitWithAck, on a goroutine of its own, after
// [Options.AckTimeout] at the latest.
func (e Emitter) Emit(event string, args ...any) error {
	if err := checkEvent(event); err != nil {
		return err
	}
	args, fn, found, err := callback[func([]Reply, error)](event, args)
	switch {
	case err != nil:
		return err
	case found:
		return e.emitWithCallback(event, args, fn)
	}
	return e.emitAll(event, args)
}

// emitAll encodes the arguments and sends the event in the namespace of e, or in all
// children of a template.
func (e Emitter) emitAll(event string, args []any) error {
	enc, err := beginEvent(e.ns, event, args)
	if err != nil {
		return err
	}
	defer enc.Release()
	if e.ns.template == nil && !e.hasNoReceivers() {
		return e.emit(e.ns, event, enc)
	}
	if e.hasNoReceivers() || e.ns.srv.opts.Codec != nil { // which may refuse it, though there is no receiver
		if _, err := eventMessage(e.ns, noAck, enc); err != nil || e.hasNoReceivers() {
			return err
		}
	}
	var unpublished error
	if !e.sharesLog(e.ns) || e.ns.srv.opts.Adapter != nil {
		for _, n := range e.ns.expand() {
			err := e.emit(n, event, enc)
			switch {
			case errors.Is(err, ErrUnpublished):
				unpublished = err
			case err != nil:
				return err
			}
		}
	}
	if e.sharesLog(e.ns) {
		if err := e.deliverLogged(e.ns, 0, event, enc); err != nil {
			return err
		}
	}
	return unpublished
}

// sharesLog reports whether e emits to a template whose children, such as n, share its
// event log: the event is delivered to all of them at once. With a codec it is delivered
// to each child: a codec encodes each packet, and is not called under the log's lock.
func (e Emitter) sharesLog(n *Namespace) bool {
	return e.ns.template != nil && n.recovery != nil && n.recovery == e.ns.recovery && n.srv.opts.Codec == nil
}

// emit sends an event in one namespace.
func (e Emitter) emit(n *Namespace, event string, enc *encoder) error {
	if n.recovery != nil && !e.volatile && !e.localOnly {
		if published, err := n.recovery.history.publish(e, n, event, enc); published {
			return err
		}
	}
	var unpublished error
	if n.cluster != nil && e.only == nil && !e.localOnly {
		unpublished = n.cluster.broadcast(e, enc)
	}
	if e.sharesLog(n) {
		return unpublished
	}
	if err := e.deliver(n, event, enc); err != nil {
		return err
	}
	return unpublished
}

// deliver sends the event that enc holds to its receivers on this server.
func (e Emitter) deliver(n *Namespace, event string, enc *encoder) error {
	if n.recovery != nil {
		return e.deliverLogged(n, 0, event, enc)
	}
	if e.only != nil && !e.only.Connected() {
		return ErrClosed
	}
	out := fanouts.Get().(*fanout)
	defer out.release()
	out.sockets = e.collect(out.sockets, n)
	if len(out.sockets) == 0 {
		return nil
	}
	m, err := eventMessage(n, noAck, enc)
	if err != nil {
		return err
	}
	m.SetCompression(e.compress)
	observers := n.outgoing(event, m, false)
	for _, s := range out.sockets {
		err = s.queue(m, e.volatile)
		if n.srv.hooks.observesSends() {
			out.notes = append(out.notes, note{s: s, t: sio.Event, event: event, m: m, err: err})
		}
	}
	observers.notify(out.sockets...)
	for _, one := range out.notes {
		one.s.conn.notifyPacketsOut(one)
	}
	if e.only == nil {
		return nil // a broadcast does not fail because of one receiver
	}
	return sendError(err)
}

// A fanout holds the receivers of an event and its messages, in one namespace or in
// several children of a template.
type fanout struct {
	sockets []*Socket
	parts   []fanoutPart
	offset  bool   // the last argument of the messages is an offset
	notes   []note // for the hooks
}

// A fanoutPart is the message for one namespace. Its receivers begin after those of the
// previous part, and end before index end.
type fanoutPart struct {
	n   *Namespace
	m   *engine.Message
	end int
}

// fanouts holds unused fanouts for reuse.
var fanouts = sync.Pool{New: func() any { return new(fanout) }}

func (f *fanout) release() {
	clear(f.sockets)
	clear(f.parts)
	clear(f.notes)
	f.sockets, f.parts, f.notes = f.sockets[:0], f.parts[:0], f.notes[:0]
	fanouts.Put(f)
}

// localSockets returns the matching sockets of this server.
func (e Emitter) localSockets() []*Socket {
	if e.only != nil {
		return []*Socket{e.only}
	}
	var list []*Socket
	for _, n := range e.ns.expand() {
		list = e.collect(list, n)
	}
	return list
}

// collect appends the matching sockets of one namespace to dst.
func (e Emitter) collect(dst []*Socket, n *Namespace) []*Socket {
	switch {
	case e.only != nil:
		return append(dst, e.only)
	case e.onlyID != "":
		if s, ok := n.index.Socket(e.onlyID); ok {
			dst = append(dst, s)
		}
		return dst
	case e.hasNoReceivers():
		return dst
	}
	return n.index.Collect(dst, e.rooms, e.except, e.sender)
}
