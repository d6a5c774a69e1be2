package socketio

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A Reply is one receiver's answer to a broadcast or to a server-side event.
type Reply struct {
	From string // a socket id, or a server id
	Args Args
	// Err says why there is no answer: ctx's error, [ErrClosed], [ErrSlow],
	// [ErrTooManyAcks], [ErrDropped] or [ErrReplies].
	Err error
}

// firstBroadcastAck is where the ids of broadcasts begin, out of reach of the
// ids that sockets count for themselves.
const firstBroadcastAck = 1 << 40

// EmitWithAck sends an event and collects one reply from each of those that
// receive it until ctx ends, or for [Options.AckTimeout] if ctx has no
// deadline. A receiver that leaves is not waited for; without a receiver the
// call returns at once.
//
// The replies are returned in either case, one for every receiver, in no
// order; those that did not come carry an error. The error is ctx's if one of
// them was still awaited, or says why nothing was sent, as that of Emit. Of the
// clients of other servers 1,048,576 are waited for, and no more.
func (e Emitter) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	if err := noCallbackOf(event, args, withAckInstead); err != nil {
		return nil, err
	}
	ctx, cancel := e.ns.srv.withDeadline(ctx)
	defer cancel()
	c, err := e.emitForReplies(ctx, event, args)
	if err != nil {
		return nil, err
	}
	return c.wait(ctx)
}

// emitWithCallback is EmitWithAck for those who do not wait: the event takes its
// place among what they emit before and after.
func (e Emitter) emitWithCallback(event string, args []any, fn func([]Reply, error)) error {
	srv := e.ns.srv
	ctx, cancel := srv.withDeadline(context.Background())
	c, err := e.emitForReplies(ctx, event, args)
	if err != nil {
		cancel()
		return err
	}
	srv.engine.Go(func() {
		defer cancel()
		replies, err := c.wait(ctx)
		protect(func() { fn(replies, err) }, func(value any) { srv.reportError(nil, srv.panicked(event, value)) })
	})
	return nil
}

// emitForReplies sends the event in every namespace that the emitter stands for.
func (e Emitter) emitForReplies(ctx context.Context, event string, args []any) (*replyCollector, error) {
	c := &replyCollector{changed: make(chan struct{}, 1), room: e.ns.srv.opts.MaxReplies}
	enc, err := beginEvent(e.ns, event, args)
	if err != nil {
		return nil, err
	}
	defer enc.release()
	members := e.ns.expand()
	if len(members) == 0 || e.empty() {
		_, err := enc.event(e.ns, noAck)
		return c, err
	}
	for _, n := range members {
		if err := e.emitForRepliesIn(ctx, n, c, event, enc); err != nil {
			_, _ = c.cancel(err) // none of the answers is of use
			return nil, err
		}
	}
	return c, nil
}

// emitForRepliesIn sends the event in one namespace, as one packet for all receivers.
func (e Emitter) emitForRepliesIn(ctx context.Context, n *Namespace, c *replyCollector, event string, enc *encoder) error {
	if n.cluster != nil && e.only == nil && !e.localOnly {
		c.askOthers(ctx, n.cluster, e, enc)
	}
	list := e.collect(nil, n)
	if len(list) == 0 {
		return nil
	}
	id := firstBroadcastAck + n.acks.Add(1)
	m, err := enc.event(n, id)
	if err != nil {
		return err
	}
	m.SetCompression(e.compress)
	out := n.outgoing(event, m, true)
	var told []*Socket
	for _, s := range list {
		i := c.expect(s, id)
		settle := func(args Args, err error) { c.settle(i, args, err) }
		_, err := s.registerAck(id, 0, &pendingAck{settle: settle, done: s.ackTimer(event)})
		if err == nil {
			told = append(told, s)
			err = s.ask(m, event, e.volatile)
		}
		if err != nil {
			s.takeAck(id)
			c.settle(i, Args{}, err)
		}
	}
	out.notify(told...)
	return nil
}

// A replyCollector gathers the replies to one broadcast.
type replyCollector struct {
	changed        chan struct{}
	remoteRequests sync.WaitGroup // who waits for other servers

	mu            sync.Mutex // guards the following
	room          int64      // bytes of answers that may still be kept
	replies       []Reply
	askedOf       []asked // by position, as replies
	unsettled     int
	closed        bool
	remoteReplies []Reply // of other servers' clients
	remoteErr     error   // why there are not more of them
}

type asked struct {
	socket  *Socket
	id      int64
	settled bool
}

// expect makes room for the reply of a socket.
func (c *replyCollector) expect(s *Socket, id int64) (i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies = append(c.replies, Reply{From: s.id})
	c.askedOf = append(c.askedOf, asked{socket: s, id: id})
	c.unsettled++
	return len(c.replies) - 1
}

func (c *replyCollector) settle(i int, args Args, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.askedOf[i].settled {
		return
	}
	c.askedOf[i].settled = true
	c.replies[i].Args, c.replies[i].Err = c.keepLocked(args, err)
	c.unsettled--
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// keepLocked returns what is kept of an answer: nothing of one that is too much.
func (c *replyCollector) keepLocked(args Args, err error) (Args, error) {
	if size := args.size(); size <= c.room {
		c.room -= size
		return args, err
	}
	return Args{}, cmp.Or(err, ErrReplies)
}

// askOthers publishes the event that enc holds, and gathers what the other
// servers' clients answer.
func (c *replyCollector) askOthers(ctx context.Context, s *clusterNamespace, e Emitter, enc *encoder) {
	deadline, _ := ctx.Deadline()
	m := e.busMessage(adapter.Message{Kind: adapter.Broadcast, Timeout: untilDeadline(deadline), Data: enc.payload(), Binary: enc.bin})
	q, err := s.sendRequest(m, c.response)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remoteErr = errors.Join(c.remoteErr, err)
		return
	}
	c.remoteRequests.Add(1)
	s.ns.srv.engine.Go(func() {
		defer c.remoteRequests.Done()
		err := q.wait(ctx)
		unanswered := q.pendingByServer() // not under mu, which answers come to under q's
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remoteErr = errors.Join(c.remoteErr, err)
		for server, n := range unanswered {
			for range n {
				c.remoteReplies = append(c.remoteReplies, Reply{From: server, Err: cmp.Or(ctx.Err(), ErrClosed)})
			}
		}
	})
}

// response takes the answer of another server's client.
func (c *replyCollector) response(m *adapter.Message) error {
	if m.Kind == adapter.Clients {
		return nil
	}
	r := Reply{From: m.From}
	var err error
	switch {
	case m.Kind != adapter.Acked:
		return errResponseKind
	case m.Failed:
		r.Err = ErrClosed
	default:
		r.Args, err = receivedArgs(m)
		r.Err = err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Args, r.Err = c.keepLocked(r.Args, r.Err)
	c.remoteReplies = append(c.remoteReplies, r)
	return err
}

// untilDeadline is what there is left of a wait, for other servers to know.
func untilDeadline(deadline time.Time) time.Duration {
	return max(time.Until(deadline).Round(time.Millisecond), time.Millisecond)
}

// wait returns the replies when all have come, or when ctx ends.
func (c *replyCollector) wait(ctx context.Context) ([]Reply, error) {
	replies, err := c.waitLocal(ctx)
	c.remoteRequests.Wait()
	if c.remoteErr != nil {
		err = c.remoteErr
	}
	return append(replies, c.remoteReplies...), err
}

func (c *replyCollector) waitLocal(ctx context.Context) ([]Reply, error) {
	for !c.complete() {
		select {
		case <-c.changed:
		case <-ctx.Done():
			return c.cancel(ctx.Err())
		}
	}
	return c.replies, nil
}

func (c *replyCollector) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsettled == 0
}

// cancel gives up on the replies that are still awaited.
func (c *replyCollector) cancel(err error) ([]Reply, error) {
	c.mu.Lock()
	c.closed = true
	missing := c.unsettled > 0
	askedOf := c.askedOf
	for i, a := range askedOf {
		if !a.settled {
			c.replies[i].Err = err
		}
	}
	c.mu.Unlock()
	if !missing {
		return c.replies, nil
	}
	for _, a := range askedOf {
		if !a.settled {
			if p, ok := a.socket.takeAck(a.id); ok {
				p.notify(err)
			}
		}
	}
	return c.replies, err
}
