package client

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
)

// A delivery is an event that is sent until the server has answered.
type delivery struct {
	s       *Socket
	id      int64 // of the answer, the same each time that it is sent
	message *eioclient.Message
	sent    *conn // by which it is under way; nil if it is not
	timer   *time.Timer
	settled bool
	result  chan delivered
}

type delivered struct {
	args socketio.Args
	err  error
}

// window is how many deliveries of a socket are under way at a time.
const window = 64

// Deliver emits an event until the server has answered it, across lost
// connections: at least once, in the order of the calls of Deliver. It is sent
// again when the namespace is joined again, and [Options.AckTimeout] after it was
// sent last. Deliver returns the answer, or the error of ctx. The server may
// handle an event more than once; see [Options.DeliverKey].
//
// Deliver does not buffer: the event is held by this call, so ctx bounds what a
// lost connection costs.
func (s *Socket) Deliver(ctx context.Context, event string, args ...any) (socketio.Args, error) {
	if s.client.opts.DeliverKey {
		args = append(args[:len(args):len(args)], rand.Text())
	}
	c := s.client
	c.mu.Lock()
	id := s.nextAck
	s.nextAck++
	c.mu.Unlock()
	o, err := s.encodeEvent(event, args, id)
	if err != nil {
		return socketio.Args{}, err
	}
	o.Tag, o.ack, o.delivery = o, noAck, true
	d := &delivery{s: s, id: id, message: &o.Message, result: make(chan delivered, 1)}
	c.mu.Lock()
	if c.refusing.Load() {
		c.mu.Unlock()
		return socketio.Args{}, ErrClosed
	}
	s.deliveries = append(s.deliveries, d)
	after := s.deliverLocked()
	c.mu.Unlock()
	runAll(after)
	c.yield()
	select {
	case r := <-d.result:
		return r.args, r.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	d.settleLocked(socketio.Args{}, ctx.Err())
	after = s.deliverLocked()
	c.mu.Unlock()
	runAll(after)
	r := <-d.result
	return r.args, r.err
}

// deliverLocked sends the first deliveries that are not under way.
func (s *Socket) deliverLocked() (after []func()) {
	if s.state != joined {
		return nil
	}
	k := s.life.k
	flush := false
	for _, d := range slices.Clone(s.deliveries[:min(len(s.deliveries), window)]) {
		if d.sent == k {
			continue
		}
		start, sent := d.sendLocked(k)
		flush = flush || start
		if !sent { // those behind it must wait, for the order
			break
		}
	}
	if flush {
		after = append(after, k.session.Flush)
	}
	return after
}

// queueRetry is how long a delivery waits before it tries a full queue again.
const queueRetry = 50 * time.Millisecond

// sendLocked sends the event over k. If flush is true, the caller must call Flush
// once it holds no lock. ok says that the next delivery may follow.
func (d *delivery) sendLocked(k *conn) (flush, ok bool) {
	c := d.s.client
	after := c.opts.AckTimeout
	flush, err := k.session.Queue(d.message, false)
	switch err {
	case nil:
		c.emitted.Add(1)
		d.sent = k
	case eioclient.ErrTooBig:
		d.settleLocked(socketio.Args{}, ErrTooBig)
		return false, true
	case eioclient.ErrQueueFull:
		after = queueRetry
	default: // the connection has ended: the next one gets it
		return false, false
	}
	if d.timer == nil {
		d.timer = time.AfterFunc(after, d.again)
	} else {
		d.timer.Reset(after)
	}
	return flush, err == nil
}

// again sends a delivery that has not been answered in time.
func (d *delivery) again() {
	c := d.s.client
	c.mu.Lock()
	if d.settled {
		c.mu.Unlock()
		return
	}
	d.sent = nil
	after := d.s.deliverLocked()
	c.mu.Unlock()
	runAll(after)
}

// settle is settleLocked for a delivery that is being removed by its caller.
func (d *delivery) settle(args socketio.Args, err error) {
	if d.settled {
		return
	}
	d.settled = true
	if d.timer != nil {
		d.timer.Stop()
	}
	d.result <- delivered{args, err}
}

func (d *delivery) settleLocked(args socketio.Args, err error) {
	d.s.deliveries = without(d.s.deliveries, d)
	d.settle(args, err)
	d.s.client.changedLocked()
}

// deliveredLocked settles the delivery that an answer is for.
func (s *Socket) deliveredLocked(id int64, args socketio.Args) bool {
	for _, d := range s.deliveries {
		if d.id == id {
			d.settleLocked(args, nil)
			return true
		}
	}
	return false
}
