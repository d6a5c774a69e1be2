package socketio

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A conn is one client connection: an Engine.IO session and the sockets that
// share it. It decodes packets, and runs the handlers of each socket one after
// another. conn_disconnect.go lists the ways in which a connection ends.
type conn struct {
	srv     *Server
	session *engine.Session
	opened  time.Duration // see uptime

	partial           *partial      // the event whose attachments are being read; only the reader uses it
	partialHeartbeats atomic.Int32  // 0 without a partial event, else 1 plus the heartbeats since
	received          atomic.Uint64 // packets

	mu              sync.Mutex // guards the following, and parts of the sockets
	sockets         []*Socket  // connecting or connected
	undrained       int32      // sockets in the list above, or whose last handler still runs
	ended           bool
	connectTimedOut bool          // ConnectTimeout has expired
	timer           *time.Timer   // ConnectTimeout; nil once a socket has connected
	blockingAcks    int32         // acks that calls of EmitWithAck wait for
	waiting         int32         // events in the inboxes
	bytes           int64         // size of these events
	auths           int64         // bytes of the auth of undrained sockets
	replayedBytes   int64         // bytes of missed events of resumed sockets
	departed        *[]string     // namespaces from which the server disconnected the client, the oldest first; nil if none
	space           chan struct{} // closed when there is room in the inboxes; nil unless the reader waits
}

// A task is one entry of a socket's inbox: an event or a function.
type task struct {
	call *call
	fn   func()
	size int64 // memory that the task holds, in bytes; 0 if no client can cause it
}

// taskSize is the memory of a task without its arguments: the task, its share of an
// inbox that has grown, and the call.
const taskSize = 3*int64(unsafe.Sizeof(task{})) + int64(unsafe.Sizeof(call{})) + 16

// A partial is an event or ack some of whose attachments are still missing.
type partial struct {
	packet sio.Packet
	bin    [][]byte
	size   int64
}

func newConn(srv *Server, session *engine.Session) *conn {
	c := &conn{srv: srv, session: session, opened: uptime()}
	srv.observed.opened(c)
	c.notifyOpen()
	c.mu.Lock()
	c.timer = time.AfterFunc(srv.opts.ConnectTimeout, c.onConnectTimeout)
	c.mu.Unlock()
	if c.v2() {
		c.connectMain()
	}
	return c
}

// uptime returns the time since the process started. It is a timestamp of 8 bytes,
// where a [time.Time] takes 24.
func uptime() time.Duration { return time.Since(processStart) }

var processStart = time.Now()

// packets holds decoded packets for reuse.
var packets = sync.Pool{New: func() any { return new(sio.Packet) }}

var (
	errTextAwaitingBinary = errors.New("socketio: text where an attachment was expected")
	errUnexpectedBinary   = errors.New("socketio: attachment without an event")
	errEventTooBig        = errors.New("socketio: event exceeds MaxEvent")
	errPartialTimeout     = errors.New("socketio: attachments did not arrive in time")
	errNotJoined          = errors.New("socketio: packet for a namespace that is not joined")
	errConnectedTwice     = errors.New("socketio: second CONNECT to a namespace")
	errClientOnly         = errors.New("socketio: packet that only a server sends")
)

// Receive implements [engine.Receiver].
func (c *conn) Receive(turn *engine.Turn, data []byte, binary bool) {
	switch {
	case int64(len(data)) > c.srv.opts.MaxEvent: // MaxEvent may be less than MaxPayload
		c.fail(engine.ParseError, errEventTooBig)
	case c.srv.opts.Codec != nil:
		c.receiveEncoded(turn, data, binary)
	case c.partial != nil && binary:
		c.attach(turn, data)
	case c.partial != nil:
		c.fail(engine.ParseError, errTextAwaitingBinary)
	case binary:
		c.fail(engine.ParseError, errUnexpectedBinary)
	default:
		p := packets.Get().(*sio.Packet)
		if err := p.Decode(data, sio.Limits{Attachments: c.srv.opts.MaxAttachments}); err != nil {
			c.fail(engine.ParseError, err)
		} else if p.Attachments > 0 {
			c.partial = newPartial(p, int64(len(data)))
			c.partialHeartbeats.Store(1)
		} else {
			c.handle(turn, p, nil, int64(len(data)))
		}
		packets.Put(p)
	}
}

// newPartial copies a packet that aliases the reader's buffer.
func newPartial(p *sio.Packet, size int64) *partial {
	kept := *p
	kept.Namespace = bytes.Clone(p.Namespace)
	kept.Name = bytes.Clone(p.Name) // nil is no name, but "" is one
	kept.Args = cloneArgs(p.Args, nil).raw
	for i, raw := range kept.Args {
		kept.Args[i] = sio.Literal(raw)
	}
	kept.Data = nil
	return &partial{packet: kept, size: size}
}

// attach adds an attachment to the partial event, and handles the event when it
// is complete.
func (c *conn) attach(turn *engine.Turn, data []byte) {
	part := c.partial
	part.size += int64(len(data))
	if part.size > c.srv.opts.MaxEvent {
		c.fail(engine.ParseError, errEventTooBig)
		return
	}
	part.bin = append(part.bin, append(make([]byte, 0, len(data)), data...))
	if len(part.bin) == part.packet.Attachments {
		c.partial = nil
		c.partialHeartbeats.Store(0)
		c.handle(turn, &part.packet, part.bin, part.size)
	}
}

// Heartbeat implements [engine.Receiver]. It closes the connection if an event
// still misses attachments at the second heartbeat.
func (c *conn) Heartbeat() {
	switch n := c.partialHeartbeats.Load(); n {
	case 0:
	case 1:
		c.partialHeartbeats.CompareAndSwap(n, n+1)
	default:
		c.fail(engine.ParseError, errPartialTimeout)
	}
}

// handle handles a complete packet. size is its size in bytes, with attachments.
func (c *conn) handle(turn *engine.Turn, p *sio.Packet, bin [][]byte, size int64) {
	c.received.Add(1)
	if c.srv.hooks.PacketIn != nil {
		c.notifyPacketIn(p, size)
	}
	switch p.Type {
	case sio.Connect:
		if c.v2() {
			cutQuery(p)
		}
		c.handleConnect(p)
	case sio.Disconnect:
		if s := c.socket(p.Namespace); s != nil {
			s.disconnect(ReasonClient, false)
		} else {
			c.handleNotJoined(p.Namespace)
		}
	case sio.Event, sio.BinaryEvent:
		c.handleEvent(turn, p, bin)
	case sio.Ack, sio.BinaryAck:
		if s := c.socket(p.Namespace); s == nil {
			c.handleNotJoined(p.Namespace)
		} else if p.Data != nil || bin != nil {
			c.handleAck(turn, s, p, bin)
		}
	default:
		c.fail(engine.ForcedClose, errClientOnly)
	}
}

// handleAck delivers an ack. An ack for a callback is queued in the socket's inbox
// and counts against the inbox limits, like an event.
func (c *conn) handleAck(turn *engine.Turn, s *Socket, p *sio.Packet, bin [][]byte) {
	pending, ok := s.takeAck(p.ID)
	if !ok { // a late ack, or a duplicate
		c.srv.lateAcks.Add(1)
		return
	}
	pending.notify(nil)
	args := cloneArgs(p.Args, bin)
	if pending.fn == nil {
		pending.settle(args, nil)
		return
	}
	t := task{fn: func() { pending.fn(args, nil) }, size: taskSize + args.size()}
	if c.waitForSpace(turn, t.size) {
		c.enqueue(s, t)
	} else {
		pending.settle(Args{}, ErrClosed)
	}
}

// fail closes the connection because the client violated the protocol or a limit.
func (c *conn) fail(reason engine.Reason, err error) {
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return // packets after a close are ignored
	}
	c.srv.badPackets.Add(1)
	c.srv.reportError(nil, &PacketError{RemoteAddr: c.session.RemoteAddr(), Err: err})
	c.session.Close(reason)
}

// handleEvent runs the handlers of an event on the reader's goroutine if no other
// handler of the socket runs, else through the socket's inbox.
func (c *conn) handleEvent(turn *engine.Turn, p *sio.Packet, bin [][]byte) {
	c.mu.Lock()
	s := c.find(p.Namespace)
	if s == nil {
		c.mu.Unlock()
		c.handleNotJoined(p.Namespace)
		return
	}
	if p.Name == nil || c.ended {
		c.mu.Unlock()
		return
	}
	if turn == nil || s.busy {
		c.mu.Unlock()
		c.enqueueEvent(turn, s, p, bin)
		return
	}
	s.busy = true
	c.mu.Unlock()

	turn.Begin()
	c.runOnTurn(turn, s, p, bin)
}

// runOnTurn runs the handlers of an event on the reader's goroutine. If another
// goroutine took over the reading meanwhile, it also runs the inbox.
func (c *conn) runOnTurn(turn *engine.Turn, s *Socket, p *sio.Packet, bin [][]byte) {
	on := calls.Get().(*call)
	*on = call{s: s, raw: p.Args, bin: bin, id: p.ID}
	returned := false
	protect(func() {
		s.runHandlers(on, p.Name)
		returned = true
	}, func(value any) {
		defer c.srv.engine.Go(s.drain)
		c.session.Yield() // Goexit ends this goroutine: another one must read
		s.reportLost(on, value)
	})
	if !returned {
		return
	}
	on.release()
	if !turn.End() {
		s.drain()
		return
	}
	c.mu.Lock()
	if len(s.inbox) == 0 {
		s.busy = false
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.srv.engine.Go(s.drain)
}

// enqueueEvent queues an event in the inbox. It blocks while the inboxes are full.
func (c *conn) enqueueEvent(turn *engine.Turn, s *Socket, p *sio.Packet, bin [][]byte) {
	size := taskSize + int64(len(p.Name)) + Args{p.Args, bin}.size()
	if !c.waitForSpace(turn, size) {
		return
	}
	raw := cloneArgs(p.Args, bin).raw // not before, as the reader may wait long
	c.enqueue(s, task{
		call: &call{s: s, event: string(p.Name), raw: raw, bin: bin, id: p.ID, ownsArgs: true},
		size: size,
	})
}

// waitForSpace waits until the inboxes have space for an event of that size. It
// reports whether the connection is still open.
func (c *conn) waitForSpace(turn *engine.Turn, size int64) bool {
	paused := false
	c.mu.Lock()
	for !c.ended && !c.hasSpaceLocked(size) {
		if c.space == nil {
			c.space = make(chan struct{})
		}
		space := c.space
		c.mu.Unlock()
		paused = true
		c.session.Pause(turn) // Again: the inboxes may have filled up again since space was closed
		<-space
		c.mu.Lock()
	}
	ended := c.ended
	c.mu.Unlock()
	if paused {
		c.session.Resume()
	}
	return !ended
}

// Full implements [engine.Receiver].
func (c *conn) Full() bool {
	size := c.srv.opts.MaxPayload
	if c.partial != nil {
		size += c.partial.size
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && !c.hasSpaceLocked(size)
}

// hasSpaceLocked reports whether the inboxes have space for an event of that size.
// Empty inboxes accept one event of any size.
func (c *conn) hasSpaceLocked(size int64) bool {
	return c.waiting == 0 || int(c.waiting) < c.maxInboxLocked() && c.bytes+size <= c.srv.opts.MaxEvent
}

// maxInboxLocked returns how many events may wait. The limit is higher while a
// handler waits for an ack, which the client may have sent after these events.
func (c *conn) maxInboxLocked() int {
	if c.blockingAcks > 0 {
		return awaitingFactor * c.srv.opts.MaxInbox
	}
	return c.srv.opts.MaxInbox
}

const awaitingFactor = 16

// signalSpaceLocked wakes a reader in waitForSpace, which checks the limits again.
func (c *conn) signalSpaceLocked() {
	if c.space != nil {
		close(c.space)
		c.space = nil
	}
}

// enqueue adds a task to the inbox of s, and starts a goroutine that drains the
// inbox if none does.
func (c *conn) enqueue(s *Socket, t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueueLocked(s, t)
}

func (c *conn) enqueueLocked(s *Socket, t task) {
	if t.size > 0 {
		c.waiting++
		c.bytes += t.size
	}
	s.inbox = append(s.inbox, t)
	if !s.busy {
		s.busy = true
		c.srv.engine.Go(s.drain)
	}
}

// dequeuedLocked undoes the accounting of enqueueLocked.
func (c *conn) dequeuedLocked(t task) {
	if t.size > 0 {
		c.waiting--
		c.bytes -= t.size
		c.signalSpaceLocked()
	}
}

// find returns the socket in a namespace, or nil. The caller holds mu.
func (c *conn) find(namespace []byte) *Socket {
	for _, s := range c.sockets {
		if s.ns.name == string(namespace) {
			return s
		}
	}
	return nil
}

func (c *conn) socket(namespace []byte) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(namespace)
}

// list returns the sockets of the connection.
func (c *conn) list() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Socket(nil), c.sockets...)
}

// busySockets returns the sockets that are running handlers.
func (c *conn) busySockets() (busy []*Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.busy {
			busy = append(busy, s)
		}
	}
	return busy
}

// Closed implements [engine.Receiver].
func (c *conn) Closed(reason engine.Reason) {
	c.mu.Lock()
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.signalSpaceLocked()
	c.mu.Unlock()
	c.srv.receivedBefore.Add(c.received.Swap(0)) // Stats may still visit c: its close frame is not written yet
	for _, s := range c.list() {
		s.disconnect(Reason(reason), false)
	}
	c.notifyClose(reason)
}
