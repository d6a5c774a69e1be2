package socketio

import "github.com/socketio-go/socketio/internal/sio"

// RunHandler compiles a handler and runs it as for a packet with attachments.
// The handler gets a socket that is good for nothing.
func RunHandler(fn any, p *sio.Packet, bin [][]byte) error {
	c := &call{s: new(Socket), event: string(p.Name), raw: p.Args, bin: bin, id: noAck}
	_, err := compile("event", fn).Run(c)
	return err
}

// Kept is what a namespace keeps for recovery.
type Kept struct {
	Sessions, Events int
	Bytes            int64
	Timer            bool // something is waited for
}

// KeptBy returns what n keeps for recovery.
func KeptBy(n *Namespace) Kept {
	r := n.recovery
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.history.(*memoryHistory)
	if !ok {
		return Kept{}
	}
	return Kept{len(h.sessions), len(h.entries), h.bytes, h.sweeper != nil}
}

// Stays returns how many stays in rooms s keeps for recovery.
func (s *Socket) Stays() (n int) {
	s.ns.recovery.mu.Lock()
	defer s.ns.recovery.mu.Unlock()
	for _, stays := range s.rec.trail.intervals {
		n += len(stays)
	}
	return n
}

// Awaited returns how many answers s awaits, and for how many of them somebody
// waits on its connection.
func (s *Socket) Awaited() (answers, waiters int) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return len(s.acks), int(s.conn.blockingAcks)
}

// The limits that docs/limits.md lists.
const (
	MaxPendingAcks   = maxPendingAcks
	MaxNamespaceName = maxNamespaceName
)

func WithDefaults(o *Options) Options { return o.withDefaults() }
