package socketio

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
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

// offset returns the offset of a position.
func (r *recovery) offset(at int64) string {
	if r.bus != nil {
		return r.bus.Offset(at)
	}
	return r.epoch + strconv.FormatInt(at, 36)
}

// position is the inverse of offset.
func (r *recovery) position(offset string) (int64, bool) {
	if r.bus != nil {
		return r.bus.Position(offset)
	}
	digits, ok := strings.CutPrefix(offset, r.epoch)
	if !ok {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 36, 64)
	return at, err == nil && at >= 0 && at <= r.last && r.offset(at) == offset
}

// append appends an event that e sends in n, or in the children of n, at the next
// position, which is that of offset. The caller holds mu until the messages are
// queued.
func (r *recovery) append(e Emitter, n *Namespace, enc *encoder, offset string, out *fanout) {
	r.last++
	if r.stopped {
		return
	}
	l := logEntry{at: time.Now(), only: e.onlyID, rooms: e.rooms, except: e.except}
	if e.only != nil {
		l.only = e.only.id
	}
	if e.sender != nil {
		l.sender = e.sender.id
	}
	if n.template == nil {
		l.ns, l.m = n, out.parts[0].m
	} else {
		l.shared = &sharedEvent{compress: e.compress}
		l.shared.payload = enc.PayloadWith(offset)
		for _, b := range enc.Attachments() {
			l.shared.bin = append(l.shared.bin, bytes.Clone(b))
		}
	}
	r.entries = append(r.entries, l)
	r.bytes += l.size()
	r.evictEvents(l.at)
	r.sweepLater()
}

// evictEvents drops the oldest entries until the log is within its bounds.
func (r *recovery) evictEvents(now time.Time) {
	n := 0
	for n < len(r.entries) {
		over := len(r.entries)-n > r.opts.MaxEvents || r.bytes > r.opts.MaxBytes
		if !over && now.Sub(r.entries[n].at) < r.opts.Window {
			break
		}
		r.bytes -= r.entries[n].size()
		r.entries[n] = logEntry{}
		n++
	}
	r.entries = r.entries[n:] // append copies the rest when the capacity is used up
	if len(r.entries) == 0 {
		r.entries = nil // frees the array, which may be large
	}
}

// firstPosition returns the position of the oldest entry, or of the next event if the
// log is empty.
func (r *recovery) firstPosition() int64 {
	if r.bus != nil {
		return r.oldest(time.Now())
	}
	return r.last - int64(len(r.entries)) + 1
}

// missed returns the events that a session has not received, the position of the last
// one and their size in bytes. ok is false if some of them may have been evicted.
func (r *recovery) missed(n *Namespace, sid string, t *roomHistory) (list []*logEntry, last, size int64, ok bool) {
	if t.since+1 < r.firstPosition() {
		return nil, 0, 0, false
	}
	for i := t.since + 1 - r.firstPosition(); i < int64(len(r.entries)); i++ {
		if l := &r.entries[i]; (l.ns == nil || l.ns == n) && l.isFor(sid, r.firstPosition()+i, t) {
			list = append(list, l)
			last = r.firstPosition() + i
			size += l.queued()
		}
	}
	return list, last, size, true
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
