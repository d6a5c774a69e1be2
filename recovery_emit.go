package socketio

import (
	"errors"
	"slices"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// deliverLogged sends an event in a namespace with recovery, or in all children of a
// template that share its log. position is not 0 if the event was read from a log bus.
func (e Emitter) deliverLogged(n *Namespace, position int64, event string, enc *encoder) error {
	out := fanouts.Get().(*fanout)
	defer out.release()
	err := n.recovery.emitEncoded(e, n, position, enc, out)
	begin := 0
	for _, p := range out.parts {
		p.notify(event, out.offset, out.sockets[begin:p.end])
		begin = p.end
	}
	for _, one := range out.notes {
		one.event = event
		one.s.conn.notifyPacketsOut(one)
	}
	return err
}

// notify calls the observers of outgoing events, without the offset.
func (p *fanoutPart) notify(event string, offset bool, to []*Socket) {
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

// errPositionTaken says that another event took the position for which an event was
// encoded.
var errPositionTaken = errors.New("socketio: an event for another position")

// emitEncoded calls appendAndQueue. With a codec it first encodes the event, without the
// lock, for the next offset, and starts again if another event took that offset.
func (r *recovery) emitEncoded(e Emitter, n *Namespace, position int64, enc *encoder, out *fanout) (err error) {
	if n.srv.opts.Codec == nil {
		return r.appendAndQueue(e, n, position, enc, nil, out)
	}
	for err = errPositionTaken; err == errPositionTaken; {
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

// nextOffset returns the offset of the next event of n, and whether the event is needed.
func (r *recovery) nextOffset(e Emitter, n *Namespace, position int64, enc *encoder) (offset string, wanted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.offsetLocked(e, position, enc), e.only != nil || r.history.wants(n)
}

// offsetLocked returns the offset of the next event, or "" if it gets none.
func (r *recovery) offsetLocked(e Emitter, position int64, enc *encoder) string {
	if position == 0 {
		position = r.history.next(e)
	}
	if position == 0 && enc.EndsInString() { // which clients would take for an offset
		position = r.last
	} else if position == 0 {
		return ""
	}
	return r.history.offset(position)
}

// appendAndQueue appends an event to the log, unless it is volatile or on a log bus, and
// queues it for its receivers. It sets the fields of out. encoded is the event if it is
// encoded already, else nil.
func (r *recovery) appendAndQueue(e Emitter, n *Namespace, position int64, enc *encoder, encoded *encodedEvent, out *fanout) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.only != nil && e.only.state.Load() != stateConnected {
		return ErrClosed
	}
	if !r.history.wants(n) {
		return nil
	}
	offset := r.offsetLocked(e, position, enc)
	if encoded != nil && encoded.offset != offset {
		return errPositionTaken
	}
	out.offset = offset != ""
	if position > 0 {
		r.history.advance(position)
	}
	if err := e.addressAll(n, position, enc, offset, encoded, out); err != nil {
		return err
	}
	if position == 0 {
		if position = r.history.next(e); position > 0 {
			r.history.append(e, n, enc, offset, out)
		}
	}
	return r.queue(e, position, out)
}

// addressAll calls address for a namespace, or for all children of a template that have
// a connected socket.
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

// address adds the receivers in one namespace and their message to out. A namespace that
// shares the event with others and has no receivers gets no message. The caller holds
// the recovery's mu.
func (e Emitter) address(n *Namespace, position int64, enc *encoder, offset string, encoded *encodedEvent, shared bool, out *fanout) (err error) {
	end := len(out.sockets)
	out.sockets = e.collect(out.sockets, n)
	if position > 0 {
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
		r.history.buffer(e, p.m, position)
		for _, s := range out.sockets[begin:p.end] {
			if position > 0 {
				s.rec.lastSent = position
			} else if !e.volatile && !e.localOnly { // a log bus has not accepted it
				s.rec.lastSent = r.last + 1 // the event has no offset, so the client's offset can't confirm it
			}
			fail := s.queue(p.m, e.volatile)
			if p.n.srv.hooks.observesSends() {
				out.notes = append(out.notes, note{s: s, t: sio.Event, m: p.m, err: fail})
			}
			if e.only != nil {
				err = sendError(fail)
			} // else a broadcast does not fail because of one receiver
		}
		begin = p.end
	}
	return err
}
