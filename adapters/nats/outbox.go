package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// An outbox holds what a member has published until the connection accepts it. The
// methods of the connection block while the network is slow, so one goroutine of the
// outbox calls them. It exists while there is work.
type outbox struct {
	a      *Adapter
	sender string
	lost   func(n int, reason error)

	mu     sync.Mutex // guards the following
	queue  []outMessage
	number uint64        // of the last message to all servers
	isOpen bool          // the member has subscribed: it will receive responses
	opened chan struct{} // closed when isOpen is set
	left   bool          // no more messages are accepted
	busy   bool          // deliver runs
	idle   chan struct{} // closed when deliver returns; nil if nothing waits for that
}

// An outMessage is an encoded message.
type outMessage struct {
	subject string
	data    []byte
	control bool   // an announcement or a heartbeat, which is never counted as lost
	number  uint64 // of a log entry; unconfirmed counts its loss
}

// counts reports whether the loss of the message is counted here.
func (l *outMessage) counts() bool { return !l.control && l.number == 0 }

// put queues a message. Only messages to all servers are numbered.
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

// putControl queues an announcement or a heartbeat. It drops one that can't be sent now.
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

// last returns the number of the last message to all servers.
func (o *outbox) last() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.number
}

// open allows queued messages to be sent.
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

// waitOpen waits until the outbox is open. The error is ctx's.
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

// empty reports whether the connection has accepted everything.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) == 0 && !o.busy
}

// wake sends what waits, after the connection has changed.
func (o *outbox) wake() {
	o.mu.Lock()
	o.run()
	o.mu.Unlock()
}

// run starts deliver if there is something to send. The caller holds mu.
func (o *outbox) run() {
	if o.isOpen && !o.busy && len(o.queue) > 0 {
		o.busy = true
		go o.deliver() // ends when the queue is empty; discard waits for it
	}
}

// deliver publishes the queue on the connection.
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
		if o.a.epoch.Load() == epoch { // otherwise the connection came back meanwhile
			o.stopped()
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
	}
}

// stopped notes that deliver returns. The caller holds mu.
func (o *outbox) stopped() {
	o.busy = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// send publishes messages until the connection's buffer is full, and counts those that
// it refused.
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

// flushed waits until the connection has accepted everything. The error is ctx's.
func (o *outbox) flushed(ctx context.Context) error {
	return o.until(ctx, func() bool { return !o.busy && len(o.queue) == 0 })
}

// until waits for a state that holds when deliver returns.
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

// discard waits until deliver has returned, drops the queue, and returns how many
// messages are lost. A blocked write may delay it until the connection's FlusherTimeout.
func (o *outbox) discard() (lost int) {
	o.mu.Lock()
	o.isOpen = false // deliver returns, and is not started again
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
