package socketio

import (
	"errors"
	"slices"
	"sync"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// An Emitter says whom an event is for and how it travels. It is an immutable
// value: every method returns a new one, so an Emitter may be kept, shared and
// extended by any number of goroutines. It comes from a server, namespace, room
// or socket; the zero value can't be used.
//
//	io.To("lobby").Except(s.ID()).Volatile().Emit("cursor", x, y)
type Emitter struct {
	ns       *Namespace
	only     *Socket // the one receiver, if not nil
	onlyID   string  // the id of the one receiver, which may not be on this server
	sender   *Socket // who is left out
	rooms    []string
	except   []string
	limited  bool // To was called: only rooms are meant, even if there are none
	volatile bool
	here     bool // no other server is told
	compress engine.Compression
}

// To limits the receivers to the sockets in any of the rooms, besides those of
// rooms named by an earlier To. A socket in several of them receives the event
// once. An emitter whose To was given no room at all, such as To(list...) with an
// empty list, has no receiver.
func (e Emitter) To(rooms ...string) Emitter {
	e = e.toOthers()
	e.limited = true
	e.rooms = append(slices.Clip(e.rooms), rooms...)
	return e
}

// Except removes the sockets in any of the rooms. Without a room it removes none.
func (e Emitter) Except(rooms ...string) Emitter {
	e = e.toOthers()
	e.except = append(slices.Clip(e.except), rooms...)
	return e
}

// empty reports whether e cannot have a receiver, on this server or another one.
func (e Emitter) empty() bool { return e.limited && len(e.rooms) == 0 }

// toOthers makes of an emitter to one socket what [Socket.Broadcast] returns:
// s.Volatile().To("lobby") is s.To("lobby").Volatile().
func (e Emitter) toOthers() Emitter {
	if e.only != nil {
		e.sender, e.only = e.only, nil
	}
	return e
}

// Local keeps to the sockets of this server, which has no effect as long as the
// server is not part of a cluster.
func (e Emitter) Local() Emitter {
	e.here = true
	return e
}

// Volatile lets the event be dropped for clients that cannot take it at once:
// when something is on its way to them already, or when they are between two
// polls or two transports.
func (e Emitter) Volatile() Emitter {
	e.volatile = true
	return e
}

// Compress overrides whether the event is compressed, whatever its size, for
// clients with which compression was negotiated; see [Options.Compression].
func (e Emitter) Compress(on bool) Emitter {
	e.compress = engine.CompressNever
	if on {
		e.compress = engine.CompressAlways
	}
	return e
}

// withCompression is what another server says of compression.
func (e Emitter) withCompression(c adapter.Compression) Emitter {
	if c != 0 {
		return e.Compress(c > 0)
	}
	return e
}

// Emit sends an event. It encodes the arguments once, whatever the number of
// receivers, and does not wait for them. A nil error means that the event is
// queued for every receiver that could take it, not that it arrived. The error
// is [ErrReserved] for a reserved name, or says which argument can't be
// encoded; then nothing is sent, logged or published. It wraps [ErrUnpublished] when the other servers
// of a cluster will not hear of the event; the receivers here do.
//
// Binary data, of type []byte or a type made from it that has no method for JSON
// or text, is sent as such at any depth; the same slice in several places is sent
// once. Beside binary data, an object whose "_placeholder" is true can't be
// encoded: the protocol uses such objects for binary data and has no escape. With
// [Options.Codec] it can. At most [Options.MaxAttachments] parts are sent, or 10 if
// that is more.
//
// A receiver whose queue is full is disconnected with [ReasonSlow], which the
// others do not notice.
//
// If the last argument is a func([]Reply, error), the receivers are asked for
// answers and the function is called once, on a goroutine of its own, as
// EmitWithAck returns after [Options.AckTimeout] at the latest.
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
	members := e.ns.members()
	if len(members) == 0 || e.empty() {
		return e.ns.checkArgs(event, args)
	}
	var unpublished error
	for _, n := range members {
		err := e.emit(n, event, args)
		switch {
		case errors.Is(err, ErrUnpublished):
			unpublished = err
		case err != nil:
			return err
		}
	}
	return unpublished
}

// emit sends an event in one namespace.
func (e Emitter) emit(n *Namespace, event string, args []any) error {
	enc, err := beginEvent(n, event, args)
	if err != nil {
		return err
	}
	defer enc.release()
	if n.recovery.records() && !e.volatile && !e.here {
		return e.record(n, event, enc)
	}
	var unpublished error
	if n.seat != nil && e.only == nil && !e.here {
		unpublished = n.seat.broadcast(e, enc)
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
	m, err := enc.event(n, noAck)
	if err != nil {
		return err
	}
	m.SetCompression(e.compress)
	if e.only != nil && !e.only.Connected() {
		return ErrClosed
	}
	out := n.outgoing(event, m, false)
	if e.only != nil {
		err := e.only.send(m, sio.Event, event, e.volatile)
		out.tell(e.only)
		return err
	}
	e.broadcast(n, event, m, out)
	return nil
}

// broadcast queues m for every receiver in one namespace.
func (e Emitter) broadcast(n *Namespace, event string, m *engine.Message, out *outgoing) {
	list := receivers.Get().(*[]*Socket)
	*list = e.collect((*list)[:0], n)
	var log []sent
	for _, s := range *list {
		err := s.queue(m, e.volatile) // who has left or is slow is not the emitter's concern
		if n.srv.hooks.sends() {
			log = append(log, sent{s: s, t: sio.Event, event: event, m: m, err: err})
		}
	}
	out.tell(*list...)
	for _, one := range log {
		one.s.conn.tellOut(one)
	}
	clear(*list)
	receivers.Put(list)
}

// receivers holds the lists of sockets that broadcasts work through.
var receivers = sync.Pool{New: func() any { return new([]*Socket) }}

// local returns the matching sockets of this server.
func (e Emitter) local() []*Socket {
	if e.only != nil {
		return []*Socket{e.only}
	}
	var list []*Socket
	for _, n := range e.ns.members() {
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
		if s, ok := n.index.socket(e.onlyID); ok {
			dst = append(dst, s)
		}
		return dst
	case e.empty():
		return dst
	}
	return n.index.collect(dst, e.rooms, e.except, e.sender)
}

// deliverLogged sends an event that receivers can be sent again. It has a
// position already if it comes from a recorder.
func (e Emitter) deliverLogged(n *Namespace, position int64, event string, enc *encoder) error {
	list := receivers.Get().(*[]*Socket)
	var log []sent
	m, offset, err := n.recovery.emitEncoded(e, n, position, enc, list, &log)
	if m == nil {
		receivers.Put(list)
		return err
	}
	n.tellLogged(event, m, offset, *list, log)
	clear(*list)
	receivers.Put(list)
	return err
}

// tellLogged tells observers of an event that was sent, which they see without
// its offset, and the hooks of what became of it.
func (n *Namespace) tellLogged(event string, m *engine.Message, offset bool, to []*Socket, log []sent) {
	if out := n.outgoing(event, m, false); out != nil {
		if raw := out.message.Args.raw; offset {
			out.message.Args.raw = raw[:len(raw)-1]
		}
		out.tell(to...)
	}
	for _, one := range log {
		one.event = event
		one.s.conn.tellOut(one)
	}
}

// An encodedEvent is an event with an offset.
type encodedEvent struct {
	m      *engine.Message
	offset string
}

// errMoved says that the log has gone on since an event was encoded.
var errMoved = errors.New("socketio: an event for another position")

// emitEncoded is emit, with the event encoded by the codec before the lock is
// taken, for the offset that comes next: again, if another event is faster.
func (r *recovery) emitEncoded(e Emitter, n *Namespace, position int64, enc *encoder, list *[]*Socket, log *[]sent) (m *engine.Message, offset bool, err error) {
	if n.srv.opts.Codec == nil {
		return r.emit(e, n, position, enc, nil, list, log)
	}
	for err = errMoved; err == errMoved; {
		encoded := &encodedEvent{offset: r.nextOffset(e, position, enc)}
		if encoded.m, err = enc.eventWithOffset(n, encoded.offset); err == nil {
			m, offset, err = r.emit(e, n, position, enc, encoded, list, log)
		}
	}
	return m, offset, err
}

func (r *recovery) nextOffset(e Emitter, position int64, enc *encoder) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.offsetLocked(e, position, enc)
}

// offsetLocked returns the offset that the next event goes out with; empty if it
// needs none.
func (r *recovery) offsetLocked(e Emitter, position int64, enc *encoder) string {
	switch {
	case position > 0:
		return r.offset(position)
	case r.recorder == nil && !e.volatile:
		return r.offset(r.last + 1)
	case enc.endsInString(): // which clients would take for an offset
		return r.offset(r.last)
	}
	return ""
}

// emit logs an event, unless that is not wanted or has happened, and queues it for its
// receivers, which it leaves in list, and what became of it in log if the hooks
// want to know. It reports whether the message has an offset.
func (r *recovery) emit(e Emitter, n *Namespace, position int64, enc *encoder, encoded *encodedEvent, list *[]*Socket, log *[]sent) (m *engine.Message, offset bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := r.offsetLocked(e, position, enc)
	if encoded != nil && encoded.offset != wanted {
		return nil, false, errMoved
	}
	*list = (*list)[:0]
	l := logged{only: e.onlyID, rooms: e.rooms, except: e.except}
	if e.only != nil {
		if e.only.state.Load() != connected {
			return nil, false, ErrClosed
		}
		l.only = e.only.id
	}
	if e.sender != nil {
		l.sender = e.sender.id
	}
	if encoded != nil {
		m = encoded.m
	} else if m, err = enc.eventWithOffset(n, wanted); err != nil {
		return nil, false, err
	}
	offset = wanted != ""
	switch {
	case position > 0:
		r.advanceLocked(position)
	case r.recorder == nil && !e.volatile:
		l.m = m
		r.append(l)
		position = r.last
	}
	m.SetCompression(e.compress)
	r.overhear(e, m, position)
	*list = e.collect(*list, n)
	if r.recorder != nil && position > 0 {
		*list = slices.DeleteFunc(*list, func(s *Socket) bool { return s.rec.has(position) })
	}
	for _, s := range *list {
		if position > 0 {
			s.rec.sent = position
		} else if r.recorder != nil && !e.volatile && !e.here {
			s.rec.sent = r.last + 1 // its client's offset will not say that it has this
		}
		fail := s.queue(m, e.volatile)
		if n.srv.hooks.sends() {
			*log = append(*log, sent{s: s, t: sio.Event, m: m, err: fail})
		}
		if e.only != nil {
			err = sendError(fail)
		} // else who has left or is slow is not the emitter's concern
	}
	return m, offset, err
}
