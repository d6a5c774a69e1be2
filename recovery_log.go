package socketio

import (
	"slices"
	"time"
	"unsafe"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A logEntry is one event in the log.
type logEntry struct {
	at     time.Time
	ns     *Namespace      // nil if the event is for all children of a template
	m      *engine.Message // nil if ns is nil
	shared *sharedEvent    // set if ns is nil: each child makes its message from it
	only   string          // the one receiver's id, or empty
	sender string          // the id of the socket that is excluded, or empty
	rooms  []string
	except []string
}

// A sharedEvent is an event for all children of a template: its payload, with the
// offset, and its attachments.
type sharedEvent struct {
	payload  []byte
	bin      [][]byte
	compress engine.Compression
}

// size returns the number of bytes of memory that keeping the event takes.
func (l *logEntry) size() int64 {
	// The log has up to half as many places to spare, as it grows and is trimmed.
	const place = int64(unsafe.Sizeof(logEntry{})) * 3 / 2
	if l.shared == nil {
		return place + l.m.Size()
	}
	n := arguments.Allocated(len(l.shared.payload)) + int(unsafe.Sizeof(sharedEvent{}))
	for _, b := range l.shared.bin {
		n += arguments.Allocated(len(b)) + 48 // the list of them has grown
	}
	return place + int64(n)
}

// queued returns about what the event adds to the queue of a client, in bytes.
func (l *logEntry) queued() int64 {
	if l.shared == nil {
		return l.m.Size()
	}
	const header = 128 // a message, and the name of a short namespace
	n := len(l.shared.payload) + header
	for _, b := range l.shared.bin {
		n += len(b)
	}
	return int64(n)
}

// message returns the event as it is sent in namespace n.
func (l *logEntry) message(n *Namespace) (*engine.Message, error) {
	if l.shared == nil {
		return l.m, nil
	}
	t := sio.Event
	if len(l.shared.bin) > 0 {
		t = sio.BinaryEvent
	}
	m, err := n.srv.newMessage(append(sio.AppendHeader(nil, t, n.name, len(l.shared.bin), noAck), l.shared.payload...), l.shared.bin)
	if err == nil {
		m.SetCompression(l.shared.compress)
	}
	return m, err
}

// isFor reports whether the event at position at was for socket sid, by its room
// history.
func (l *logEntry) isFor(sid string, at int64, t *roomHistory) bool {
	if l.only != "" {
		return l.only == sid
	}
	in := func(room string) bool { return t.in(room, at) }
	return l.sender != sid && !slices.ContainsFunc(l.except, in) &&
		(len(l.rooms) == 0 || slices.ContainsFunc(l.rooms, in))
}
