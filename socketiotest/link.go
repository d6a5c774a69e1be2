package socketiotest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/socketio-go/socketio/internal/memnet"
)

// A Link is the network between a client and the server: every connection that the
// client has, and those that it opens later. Its methods may be called concurrently and
// do not block.
type Link struct {
	net network

	mu       sync.Mutex // guards the following
	conns    []*memnet.Conn
	past     int64 // bytes of connections that were cut
	frozen   bool
	down     bool
	rate     int
	capacity int
}

func newLink(n network) *Link { return &Link{net: n} }

var errDown = errors.New("socketiotest: the link is down")

func (l *Link) dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return nil, errDown
	}
	c, err := l.net.dial(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down { // meanwhile
		c.Cut()
		_ = c.Close()
		return nil, errDown
	}
	l.conns = append(l.conns, c)
	l.applyLocked(c)
	return c, nil
}

// applyLocked gives a connection the faults of the link.
func (l *Link) applyLocked(c *memnet.Conn) {
	for _, s := range []*memnet.Stream{c.In(), c.Out()} {
		s.SetRate(l.rate)
		if l.capacity > 0 {
			s.SetCapacity(l.capacity)
		}
	}
	if l.frozen {
		c.Freeze()
	} else {
		c.Thaw()
	}
}

// change changes the faults and returns the connections.
func (l *Link) change(fn func()) []*memnet.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
	for _, c := range l.conns {
		l.applyLocked(c)
	}
	return slices.Clone(l.conns)
}

// Freeze stops both directions, as if a cable had been unplugged. Neither end notices
// until a timeout or Thaw. Connections that are opened meanwhile are frozen, too.
func (l *Link) Freeze() { l.change(func() { l.frozen = true }) }

// Thaw ends a Freeze. What was sent meanwhile arrives.
func (l *Link) Thaw() { l.change(func() { l.frozen = false }) }

// Slow bounds how many bytes a second each direction of a connection carries. Zero is
// no bound.
func (l *Link) Slow(bytesPerSecond int) { l.change(func() { l.rate = bytesPerSecond }) }

// Backlog is how many bytes each direction of a connection holds before a write blocks.
// The default is 64 KiB. With [TCP], the buffers of the system come on top.
func (l *Link) Backlog(bytes int) { l.change(func() { l.capacity = bytes }) }

// Cut resets the connections. The client may connect again at once. A client that polls
// does not notice while it has no request under way; call [Host.Settle] before.
func (l *Link) Cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	for _, c := range conns {
		l.past += moved(c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.Thaw() // a reset passes
		c.Cut()
	}
}

// Down resets the connections and refuses new ones until Up.
func (l *Link) Down() {
	l.change(func() { l.down = true })
	l.Cut()
}

// Up ends a Down.
func (l *Link) Up() { l.change(func() { l.down = false }) }

// CutAfter resets the connections as soon as one of them has carried that many more
// bytes from the server to the client. Those bytes arrive.
func (l *Link) CutAfter(bytes int64) {
	for _, c := range l.change(func() {}) {
		c.In().At(c.In().Sent()+bytes, l.Cut)
	}
}

// CutAfterSent is [Link.CutAfter] for bytes from the client to the server.
func (l *Link) CutAfterSent(bytes int64) {
	for _, c := range l.change(func() {}) {
		c.Out().At(c.Out().Sent()+bytes, l.Cut)
	}
}

// HalfClose ends the direction from the client to the server, in each connection. The
// other direction stays open.
func (l *Link) HalfClose() {
	for _, c := range l.change(func() {}) {
		_ = c.CloseWrite()
	}
}

// thaw ends the faults that prevent the client from ending.
func (l *Link) thaw() { l.change(func() { l.frozen, l.rate = false, 0 }) }

func (l *Link) close() {
	l.thaw()
	l.Cut()
}

// moved returns how many bytes a connection has carried.
func moved(c *memnet.Conn) int64 { return c.In().Sent() + c.Out().Sent() }

// activity returns how many bytes have been sent, and whether any are under way.
func (l *Link) activity() (bytes int64, idle, frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes, idle = l.past, true
	for _, c := range l.conns {
		bytes += moved(c)
		idle = idle && c.In().Idle() && c.Out().Idle()
	}
	return bytes, idle, l.frozen
}
