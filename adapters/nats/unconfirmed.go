package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

const (
	// appendTimeout is how long a server waits for its own events to come back. Tests
	// may change it.
	appendTimeout = time.Second
	// resendAfter is the time without a returned event after which missing events are
	// sent again.
	resendAfter = 2 * time.Second
	// window bounds the bytes of events that were sent and have not come back.
	window = 1 << 20
)

// unconfirmed are the events that this server has appended, and that have not come back
// from the log. After a timeout they are delivered to the host without a position. The
// offsets of clients do not show which clients have such an event. So another entry, a
// gap, says that no session is restored across it.
type unconfirmed struct {
	member *member

	mu           sync.Mutex // guards the following
	number       uint64     // of the last event
	lastReturned uint64     // the number of the last event that has come back
	position     int64      // its position
	waiting      []pendingAppend
	size         int64       // bytes in waiting
	sent         int         // how many of waiting were sent
	inflight     int64       // their bytes
	progress     time.Time   // when an event last came back, or events were sent again
	noResponse   bool        // an event was delivered without a position, and none has come back since
	open         bool        // the log is being read, so events that are sent come back
	unmarked     bool        // a gap entry has to be appended
	timer        *time.Timer // runs while events wait or a gap entry is missing
	idle         chan struct{}
	ended        bool
}

var errLog = errors.New("socketio: nats: JetStream does not accept events")

type pendingAppend struct {
	number    uint64
	data      []byte
	since     time.Time
	first     time.Time // when it was first sent
	delivered bool      // to the host, without a position
	gap       bool
}

// Append implements [adapter.LogBus].
func (r *logReader) Append(m *adapter.Message) error {
	if r.a.failed.Load() {
		return natsgo.ErrConnectionClosed // no session will be saved any more
	}
	data, err := appendMessage(make([]byte, 0, messageSize(m)), r.id, barrier{number: r.outbox.last()}, m)
	if err != nil {
		return err
	}
	return r.unconfirmed.put(data)
}

// put appends an event. If put fails the server delivers the event to its own clients,
// so a gap is needed.
func (r *unconfirmed) put(data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.member.a.opts.MaxPending
	switch {
	case r.ended || r.member.outbox.hasLeft():
		return adapter.ErrLeft
	case int64(len(data)) > limit:
		r.noteGap()
		return fmt.Errorf("socketio: nats: a message of %d bytes exceeds MaxPending", len(data))
	case r.size+int64(len(data)) > limit:
		r.noteGap()
		return adapter.ErrBacklog
	}
	r.add(data, false)
	if r.noResponse {
		r.deliver(len(r.waiting))
	}
	return nil
}

// add queues an entry. The caller holds mu.
func (r *unconfirmed) add(data []byte, gap bool) {
	r.number++
	setNumber(data, r.number)
	now := time.Now()
	if len(r.waiting) == 0 {
		r.progress = now
	}
	r.waiting = append(r.waiting, pendingAppend{number: r.number, data: data, since: now, gap: gap})
	r.size += int64(len(data))
	r.publishNext()
	r.ensureTimer()
}

// begin allows events to be sent.
func (r *unconfirmed) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.progress = true, time.Now()
	r.publishNext()
}

// publishNext sends as many events as the window allows. The caller holds mu.
func (r *unconfirmed) publishNext() {
	for r.open && r.sent < len(r.waiting) && (r.inflight == 0 || r.inflight+int64(len(r.waiting[r.sent].data)) <= window) {
		w := &r.waiting[r.sent]
		err := r.member.outbox.add(outMessage{subject: r.member.prefix + logSub, data: w.data, number: w.number}, false)
		if err != nil {
			return // tick retries
		}
		if w.first.IsZero() {
			w.first = time.Now()
		}
		r.inflight += int64(len(w.data))
		r.sent++
	}
}

// take removes and returns the first n events. The caller holds mu.
func (r *unconfirmed) take(n int) []pendingAppend {
	taken := r.waiting[:n:n]
	for i := range taken {
		r.size -= int64(len(taken[i].data))
		if i < r.sent {
			r.inflight -= int64(len(taken[i].data))
		}
	}
	r.sent = max(0, r.sent-n)
	if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
		r.waiting = nil
	}
	return taken
}

// ensureTimer starts the timer unless it runs. The caller holds mu.
func (r *unconfirmed) ensureTimer() {
	if r.timer == nil && !r.ended {
		r.timer = time.AfterFunc(appendTimeout/4, r.tick)
	}
}

// tick checks the timeouts and reports losses.
func (r *unconfirmed) tick() {
	if lost := r.checkTimeouts(); lost > 0 {
		r.member.host.Lost(lost, errLog)
	}
}

// checkTimeouts delivers and sends again events that are overdue. It returns how many
// are lost.
func (r *unconfirmed) checkTimeouts() (lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return 0
	}
	r.timer = nil
	now := time.Now()
	n, timeout := 0, time.Duration(r.member.a.jetStream.timeout.Load())
	for n < len(r.waiting) && now.Sub(r.waiting[n].since) > timeout && now.Sub(r.progress) > timeout {
		n++
	}
	r.deliver(n)
	if r.sent > 0 && now.Sub(r.progress) > resendAfter && r.member.a.online.Load() && r.member.outbox.empty() {
		lost = r.resend(now)
	}
	r.markGap()
	r.publishNext()
	if len(r.waiting) > 0 || r.unmarked {
		r.ensureTimer()
	}
	return lost
}

// resend sends events again that have not come back. JetStream drops a duplicate as long
// as it remembers the message; older events are dropped here and counted as lost. The
// caller holds mu.
func (r *unconfirmed) resend(now time.Time) (lost int) {
	n := 0
	for n < r.sent && now.Sub(r.waiting[n].first) > r.member.a.jetStream.duplicates()*3/4 {
		n++
	}
	if n > 0 {
		r.deliver(n)
		for _, w := range r.take(n) {
			if !w.gap {
				lost++
			}
		}
		r.unmarked = true
	}
	r.sent, r.inflight, r.progress = 0, 0, now
	return lost
}

// deliver delivers the first n events to the host, without a position. The caller holds
// mu.
func (r *unconfirmed) deliver(n int) {
	for i := range n {
		w := &r.waiting[i]
		if w.delivered || w.gap {
			continue
		}
		w.delivered, r.noResponse, r.unmarked = true, true, true
		if h, err := decodeHead(w.data); err == nil {
			h.number = 0
			r.member.inbox.forceDelivery(delivery{head: h})
		}
	}
}

// markGap appends a gap if one is needed. The caller holds mu.
func (r *unconfirmed) markGap() {
	if r.unmarked && r.size < r.member.a.opts.MaxPending {
		r.unmarked = false
		r.add(appendHead(nil, kindGap, 0, 0, r.member.id), true)
	}
}

// noteGap notes that a gap is needed. The caller holds mu.
func (r *unconfirmed) noteGap() {
	r.unmarked = true
	r.ensureTimer()
}

// returned removes an event that has come back. It delivers those before it, which will
// not come back. It reports whether the host still needs the event.
func (r *unconfirmed) returned(number uint64, position int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = time.Now()
	if number > r.lastReturned {
		r.lastReturned, r.position = number, position
	}
	n := 0
	for n < len(r.waiting) && r.waiting[n].number < number {
		n++
	}
	r.deliver(n)
	r.take(n)
	r.noResponse = false
	fresh := false
	if len(r.waiting) > 0 && r.waiting[0].number == number {
		w := r.take(1)[0]
		fresh = !w.delivered && !w.gap
	}
	r.publishNext()
	if len(r.waiting) == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
	return fresh
}

// complete reports whether no gap is missing in the log.
func (r *unconfirmed) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.waiting {
		if r.waiting[i].delivered || r.waiting[i].gap {
			return false
		}
	}
	return !r.unmarked
}

// barrier returns what must be read before a message that is published now.
func (r *unconfirmed) barrier() barrier {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := barrier{position: r.position}
	if r.number > r.lastReturned && !r.noResponse {
		b.number = r.number
	}
	return b
}

// flushed waits until no event waits that may come back soon.
func (r *unconfirmed) flushed(ctx context.Context) error {
	r.mu.Lock()
	if len(r.waiting) == 0 || r.noResponse {
		r.mu.Unlock()
		return nil
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	quiet := r.idle
	r.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end stops everything, and returns how many events may not be in the log.
func (r *unconfirmed) end() (lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	for i := range r.waiting {
		if !r.waiting[i].gap {
			lost++
		}
	}
	return lost
}
