package socketio

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A Reply is one receiver's ack to a broadcast, or one server's reply to a
// server-side event.
type Reply struct {
	From string // a socket id, or a server id
	Args Args
	// Err says why there is no reply: ctx's error, [ErrClosed], [ErrSlow],
	// [ErrTooManyAcks], [ErrDropped] or [ErrReplies].
	Err error
}

// firstBroadcastAck is the first ack id of broadcasts. Sockets count their own ids from
// 0 and never reach it.
const firstBroadcastAck = 1 << 40

// EmitWithAck sends an event and collects one reply from each receiver until ctx
// ends, or for [Options.AckTimeout] if ctx has no deadline. It does not wait for a
// receiver that disconnects; without receivers it returns at once.
//
// It always returns one reply for every receiver, in no order; a missing reply has
// an error. The error is ctx's if replies were missing when ctx ended, or, as that
// of Emit, says why the event was not sent. It waits for at most 1,048,576 clients
// of other servers.
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

// emitWithCallback is EmitWithAck that does not wait. The event is sent before it
// returns, so the order of events is kept.
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

// emitForReplies sends the event in every namespace of the emitter.
func (e Emitter) emitForReplies(ctx context.Context, event string, args []any) (*replyCollector, error) {
	c := &replyCollector{changed: make(chan struct{}, 1), room: e.ns.srv.opts.MaxReplies}
	enc, err := beginEvent(e.ns, event, args)
	if err != nil {
		return nil, err
	}
	defer enc.Release()
	members := e.ns.expand()
	if len(members) == 0 || e.hasNoReceivers() {
		_, err := eventMessage(e.ns, noAck, enc)
		return c, err
	}
	for _, n := range members {
		if err := e.emitForRepliesIn(ctx, n, c, event, enc); err != nil {
			_, _ = c.cancel(err) // the replies are not returned
			return nil, err
		}
	}
	return c, nil
}

// emitForRepliesIn sends the event in one namespace, as one packet for all receivers.
func (e Emitter) emitForRepliesIn(ctx context.Context, n *Namespace, c *replyCollector, event string, enc *encoder) error {
	if n.cluster != nil && e.only == nil && !e.localOnly {
		c.requestReplies(ctx, n.cluster, e, enc)
	}
	list := e.collect(nil, n)
	if len(list) == 0 {
		return nil
	}
	id := firstBroadcastAck + n.acks.Add(1)
	m, err := eventMessage(n, id, enc)
	if err != nil {
		return err
	}
	m.SetCompression(e.compress)
	out := n.outgoing(event, m, true)
	var sent []*Socket
	for _, s := range list {
		i := c.expect(s, id)
		settle := func(args Args, err error) { c.settle(i, args, err) }
		_, err := s.registerAck(id, 0, &pendingAck{settle: settle, done: s.ackTimer(event)})
		if err == nil {
			sent = append(sent, s)
			err = s.ask(m, event, e.volatile)
		}
		if err != nil {
			s.takeAck(id)
			c.settle(i, Args{}, err)
		}
	}
	out.notify(sent...)
	return nil
}

// A replyCollector gathers the replies to one broadcast.
type replyCollector struct {
	changed        chan struct{}
	remoteRequests sync.WaitGroup // goroutines that wait for other servers

	mu            sync.Mutex // guards the following
	room          int64      // bytes of replies that may still be kept
	replies       []Reply
	pending       []pendingReply // same index as replies
	unsettled     int
	closed        bool
	remoteReplies []Reply // of other servers' clients
	remoteErr     error   // why some of them are missing
}

// A pendingReply says which pending ack settles a reply.
type pendingReply struct {
	socket  *Socket
	id      int64
	settled bool
}

// expect adds a reply for a socket, and returns its index.
func (c *replyCollector) expect(s *Socket, id int64) (i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies = append(c.replies, Reply{From: s.id})
	c.pending = append(c.pending, pendingReply{socket: s, id: id})
	c.unsettled++
	return len(c.replies) - 1
}

func (c *replyCollector) settle(i int, args Args, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.pending[i].settled {
		return
	}
	c.pending[i].settled = true
	c.replies[i].Args, c.replies[i].Err = c.keepLocked(args, err)
	c.unsettled--
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// keepLocked returns the reply to keep. A reply that exceeds MaxReplies becomes
// [ErrReplies].
func (c *replyCollector) keepLocked(args Args, err error) (Args, error) {
	if size := args.size(); size <= c.room {
		c.room -= size
		return args, err
	}
	return Args{}, cmp.Or(err, ErrReplies)
}

// requestReplies publishes the event that enc holds, and collects the replies of
// other servers' clients.
func (c *replyCollector) requestReplies(ctx context.Context, cn *clusterNamespace, e Emitter, enc *encoder) {
	deadline, _ := ctx.Deadline()
	m := e.busMessage(adapter.Message{Kind: adapter.Broadcast, Timeout: untilDeadline(deadline), Data: enc.Payload(), Binary: enc.Attachments()})
	req, err := cn.sendRequest(m, c.response)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remoteErr = errors.Join(c.remoteErr, err)
		return
	}
	c.remoteRequests.Add(1)
	cn.ns.srv.engine.Go(func() {
		defer c.remoteRequests.Done()
		err := req.wait(ctx)
		missing := req.pendingByServer() // before c.mu: the lock order is req.mu, then c.mu
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remoteErr = errors.Join(c.remoteErr, err)
		for server, n := range missing {
			for range n {
				c.remoteReplies = append(c.remoteReplies, Reply{From: server, Err: cmp.Or(ctx.Err(), ErrClosed)})
			}
		}
	})
}

// response adds the reply of another server's client.
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

// untilDeadline returns the time until the deadline, which other servers are sent.
func untilDeadline(deadline time.Time) time.Duration {
	return max(time.Until(deadline).Round(time.Millisecond), time.Millisecond)
}

// wait returns the replies when all are complete, or when ctx ends.
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

// cancel sets the error of the missing replies, and removes their pending acks.
func (c *replyCollector) cancel(err error) ([]Reply, error) {
	c.mu.Lock()
	c.closed = true
	missing := c.unsettled > 0
	pending := c.pending
	for i, a := range pending {
		if !a.settled {
			c.replies[i].Err = err
		}
	}
	c.mu.Unlock()
	if !missing {
		return c.replies, nil
	}
	for _, a := range pending {
		if !a.settled {
			if p, ok := a.socket.takeAck(a.id); ok {
				p.notify(err)
			}
		}
	}
	return c.replies, err
}
