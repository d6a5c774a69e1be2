package nats

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// An inbox holds received messages until the server has handled them. One goroutine of
// the inbox delivers them. It exists while there is work.
type inbox struct {
	host    adapter.Host
	limit   int64
	decoder decoder // used by deliver

	mu         sync.Mutex // guards the following
	queue      []delivery
	size       int64 // bytes in queue and assemblies, and of the message that deliver handles
	assemblies map[string]*assembly
	busy       bool          // deliver runs
	idle       chan struct{} // closed when deliver returns; nil if nothing waits for that
	room       chan struct{} // closed when a message was queued or handled; nil if nothing waits for that
	ended      bool
	order      orderBuffer
}

// A delivery is a message for the server.
type delivery struct {
	head
	position int64 // of a log entry, or 0
}

// kindPosition marks a delivery that reports how far the log has been read.
const kindPosition byte = 255

// maxAssemblies bounds the number of senders with incomplete messages.
const maxAssemblies = 1000

var errTooSlow = errors.New("socketio: nats: messages come faster than they are handled")

// put queues a message, of which kept bytes are already counted. It reports a loss if
// the number of the next message will not show it.
func (in *inbox) put(h head, direct bool, kept int64) {
	size := cost(h)
	in.mu.Lock()
	in.size -= kept
	full := in.size+size > in.limit
	if !full && !in.ended {
		in.size += size
		if !in.order.hold(in, h) {
			in.add(delivery{head: h})
			in.order.release(in, h)
		}
	} else {
		in.order.release(in, h) // it is lost
	}
	in.mu.Unlock()
	if full && direct {
		in.host.Lost(1, errTooSlow)
	}
}

// add queues a delivery. The caller holds mu.
func (in *inbox) add(d delivery) {
	in.queue = append(in.queue, d)
	if !in.busy {
		in.busy = true
		go in.deliver() // until the queue is empty or the inbox has ended; end waits for it
	}
}

// wake wakes read. The caller holds mu.
func (in *inbox) wake() {
	if in.room != nil {
		close(in.room)
		in.room = nil
	}
}

// announced notes the number of the sender's last message to all servers. The messages
// before the announcement are not awaited.
func (in *inbox) announced(h head) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.order.learn(h)
	in.order.release(in, h)
}

// forceDelivery queues deliveries that are bounded elsewhere.
func (in *inbox) forceDelivery(list ...delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return
	}
	for _, d := range list {
		in.size += cost(d.head)
		in.add(d)
	}
}

// read queues what was read from the log up to a position. It waits until there is room
// for it, and until the messages that were sent before it are queued.
func (in *inbox) read(ctx context.Context, d delivery) error {
	size := cost(d.head)
	var late <-chan time.Time
	for {
		in.mu.Lock()
		if in.ended {
			in.mu.Unlock()
			return adapter.ErrLeft
		}
		ahead := in.order.isAhead(d)
		if !ahead && (in.size == 0 || in.size+size <= in.limit) {
			in.size += size
			in.add(d)
			in.order.read(in, d)
			in.mu.Unlock()
			return nil
		}
		if in.room == nil {
			in.room = make(chan struct{})
		}
		room := in.room
		in.mu.Unlock()
		if ahead && late == nil {
			late = time.After(reorderLimit)
		}
		select {
		case <-room:
		case <-late:
			in.mu.Lock()
			in.order.release(in, head{sender: d.sender, number: d.barrier.number})
			in.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// assemble adds a part of a message.
func (in *inbox) assemble(h head, direct bool) {
	sender := string(h.sender)
	in.mu.Lock()
	as := in.assemblies[sender]
	if as == nil {
		as = new(assembly)
		in.assemblies[sender] = as
	}
	last := h.flags&flagLast != 0
	if h.number == 0 {
		in.size -= int64(len(as.data))
		*as = assembly{}
	}
	full := in.size+int64(len(h.rest)) > in.limit || len(in.assemblies) > maxAssemblies
	if h.number != as.next || full || in.ended {
		in.size -= int64(len(as.data))
		delete(in.assemblies, sender)
		in.mu.Unlock()
		if direct && last {
			in.host.Lost(1, errParts)
		}
		return
	}
	as.next++
	as.lastSeen = time.Now()
	as.data = append(as.data, h.rest...)
	in.size += int64(len(h.rest))
	if last {
		delete(in.assemblies, sender)
	}
	in.mu.Unlock()
	if !last {
		return
	}
	whole, err := decodeHead(as.data)
	if err == nil && (!isMessage(whole.kind) || string(whole.sender) != sender) {
		err = errSender
	}
	if err != nil {
		in.mu.Lock()
		in.size -= int64(len(as.data))
		in.mu.Unlock()
		in.host.Malformed(err)
		return
	}
	in.put(whole, direct, int64(len(as.data)))
}

// purge drops incomplete messages that got no part during timeout.
func (in *inbox) purge(timeout time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for sender, as := range in.assemblies {
		if time.Since(as.lastSeen) >= timeout {
			in.size -= int64(len(as.data))
			delete(in.assemblies, sender)
		}
	}
}

// deliver delivers messages until the queue is empty.
func (in *inbox) deliver() {
	for {
		in.mu.Lock()
		if len(in.queue) == 0 || in.ended {
			in.decoder.release()
			in.busy = false
			in.queue = nil
			if in.idle != nil {
				close(in.idle)
			}
			in.mu.Unlock()
			return
		}
		d := in.queue[0]
		in.queue = in.queue[1:]
		in.mu.Unlock()
		in.handle(d)
		in.mu.Lock()
		in.size -= cost(d.head)
		in.wake()
		in.mu.Unlock()
	}
}

func (in *inbox) handle(d delivery) {
	if d.kind == kindPosition {
		in.host.Deliver(&adapter.Message{Kind: adapter.Position, Position: d.position})
		return
	}
	m, err := in.decoder.decode(d.head)
	if err != nil {
		in.host.Malformed(err)
		return
	}
	if m.Position = d.position; m.Position > 0 {
		m.Seq = 0 // the reader of the log has checked it
	}
	in.host.Deliver(m)
}

// cost is the memory that a queued message takes, in bytes.
func cost(h head) int64 {
	const overhead = 256 // of the message itself, and of nats.go
	return int64(len(h.rest)) + overhead
}

// end drops the queue, and waits for the message that is being handled.
func (in *inbox) end() {
	in.mu.Lock()
	in.ended = true
	clear(in.assemblies)
	in.order.end()
	if !in.busy {
		in.mu.Unlock()
		return
	}
	in.idle = make(chan struct{})
	quiet := in.idle
	in.mu.Unlock()
	<-quiet
}
