package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// An outbox holds what a seat has published until the connection takes it. The
// connection's own methods wait for the network while it is slow, so they are
// called by one goroutine of the outbox, which exists while there is work.
type outbox struct {
	a      *Adapter
	sender string
	lost   func(n int, reason error)

	mu     sync.Mutex // guards the following
	queue  []outMessage
	number uint64        // of the last message to all
	isOpen bool          // the seat has subscribed: it hears the answers
	opened chan struct{} // closed when it has
	left   bool          // nothing more may be put in
	busy   bool          // deliver runs
	idle   chan struct{} // closed when it ends; nil if nobody waits for that
}

// An outMessage is an encoded message on its way.
type outMessage struct {
	subject string
	data    []byte
	control bool   // a greeting, which does not count as lost
	number  uint64 // of what is recorded, which does not either: records do that
}

// counts reports whether its loss does.
func (l *outMessage) counts() bool { return !l.control && l.number == 0 }

// put queues a message; numbered ones are for all servers.
func (o *outbox) put(subject string, data []byte, numbered bool) error {
	return o.add(outMessage{subject: subject, data: data}, numbered)
}

func (o *outbox) add(l outMessage, numbered bool) error {
	data := l.data
	size := int64(len(data))
	if size > o.a.opts.MaxPending {
		return fmt.Errorf("socketio: nats: a message of %d bytes exceeds MaxPending", size)
	}
	if o.a.pending.Add(size) > o.a.opts.MaxPending {
		o.a.pending.Add(-size)
		return adapter.ErrBacklog
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left {
		o.a.pending.Add(-size)
		return adapter.ErrLeft
	}
	if numbered {
		o.number++
		setNumber(data, o.number)
	}
	o.queue = append(o.queue, l)
	o.run()
	return nil
}

// greet queues a greeting. One that can't be sent now is of no use later.
func (o *outbox) putControl(subject string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isOpen || !o.a.online.Load() {
		return
	}
	setNumber(data, o.number)
	o.a.pending.Add(int64(len(data)))
	o.queue = append(o.queue, outMessage{subject: subject, data: data, control: true})
	o.run()
}

// last returns the number of the last message to all.
func (o *outbox) last() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.number
}

// begin lets what waits be sent.
func (o *outbox) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.opened:
	default:
		o.isOpen = true
		close(o.opened)
	}
}

// begun waits for begin. The error is ctx's.
func (o *outbox) waitOpen(ctx context.Context) error {
	select {
	case <-o.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *outbox) leave() {
	o.mu.Lock()
	o.left = true
	o.mu.Unlock()
}

func (o *outbox) hasLeft() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left
}

// empty reports whether everything that was put in is with the connection.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) == 0 && !o.busy
}

// kick sends what waits, after the connection has changed.
func (o *outbox) wake() {
	o.mu.Lock()
	o.run()
	o.mu.Unlock()
}

// run starts deliver if there is something for it to do. The caller holds mu.
func (o *outbox) run() {
	if o.isOpen && !o.busy && len(o.queue) > 0 {
		o.busy = true
		go o.deliver() // ends when there is no more to do; abandon waits for it
	}
}

// deliver hands everything to the connection.
func (o *outbox) deliver() {
	for {
		epoch := o.a.epoch.Load()
		o.mu.Lock()
		if len(o.queue) == 0 || !o.isOpen || !o.a.online.Load() && !o.a.failed.Load() {
			o.stopped()
			o.mu.Unlock()
			return
		}
		batch := o.queue
		o.queue = nil
		o.mu.Unlock()

		sent, lost, err := o.send(batch)
		kept := batch[sent:]
		for _, l := range batch[:sent] {
			o.a.pending.Add(-int64(len(l.data)))
		}
		if lost > 0 {
			o.lost(lost, err)
		}
		if len(kept) == 0 {
			continue
		}
		o.mu.Lock()
		o.queue = append(kept, o.queue...)
		if o.a.epoch.Load() == epoch { // else the connection came back meanwhile
			o.stopped()
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
	}
}

// rest notes that nobody delivers. The caller holds mu.
func (o *outbox) stopped() {
	o.busy = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// send hands letters to the connection, as many as it takes, and counts those
// among them that it refused.
func (o *outbox) send(batch []outMessage) (sent, lost int, reason error) {
	for i, l := range batch {
		err := publishParts(o.a.conn, l.subject, o.sender, l.number, l.data)
		if errors.Is(err, natsgo.ErrReconnectBufExceeded) {
			return i, lost, reason
		}
		if err != nil && l.counts() {
			lost++
			reason = err
		}
	}
	return len(batch), lost, reason
}

// settled waits until everything that was put in is with the connection. The
// error is ctx's.
func (o *outbox) flushed(ctx context.Context) error {
	return o.until(ctx, func() bool { return !o.busy && len(o.queue) == 0 })
}

// until waits for a state that deliver brings about when it ends.
func (o *outbox) until(ctx context.Context, state func() bool) error {
	for {
		o.mu.Lock()
		if state() {
			o.mu.Unlock()
			return nil
		}
		if o.idle == nil {
			o.idle = make(chan struct{})
		}
		quiet := o.idle
		o.mu.Unlock()
		select {
		case <-quiet:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// abandon waits until nothing is being sent, which a write that hangs may hold
// up until the connection's FlusherTimeout, and forgets the rest. It returns how
// many messages that is.
func (o *outbox) discard() (lost int) {
	o.mu.Lock()
	o.isOpen = false // deliver ends, and does not begin again
	o.mu.Unlock()
	_ = o.until(context.Background(), func() bool { return !o.busy })
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.queue {
		o.a.pending.Add(-int64(len(l.data)))
		if l.counts() {
			lost++
		}
	}
	o.queue = nil
	return lost
}
