package socketio

import "github.com/socketio-go/socketio/internal/sio"

// RunHandler compiles a handler and runs it as for a packet with attachments.
// The handler gets a socket that is good for nothing.
func RunHandler(fn any, p *sio.Packet, bin [][]byte) error {
	c := &call{s: new(Socket), event: string(p.Name), raw: p.Args, bin: bin, id: noAck}
	_, err := compile("event", fn).Run(c)
	return err
}

// An Index is the index of a namespace, without a server.
type Index struct{ x roomIndex }

// NewIndex returns an empty index.
func NewIndex() *Index { return &Index{newIndex()} }

// NewIndexed returns a socket that is good for an index and nothing else.
func NewIndexed(id string) *Socket { return &Socket{id: id} }

// Add makes s a socket of the namespace, as the end of its middleware does.
func (i *Index) Add(s *Socket) bool { return i.x.add(s, func() {}) }

// Remove takes s out for good.
func (i *Index) Remove(s *Socket) []string { return i.x.remove(s) }

// Join is Socket.Join.
func (i *Index) Join(s *Socket, rooms ...string) ([]string, bool) { return i.x.join(s, rooms) }

// Leave is Socket.Leave.
func (i *Index) Leave(s *Socket, rooms ...string) []string { return i.x.leave(s, rooms) }

// RoomsOf is Socket.Rooms.
func (i *Index) RoomsOf(s *Socket) []string { return i.x.roomsOf(s) }

// Socket finds a socket by its id.
func (i *Index) Socket(id string) (*Socket, bool) { return i.x.socket(id) }

// RoomNames returns the rooms that exist.
func (i *Index) RoomNames() []string { return i.x.roomNames() }

// Count counts sockets and rooms.
func (i *Index) Count() (sockets, rooms int) { return i.x.count() }

// CountRoom counts the sockets of a room.
func (i *Index) CountRoom(name string) int { return i.x.countRoom(name) }

// Collect returns the receivers of a broadcast.
func (i *Index) Collect(dst []*Socket, rooms, except []string, sender *Socket) []*Socket {
	return i.x.collect(dst, rooms, except, sender)
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
	return Kept{len(r.sessions), len(r.entries), r.bytes, r.sweeper != nil}
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
