package socketio

import (
	"slices"
	"sync"

	"github.com/socketio-go/socketio/internal/engine"
)

// An Emitter says whom an event is for and how it travels. It is an immutable
// value: every method returns a new one, so an Emitter may be kept, shared and
// extended by any number of goroutines.
//
//	io.To("lobby").Except(s.ID()).Volatile().Emit("cursor", x, y)
type Emitter struct {
	ns       *Namespace
	only     *Socket // the one receiver, if not nil
	sender   *Socket // who is left out
	rooms    []string
	except   []string
	volatile bool
}

// To adds rooms. A socket in several of them receives the event once.
func (e Emitter) To(rooms ...string) Emitter {
	e.rooms = append(slices.Clip(e.rooms), rooms...)
	return e
}

// Except removes the sockets in any of the rooms.
func (e Emitter) Except(rooms ...string) Emitter {
	e.except = append(slices.Clip(e.except), rooms...)
	return e
}

// Local keeps the event on this server, which has no effect as long as the
// server is not part of a cluster.
func (e Emitter) Local() Emitter { return e }

// Volatile lets the event be dropped for clients that cannot take it at once:
// when something is on its way to them already, or when they are between two
// polls or two transports.
func (e Emitter) Volatile() Emitter {
	e.volatile = true
	return e
}

// Emit sends an event. It encodes the arguments once, whatever the number of
// receivers, and does not wait for them. A nil error means that the event is
// queued for every receiver that could take it, not that it arrived. The error
// is [ErrReserved] for a reserved name, or says which argument can't be
// encoded; then nothing is sent.
//
// A receiver whose queue is full is disconnected with [ReasonSlow], which the
// others do not notice.
func (e Emitter) Emit(event string, args ...any) error {
	if err := checkEvent(event); err != nil {
		return err
	}
	m, err := encodeEvent(e.ns.name, noAck, event, args)
	if err != nil {
		return err
	}
	if e.only != nil {
		return e.only.send(m, e.volatile)
	}
	e.broadcast(m)
	return nil
}

func (e Emitter) broadcast(m *engine.Message) {
	list := receivers.Get().(*[]*Socket)
	*list = e.ns.index.collect((*list)[:0], e.rooms, e.except, e.sender)
	for _, s := range *list {
		_ = s.send(m, e.volatile) // who has left or is slow is not the emitter's concern
	}
	clear(*list)
	receivers.Put(list)
}

// receivers holds the lists of sockets that broadcasts work through.
var receivers = sync.Pool{New: func() any { return new([]*Socket) }}
