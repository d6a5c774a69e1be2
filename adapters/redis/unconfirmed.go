package redis

import (
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// appendTimeout is how long the server waits until its own events come back from the
// stream. Tests may change it.
const appendTimeout = time.Second

// The fields of entries that other implementations ignore.
const (
	numberField = "number" // counts the appends of the sender
	gapField    = "gap"    // an event at this position is not in the stream
)

// unconfirmed are the events that this server has appended, and that have not come back
// from the stream yet. After a timeout they are delivered to the host without a
// position. The offsets of clients do not show which clients have such an event. So an
// entry, a gap, says that sessions must not be restored across it.
type unconfirmed struct {
	member  *streamsMember
	changed chan struct{} // wakes checkTimeouts

	mu          sync.Mutex // guards the following
	number      uint64     // of the last
	waiting     []pendingAppend
	progress    time.Time // when an event last came back
	busy        bool      // checkTimeouts runs
	gaps        int       // gaps that are not in the stream yet
	markPending bool      // a gap entry is being appended
	lastRefused time.Time // when Redis last refused one
}

type pendingAppend struct {
	number uint64
	data   string
	since  time.Time
	failed bool
}

// Append implements [adapter.LogBus].
func (m *streamsMember) Append(msg *adapter.Message) error {
	kind, data, err := encodeEntry(msg)
	if err != nil {
		return err
	}
	r := &m.unconfirmed
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.number + 1
	e := m.entry()
	c := e.append(m.bus.client, kind, data, numberField, strconv.FormatUint(number, 10))
	c.done = func(_ rueidis.RedisMessage, err error) {
		if err != nil {
			r.fail(number)
		}
		m.written(err)
	}
	if err := m.enqueue(c); err != nil {
		return err
	}
	r.number = number
	r.waiting = append(r.waiting, pendingAppend{number, data, time.Now(), false})
	r.ensureWatch()
	return nil
}

// ensureWatch starts checkTimeouts unless it runs. The caller holds mu.
func (r *unconfirmed) ensureWatch() {
	if !r.busy {
		r.busy = r.member.run(r.checkTimeouts)
	}
}

// fail notes that Redis did not accept an event.
func (r *unconfirmed) fail(number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.waiting {
		if r.waiting[i].number == number {
			r.waiting[i].failed = true
			wake(r.changed)
		}
	}
}

// checkTimeouts delivers events that have timed out. It ends when none waits, or the
// member leaves.
func (r *unconfirmed) checkTimeouts() {
	tick := time.NewTicker(appendTimeout / 4)
	defer tick.Stop()
	for {
		r.mu.Lock()
		r.markGap()
		r.busy = len(r.waiting) > 0 || r.gaps > 0
		busy := r.busy
		r.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-tick.C:
		case <-r.changed:
		case <-r.member.buffer.closed:
			return
		}
		if r.hasTimedOut() {
			r.member.handleInOrder(func() { r.deliver(r.timedOut()) })
		}
	}
}

// hasTimedOut reports whether an event has timed out.
func (r *unconfirmed) hasTimedOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0 && r.isLate(&r.waiting[0], time.Now())
}

func (r *unconfirmed) isLate(first *pendingAppend, now time.Time) bool {
	timeout := r.member.stream.options.appendTimeout
	return first.failed || now.Sub(first.since) > timeout && now.Sub(r.progress) > timeout
}

// timedOut removes and returns the events that have timed out.
func (r *unconfirmed) timedOut() []pendingAppend {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, now := 0, time.Now()
	for n < len(r.waiting) && r.isLate(&r.waiting[n], now) {
		n++
	}
	return r.takeLocked(n)
}

// takeLocked removes and returns the first n events.
func (r *unconfirmed) takeLocked(n int) []pendingAppend {
	taken := r.waiting[:n:n]
	if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
		r.waiting = nil
	}
	return taken
}

// returned removes the event that has come back. The events before it will not come
// back; it removes and returns them too.
func (r *unconfirmed) returned(number uint64) (missing []pendingAppend, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = time.Now()
	n := 0
	for n < len(r.waiting) && r.waiting[n].number < number {
		n++
	}
	missing = r.takeLocked(n)
	if len(r.waiting) > 0 && r.waiting[0].number == number {
		r.takeLocked(1)
		return missing, true
	}
	return missing, false
}

// deliver delivers events without a position. It is called in order.
func (r *unconfirmed) deliver(list []pendingAppend) {
	if len(list) == 0 {
		return
	}
	r.mu.Lock()
	r.gaps++ // before a client has an event that is not in the stream
	r.markGap()
	r.ensureWatch()
	r.mu.Unlock()
	m := r.member
	for _, rec := range list {
		m.handle(m.decode(map[string]string{"uid": m.uid, "type": strconv.Itoa(typeBroadcast), "data": rec.data}))
	}
}

// markGap appends an entry for gaps. The caller holds mu.
func (r *unconfirmed) markGap() {
	if r.gaps == 0 || r.markPending || time.Since(r.lastRefused) < appendTimeout {
		return
	}
	gaps, e := r.gaps, r.member.entry()
	c := e.append(r.member.bus.client, typeNothing, "{}", gapField, "1")
	c.control, c.done = true, func(_ rueidis.RedisMessage, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.markPending = false; err != nil {
			r.lastRefused = time.Now()
			return
		}
		r.gaps -= gaps
	}
	r.markPending = r.member.enqueue(c) == nil
}

// complete reports whether all gaps are in the stream.
func (r *unconfirmed) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gaps == 0
}

func (m *streamsMember) entry() entry {
	return entry{key: m.stream.key, maxLen: m.maxLen, uid: m.uid, nsp: m.nsp}
}

// receiveOwn handles an entry of this server. It delivers an event unless the host
// already has it.
func (m *streamsMember) receiveOwn(id entryID, values map[string]string) {
	number, err := strconv.ParseUint(values[numberField], 10, 64)
	if err == nil {
		missing, ok := m.unconfirmed.returned(number)
		m.unconfirmed.deliver(missing)
		if msg, err := m.decode(values); ok && err == nil && msg != nil {
			msg.Position = id.position()
			m.host.Deliver(msg)
			return
		}
	}
	m.publishPosition(id)
}
