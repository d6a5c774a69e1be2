package nats

import (
	"errors"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// An inbox holds what a seat has received until its server has handled it. One
// goroutine of the inbox gives it to the server, and exists while there is work.
type inbox struct {
	host    adapter.Host
	limit   int64
	decoder decoder // used by deliver

	mu         sync.Mutex // guards the following
	queue      []head
	size       int64 // bytes in queue and assemblies, and in what deliver handles
	assemblies map[string]*assembly
	busy       bool          // deliver runs
	quiet      chan struct{} // closed when it ends; nil if nobody waits for that
	ended      bool
}

// maxAssemblies bounds the senders of whom parts are kept.
const maxAssemblies = 1000

var errInbox = errors.New("socketio: nats: messages come faster than they are handled")

// put queues a message of which kept bytes are counted already. Its loss counts
// here if its number will not show it.
func (in *inbox) put(h head, direct bool, kept int64) {
	size := cost(h)
	in.mu.Lock()
	in.size -= kept
	full := in.size+size > in.limit
	if !full && !in.ended {
		in.size += size
		in.queue = append(in.queue, h)
		if !in.busy {
			in.busy = true
			go in.deliver() // until the queue is empty or the inbox has ended, which waits for it
		}
	}
	in.mu.Unlock()
	if full && direct {
		in.host.Lost(1, errInbox)
	}
}

// assemble takes a part of a message.
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
	as.heard = time.Now()
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
	if err == nil && (whole.kind == kindPart || string(whole.sender) != sender) {
		err = errSender
	}
	if err != nil {
		in.mu.Lock()
		in.size -= int64(len(as.data))
		in.mu.Unlock()
		in.host.Garbage(err)
		return
	}
	in.put(whole, direct, int64(len(as.data)))
}

// purge forgets messages of which no part has come for that long.
func (in *inbox) purge(timeout time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for sender, as := range in.assemblies {
		if time.Since(as.heard) >= timeout {
			in.size -= int64(len(as.data))
			delete(in.assemblies, sender)
		}
	}
}

// deliver gives everything to the server.
func (in *inbox) deliver() {
	for {
		in.mu.Lock()
		if len(in.queue) == 0 || in.ended {
			in.decoder.forget()
			in.busy = false
			in.queue = nil
			if in.quiet != nil {
				close(in.quiet)
			}
			in.mu.Unlock()
			return
		}
		h := in.queue[0]
		in.queue = in.queue[1:]
		in.mu.Unlock()

		m, err := in.decoder.decode(h)
		if err != nil {
			in.host.Garbage(err)
		} else {
			in.host.Deliver(m)
		}
		in.mu.Lock()
		in.size -= cost(h)
		in.mu.Unlock()
	}
}

// cost is what a queued message takes, in bytes.
func cost(h head) int64 {
	const overhead = 256 // of the message itself, and of nats.go's
	return int64(len(h.rest)) + overhead
}

// end forgets what is queued, and waits for what is being handled.
func (in *inbox) end() {
	in.mu.Lock()
	in.ended = true
	clear(in.assemblies)
	if !in.busy {
		in.mu.Unlock()
		return
	}
	in.quiet = make(chan struct{})
	quiet := in.quiet
	in.mu.Unlock()
	<-quiet
}
