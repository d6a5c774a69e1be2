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
	// recordTimeout is how long a server waits for what it has recorded, unless it is
	// tested.
	appendTimeout = time.Second
	// resendAfter is how long nothing has come back when what is missing is sent
	// again.
	resendAfter = 2 * time.Second
	// window bounds the bytes that were sent and have not come back.
	window = 1 << 20
)

// unconfirmed are the events that this server has recorded and that have not come back
// from the log. If they don't soon, the host gets them all the same. Clients that
// have such an event can't be told from those that don't, by their offsets: so
// another entry of the log says that no session is restored across this place.
type unconfirmed struct {
	member *member

	mu           sync.Mutex // guards the following
	number       uint64     // of the last
	lastReturned uint64     // of the last that has come back
	position     int64      // of that
	waiting      []pendingAppend
	size         int64       // bytes in waiting
	sent         int         // of waiting, how many
	inflight     int64       // bytes of those
	progress     time.Time   // when one came back last, or was sent again
	noResponse   bool        // one was given to the host, and none has come back since
	open         bool        // the log is read: what is sent comes back
	unmarked     bool        // what the host was given needs an entry behind it
	timer        *time.Timer // runs while anything waits or is unmarked
	idle         chan struct{}
	ended        bool
}

var errLog = errors.New("socketio: nats: JetStream does not take what is recorded")

type pendingAppend struct {
	number    uint64
	data      []byte
	since     time.Time
	first     time.Time // when it was sent first
	delivered bool      // to the host
	gap       bool
}

// Append implements [adapter.LogBus].
func (r *logReader) Append(m *adapter.Message) error {
	if r.a.failed.Load() {
		return natsgo.ErrConnectionClosed // and no session is ever saved again
	}
	data, err := appendMessage(make([]byte, 0, messageSize(m)), r.id, barrier{number: r.outbox.last()}, m)
	if err != nil {
		return err
	}
	return r.unconfirmed.put(data)
}

// put takes an event. If it is refused, the host delivers it, and clients have
// what is not in the log.
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

// begin lets what waits be sent.
func (r *unconfirmed) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.progress = true, time.Now()
	r.publishNext()
}

// pump sends what the window allows. The caller holds mu.
func (r *unconfirmed) publishNext() {
	for r.open && r.sent < len(r.waiting) && (r.inflight == 0 || r.inflight+int64(len(r.waiting[r.sent].data)) <= window) {
		w := &r.waiting[r.sent]
		err := r.member.outbox.add(outMessage{subject: r.member.prefix + logSub, data: w.data, number: w.number}, false)
		if err != nil {
			return // tick tries again
		}
		if w.first.IsZero() {
			w.first = time.Now()
		}
		r.inflight += int64(len(w.data))
		r.sent++
	}
}

// take takes the first n that wait. The caller holds mu.
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

// watched sees to it that tick runs. The caller holds mu.
func (r *unconfirmed) ensureTimer() {
	if r.timer == nil && !r.ended {
		r.timer = time.AfterFunc(appendTimeout/4, r.tick)
	}
}

// tick looks after what waits.
func (r *unconfirmed) tick() {
	if lost := r.checkTimeouts(); lost > 0 {
		r.member.host.Lost(lost, errLog)
	}
}

// look is tick. It returns how many are given up.
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

// resend begins anew with what was sent and has not come back: JetStream keeps
// it once, as long as it knows that it has it. What is older than that is given
// up. The caller holds mu.
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

// give gives the host the first n that wait, without a position. The
// caller holds mu.
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

// mark appends an entry that says that there is a gap. The caller holds mu.
func (r *unconfirmed) markGap() {
	if r.unmarked && r.size < r.member.a.opts.MaxPending {
		r.unmarked = false
		r.add(appendHead(nil, kindGap, 0, 0, r.member.id), true)
	}
}

// miss says that clients may have what will not be in the log. The caller holds
// mu.
func (r *unconfirmed) noteGap() {
	r.unmarked = true
	r.ensureTimer()
}

// returned takes a record that has come back, and gives the host those before it,
// which never will. It reports whether the host has not got it.
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

// complete reports whether nobody has what the log does not know of.
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

// barrier returns what is to be read before what is published now.
func (r *unconfirmed) barrier() barrier {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := barrier{position: r.position}
	if r.number > r.lastReturned && !r.noResponse {
		b.number = r.number
	}
	return b
}

// settled waits until nothing waits that may come back soon.
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

// end stops it, and returns how many may not have reached the log.
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
