package socketio

import (
	"context"
	"sync"
	"time"

	"github.com/socketio-go/socketio/internal/sio"
)

// A Reply is one receiver's answer to a broadcast or to a server-side event.
type Reply struct {
	From string // a socket id, or a server id
	Args Args
	Err  error // why there is no answer: ctx's error, ErrClosed or ErrSlow
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
// them was still awaited, or says why nothing was sent, as that of Emit.
func (e Emitter) EmitWithAck(ctx context.Context, event string, args ...any) ([]Reply, error) {
	if err := checkEvent(event); err != nil {
		return nil, err
	}
	c, err := e.askAll(event, args)
	if err != nil {
		return nil, err
	}
	return c.wait(ctx, e.ns.srv.opts.AckTimeout)
}

// emitWithCallback is EmitWithAck for those who do not wait: the event takes its
// place among what they emit before and after.
func (e Emitter) emitWithCallback(event string, args []any, fn func([]Reply, error)) error {
	c, err := e.askAll(event, args)
	if err != nil {
		return err
	}
	srv := e.ns.srv
	srv.engine.Go(func() {
		replies, err := c.wait(context.Background(), srv.opts.AckTimeout)
		defer srv.recovered(event, func(p *PanicError) { srv.report(nil, p) })
		fn(replies, err)
	})
	return nil
}

// askAll sends the event in every namespace that the emitter stands for.
func (e Emitter) askAll(event string, args []any) (*collection, error) {
	c := &collection{changed: make(chan struct{}, 1)}
	members := e.ns.members()
	if len(members) == 0 {
		return c, e.ns.checkArgs(event, args)
	}
	for _, n := range members {
		if err := e.ask(n, c, event, args); err != nil {
			_, _ = c.abandon(err) // none of the answers is of use
			return nil, err
		}
	}
	return c, nil
}

// ask sends the event in one namespace, as one packet for all receivers.
func (e Emitter) ask(n *Namespace, c *collection, event string, args []any) error {
	id := firstBroadcastAck + n.acks.Add(1)
	m, err := encodeEvent(n, id, event, args)
	if err != nil {
		return err
	}
	m.SetCompression(e.compress)
	one := e
	one.ns = n
	out := n.outgoing(event, m, true)
	for _, s := range one.local() {
		i := c.expect(s, id)
		settle := func(args Args, err error) { c.settle(i, args, err) }
		_, err := s.awaitAck(id, 0, &pendingAck{settle: settle, done: s.timeAck(event)})
		if err == nil {
			out.tell(s)
			err = s.send(m, sio.Event, event, e.volatile)
		}
		if err != nil {
			s.forgetAck(id)
			c.settle(i, Args{}, err)
		}
	}
	return nil
}

// A collection gathers the replies to one broadcast.
type collection struct {
	changed chan struct{}

	mu      sync.Mutex // guards the following
	replies []Reply
	askedOf []asked // by position, as replies
	open    int
	closed  bool
}

type asked struct {
	socket  *Socket
	id      int64
	settled bool
}

// expect makes room for the reply of a socket.
func (c *collection) expect(s *Socket, id int64) (i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies = append(c.replies, Reply{From: s.id})
	c.askedOf = append(c.askedOf, asked{socket: s, id: id})
	c.open++
	return len(c.replies) - 1
}

func (c *collection) settle(i int, args Args, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.askedOf[i].settled {
		return
	}
	c.askedOf[i].settled = true
	c.replies[i].Args, c.replies[i].Err = args, err
	c.open--
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// wait returns the replies when all have come, or when ctx ends.
func (c *collection) wait(ctx context.Context, timeout time.Duration) ([]Reply, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for !c.complete() {
		select {
		case <-c.changed:
		case <-ctx.Done():
			return c.abandon(ctx.Err())
		}
	}
	return c.replies, nil
}

func (c *collection) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open == 0
}

// abandon gives up on the replies that are still awaited.
func (c *collection) abandon(err error) ([]Reply, error) {
	c.mu.Lock()
	c.closed = true
	missing := c.open > 0
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
			if p, ok := a.socket.forgetAck(a.id); ok {
				p.tell(err)
			}
		}
	}
	return c.replies, err
}
