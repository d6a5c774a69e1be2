package redis

import (
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// recordTimeout is how long the server waits for its own events to come back from
// the stream, unless it is tested.
const appendTimeout = time.Second

// The fields of entries that other implementations don't know.
const (
	numberField = "number" // of the sender's records
	gapField    = "gap"    // what stands here for is not in the stream
)

// unconfirmed are the events that this server has recorded and that have not come back
// from the stream yet. If they don't, the host gets them all the same. Clients
// that have such an event can't be told from those that don't, by their offsets: an
// entry says that sessions must not be restored across this place.
type unconfirmed struct {
	member  *streamsMember
	changed chan struct{} // wakes watch

	mu          sync.Mutex // guards the following
	number      uint64     // of the last
	waiting     []pendingAppend
	progress    time.Time // when one came back last
	busy        bool      // watch runs
	gaps        int       // that are not in the stream yet
	markPending bool      // an entry is under way for them
	lastRefused time.Time // when one was refused last
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

// watched sees to it that watch runs. The caller holds mu.
func (r *unconfirmed) ensureWatch() {
	if !r.busy {
		r.busy = r.member.run(r.checkTimeouts)
	}
}

// fail says that Redis did not take a record.
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

// watch ends when nothing waits, or with the seat.
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

// late reports whether there is something to give up.
func (r *unconfirmed) hasTimedOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting) > 0 && r.isLate(&r.waiting[0], time.Now())
}

func (r *unconfirmed) isLate(first *pendingAppend, now time.Time) bool {
	timeout := r.member.stream.options.appendTimeout
	return first.failed || now.Sub(first.since) > timeout && now.Sub(r.progress) > timeout
}

// expired takes what nobody waits for any longer.
func (r *unconfirmed) timedOut() []pendingAppend {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, now := 0, time.Now()
	for n < len(r.waiting) && r.isLate(&r.waiting[n], now) {
		n++
	}
	return r.takeLocked(n)
}

// takeLocked takes the first n that wait.
func (r *unconfirmed) takeLocked(n int) []pendingAppend {
	taken := r.waiting[:n:n]
	if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
		r.waiting = nil
	}
	return taken
}

// back takes a record that has come back. Those before it never will.
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

// give delivers records that have not come back, without a position. It is
// called in turn.
func (r *unconfirmed) deliver(list []pendingAppend) {
	if len(list) == 0 {
		return
	}
	r.mu.Lock()
	r.gaps++ // before anybody has what is not in the stream
	r.markGap()
	r.ensureWatch()
	r.mu.Unlock()
	m := r.member
	for _, rec := range list {
		m.handle(m.decode(map[string]string{"uid": m.uid, "type": strconv.Itoa(typeBroadcast), "data": rec.data}))
	}
}

// mark appends an entry for gaps. The caller holds mu.
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

// complete reports whether the stream knows of all gaps.
func (r *unconfirmed) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gaps == 0
}

func (m *streamsMember) entry() entry {
	return entry{key: m.stream.key, maxLen: m.maxLen, uid: m.uid, nsp: m.nsp}
}

// receiveOwn handles an entry of this server. Only what was recorded is for the
// host, if it has not got it already.
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
