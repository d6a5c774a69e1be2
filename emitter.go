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
	ns        *Namespace
	only      *Socket // the one receiver, if not nil
	onlyID    string  // the id of the one receiver, which may not be on this server
	sender    *Socket // who is left out
	rooms     []string
	except    []string
	limited   bool // To was called: only rooms are meant, even if there are none
	volatile  bool
	localOnly bool // no other server is told
	compress  engine.Compression
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
	e.localOnly = true
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
// clients with which compression was negotiated; see [Options.CompressMinBytes].
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
	return e.emitAll(event, args)
}

// emitAll encodes the arguments and sends the event in every namespace that the
// emitter stands for.
func (e Emitter) emitAll(event string, args []any) error {
	enc, err := beginEvent(e.ns, event, args)
	if err != nil {
		return err
	}
	defer enc.Release()
	if e.ns.template == nil && !e.empty() {
		return e.emit(e.ns, event, enc)
	}
	if e.empty() || e.ns.srv.opts.Codec != nil { // which may refuse it, though there is no receiver
		if _, err := eventMessage(e.ns, noAck, enc); err != nil || e.empty() {
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

// sharesLog reports whether e is of a template, and n has the log that the
// template has for all of its children: they are delivered to together. A codec, which
// is not called under the log's lock, makes a packet of its own for each of them.
func (e Emitter) sharesLog(n *Namespace) bool {
	return e.ns.template != nil && n.recovery != nil && n.recovery == e.ns.recovery && n.srv.opts.Codec == nil
}

// emit sends an event in one namespace.
func (e Emitter) emit(n *Namespace, event string, enc *encoder) error {
	if n.recovery.hasBus() && !e.volatile && !e.localOnly {
		return e.publishToLog(n, event, enc)
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
			out.log = append(out.log, note{s: s, t: sio.Event, event: event, m: m, err: err})
		}
	}
	observers.notify(out.sockets...)
	for _, one := range out.log {
		one.s.conn.notifyPacketsOut(one)
	}
	if e.only == nil {
		return nil // that a receiver has left or is slow is not the emitter's concern
	}
	return sendError(err)
}

// A fanout is an event on its way to its receivers, in one namespace or in several
// children of a template.
type fanout struct {
	sockets []*Socket
	parts   []fanoutPart
	offset  bool   // the messages have an offset behind their arguments
	log     []note // what the hooks are to be told
}

// A fanoutPart is the message for one namespace. Its receivers are those behind the
// receivers of the part before, up to end.
type fanoutPart struct {
	n   *Namespace
	m   *engine.Message
	end int
}

// fanouts holds them for reuse.
var fanouts = sync.Pool{New: func() any { return new(fanout) }}

func (f *fanout) release() {
	clear(f.sockets)
	clear(f.parts)
	clear(f.log)
	f.sockets, f.parts, f.log = f.sockets[:0], f.parts[:0], f.log[:0]
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
		if s, ok := n.index.socket(e.onlyID); ok {
			dst = append(dst, s)
		}
		return dst
	case e.empty():
		return dst
	}
	return n.index.collect(dst, e.rooms, e.except, e.sender)
}

// deliverLogged sends an event that receivers can be sent again: in one namespace, or
// in all children of a template that share its log. It has a position already if it
// comes from a recorder.
func (e Emitter) deliverLogged(n *Namespace, position int64, event string, enc *encoder) error {
	out := fanouts.Get().(*fanout)
	defer out.release()
	err := n.recovery.emitEncoded(e, n, position, enc, out)
	begin := 0
	for _, p := range out.parts {
		p.tell(event, out.offset, out.sockets[begin:p.end])
		begin = p.end
	}
	for _, one := range out.log {
		one.event = event
		one.s.conn.notifyPacketsOut(one)
	}
	return err
}

// tell tells observers of an event that was sent, which they see without its
// offset.
func (p *fanoutPart) tell(event string, offset bool, to []*Socket) {
	out := p.n.outgoing(event, p.m, false)
	if out == nil {
		return
	}
	if raw := out.message.Args.raw; offset {
		out.message.Args.raw = raw[:len(raw)-1]
	}
	out.notify(to...)
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
func (r *recovery) emitEncoded(e Emitter, n *Namespace, position int64, enc *encoder, out *fanout) (err error) {
	if n.srv.opts.Codec == nil {
		return r.appendAndQueue(e, n, position, enc, nil, out)
	}
	for err = errMoved; err == errMoved; {
		offset, wanted := r.nextOffset(e, n, position, enc)
		if !wanted {
			return nil
		}
		encoded := &encodedEvent{offset: offset}
		if encoded.m, err = eventWithOffset(n, offset, enc); err == nil {
			err = r.appendAndQueue(e, n, position, enc, encoded, out)
		}
	}
	return err
}

// nextOffset returns the offset that the next event of n goes out with, and whether
// n needs it at all.
func (r *recovery) nextOffset(e Emitter, n *Namespace, position int64, enc *encoder) (offset string, wanted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.offsetLocked(e, position, enc), e.only != nil || r.wants(n)
}

// wants reports whether an event of n has a receiver here, or may get one. The caller
// holds mu.
func (r *recovery) wants(n *Namespace) bool { return r.bus != nil || r.tracked(n) > 0 }

// offsetLocked returns the offset that the next event goes out with; empty if it
// needs none.
func (r *recovery) offsetLocked(e Emitter, position int64, enc *encoder) string {
	switch {
	case position > 0:
		return r.offset(position)
	case r.bus == nil && !e.volatile:
		return r.offset(r.last + 1)
	case enc.EndsInString(): // which clients would take for an offset
		return r.offset(r.last)
	}
	return ""
}

// appendAndQueue logs an event, unless that is not wanted or has happened, and queues it for its
// receivers. What it has done is left in out. The event of one namespace may be
// encoded already.
func (r *recovery) appendAndQueue(e Emitter, n *Namespace, position int64, enc *encoder, encoded *encodedEvent, out *fanout) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.only != nil && e.only.state.Load() != stateConnected {
		return ErrClosed
	}
	if !r.wants(n) {
		return nil
	}
	offset := r.offsetLocked(e, position, enc)
	if encoded != nil && encoded.offset != offset {
		return errMoved
	}
	out.offset = offset != ""
	if position > 0 {
		r.advanceLocked(position)
	}
	if err := e.addressAll(n, position, enc, offset, encoded, out); err != nil {
		return err
	}
	if position == 0 && r.bus == nil && !e.volatile {
		r.append(e, n, enc, offset, out)
		position = r.last
	}
	return r.queue(e, position, out)
}

// addressAll is address for a namespace, or for all children of a template that have
// a socket.
func (e Emitter) addressAll(n *Namespace, position int64, enc *encoder, offset string, encoded *encodedEvent, out *fanout) error {
	if n.template == nil {
		return e.address(n, position, enc, offset, encoded, false, out)
	}
	for child := range n.recovery.present {
		if err := e.address(child, position, enc, offset, nil, true, out); err != nil {
			return err
		}
	}
	return nil
}

// address finds the receivers in one namespace and makes their message, which is not
// needed where the event is shared and nobody receives it. The caller holds the
// recovery's mu.
func (e Emitter) address(n *Namespace, position int64, enc *encoder, offset string, encoded *encodedEvent, shared bool, out *fanout) (err error) {
	end := len(out.sockets)
	out.sockets = e.collect(out.sockets, n)
	r := n.recovery
	if r.bus != nil && position > 0 {
		rest := slices.DeleteFunc(out.sockets[end:], func(s *Socket) bool { return s.rec.hasEvent(position) })
		out.sockets = out.sockets[:end+len(rest)]
	}
	if shared && len(out.sockets) == end {
		return nil
	}
	var m *engine.Message
	if encoded != nil {
		m = encoded.m
	} else if m, err = eventWithOffset(n, offset, enc); err != nil {
		return err
	}
	m.SetCompression(e.compress)
	out.parts = append(out.parts, fanoutPart{n, m, len(out.sockets)})
	return nil
}

// queue queues the messages for their receivers. The caller holds mu.
func (r *recovery) queue(e Emitter, position int64, out *fanout) (err error) {
	begin := 0
	for _, p := range out.parts {
		r.bufferForResuming(e, p.m, position)
		for _, s := range out.sockets[begin:p.end] {
			if position > 0 {
				s.rec.lastSent = position
			} else if r.bus != nil && !e.volatile && !e.localOnly {
				s.rec.lastSent = r.last + 1 // its client's offset will not say that it has this
			}
			fail := s.queue(p.m, e.volatile)
			if p.n.srv.hooks.observesSends() {
				out.log = append(out.log, note{s: s, t: sio.Event, m: p.m, err: fail})
			}
			if e.only != nil {
				err = sendError(fail)
			} // else that a receiver has left or is slow is not the emitter's concern
		}
		begin = p.end
	}
	return err
}
