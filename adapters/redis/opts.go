package redis

import (
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// opts appends the receivers and modifiers of a message. Node servers end with an error
// where they are missing.
func (w *writer) opts(m *adapter.Message) {
	w.object(3)
	w.key("rooms")
	w.texts(m.Rooms)
	w.key("except")
	w.texts(m.Except)
	w.key("flags")
	w.flags(m)
	w.end(object)
}

func (w *writer) flags(m *adapter.Message) {
	n := 0
	for _, set := range []bool{m.Compress != 0, m.Volatile, m.Only, m.Timeout > 0} {
		if set {
			n++
		}
	}
	w.object(n)
	if m.Compress != 0 {
		w.key("compress")
		w.boolean(m.Compress == adapter.CompressAlways)
	}
	if m.Volatile {
		w.key("volatile")
		w.boolean(true)
	}
	if m.Only { // Node servers ignore it: they know the room that has the socket's id
		w.key("only")
		w.boolean(true)
	}
	if m.Timeout > 0 {
		w.key("timeout")
		w.integer(milliseconds(m.Timeout))
	}
	w.end(object)
}

// milliseconds rounds up: to Node, 0 means no timeout.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// opts reads what writer.opts has written. Every member may be missing, unknown ones are
// ignored.
func (r *reader) opts(m *adapter.Message) {
	m.Rooms, m.Except = m.Rooms[:0], m.Except[:0]
	m.Volatile, m.Only, m.Compress, m.Timeout = false, false, 0, 0
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); {
		case r.null():
		case key == "rooms":
			m.Rooms = r.rooms(m.Rooms[:0])
		case key == "except":
			m.Except = r.rooms(m.Except[:0])
		case key == "flags":
			r.flags(m)
		default:
			r.skip()
		}
	}
}

func (r *reader) flags(m *adapter.Message) {
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); {
		case r.null():
		case key == "volatile":
			m.Volatile = r.boolean()
		case key == "only":
			m.Only = r.boolean()
		case key == "compress":
			m.Compress = adapter.CompressNever
			if r.boolean() {
				m.Compress = adapter.CompressAlways
			}
		case key == "timeout":
			m.Timeout = r.timeout()
		default:
			r.skip()
		}
	}
}

// timeout reads milliseconds. A negative or too large number means no timeout.
func (r *reader) timeout() time.Duration {
	const most = 1 << 40
	f, ok := numberOf(r.skip(), r.pack)
	if !ok || f < 0 || f > most {
		return 0
	}
	return time.Duration(f * float64(time.Millisecond))
}

// rooms appends a list of names.
func (r *reader) rooms(to []string) []string {
	for left := r.open(list); r.more(&left); {
		to = append(to, r.room())
	}
	return to
}
