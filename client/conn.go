package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/eioclient"
	"github.com/socketio-go/socketio/internal/sio"
)

// A conn is one connection, which the joined namespaces share: it takes the
// server's packets apart.
type conn struct {
	c       *Client
	session *eioclient.Session

	partial *partial // the event whose attachments are being read; the reader's

	// abandoned are the namespaces that were left while CONNECT was under way. A
	// channel is closed when the server has answered. Guarded by c.mu.
	abandoned map[string]chan struct{}

	main *v2Answer // to the CONNECT of "/" that is not sent; guarded by c.mu
}

// packets holds decoded packets for reuse.
var packets = sync.Pool{New: func() any { return new(sio.Packet) }}

// A partial is an event or answer whose attachments have not all come.
type partial struct {
	packet sio.Packet
	bin    [][]byte
	size   int64
}

var (
	errTextAwaitingBinary = errors.New("client: text where an attachment was due")
	errStrayBinary        = errors.New("client: attachment that no event announced")
	errEventTooBig        = errors.New("client: event exceeds MaxEvent")
	errTwice              = errors.New("client: CONNECT for a namespace that is joined")
	errConnectPayload     = errors.New("client: CONNECT without sid: the server speaks Socket.IO 2, or is none")
	errHeld               = errors.New("client: too many events before the answer to CONNECT")
)

// opened makes k the client's connection and begins to join.
func (k *conn) opened(session *eioclient.Session) {
	k.session = session
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.wantedLocked() {
		k.session.Discard(eioclient.ForcedClose, nil)
		return
	}
	c.conn = k
	c.conns = append(c.conns, k)
	for _, s := range c.order {
		if s.active {
			s.joinLocked()
		}
	}
}

func (k *conn) transport() socketio.Transport {
	if k.session.Transport() == eioclient.Polling {
		return socketio.Polling
	}
	return socketio.WebSocket
}

// Receive implements [eioclient.Receiver].
func (k *conn) Receive(turn *eioclient.Turn, data []byte, binary bool) {
	opts := &k.c.opts
	switch {
	case int64(len(data)) > opts.MaxEvent:
		k.fail(errEventTooBig)
	case opts.Codec != nil:
		k.receiveEncoded(turn, data, binary)
	case k.partial != nil && binary:
		k.attach(turn, data)
	case k.partial != nil:
		k.fail(errTextAwaitingBinary)
	case binary:
		k.fail(errStrayBinary)
	default:
		k.decode(turn, data, nil)
	}
}

func (k *conn) decode(turn *eioclient.Turn, text []byte, bin [][]byte) {
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	err := p.Decode(text, sio.Limits{Attachments: k.c.opts.MaxAttachments})
	switch {
	case err != nil:
		k.fail(err)
	case p.Attachments > len(bin):
		kept := *p
		kept.Namespace, kept.Name, kept.Data = bytes.Clone(p.Namespace), bytes.Clone(p.Name), nil
		kept.Args = arguments.Clone(p.Args)
		for i, raw := range kept.Args {
			kept.Args[i] = sio.Literal(raw)
		}
		k.partial = &partial{packet: kept, bin: bin, size: int64(len(text))}
	default:
		k.handle(turn, p, bin, int64(len(text)))
	}
}

// attach adds an attachment to the partial event, which may be complete then.
func (k *conn) attach(turn *eioclient.Turn, data []byte) {
	part := k.partial
	if part.size += int64(len(data)); part.size > k.c.opts.MaxEvent {
		k.fail(errEventTooBig)
		return
	}
	part.bin = append(part.bin, append(make([]byte, 0, len(data)), data...))
	if len(part.bin) == part.packet.Attachments {
		k.partial = nil
		k.handle(turn, &part.packet, part.bin, part.size)
	}
}

// fail closes the connection because of what the server sent.
func (k *conn) fail(err error) {
	k.c.report(nil, err)
	k.session.Discard(eioclient.ParseError, err)
}

// handle handles a complete packet of so many bytes.
func (k *conn) handle(turn *eioclient.Turn, p *sio.Packet, bin [][]byte, size int64) {
	if hook := k.c.opts.Hooks.PacketIn; hook != nil {
		k.c.observe(hook, p, bin)
	}
	switch p.Type {
	case sio.Connect:
		aside(func() { k.connected(p) })
	case sio.ConnectError:
		k.refused(p)
	case sio.Disconnect:
		k.disconnected(p)
	case sio.Event, sio.BinaryEvent:
		k.event(turn, p, bin, size)
	case sio.Ack, sio.BinaryAck:
		k.answered(turn, p, bin)
	}
}

// aside runs fn on another goroutine. The stack of the reader keeps the size that
// it has had once, which is a good part of what an idle client costs.
func aside(fn func()) {
	done := make(chan struct{})
	go func() { // it has ended when aside returns
		defer close(done)
		fn()
	}()
	<-done
}

// memberLocked returns the socket of a namespace that is in a state by k.
func (k *conn) memberLocked(namespace []byte, state membership) *Socket {
	s := k.c.socketLocked(namespace)
	if s == nil || s.life == nil || s.life.k != k || s.state != state {
		return nil
	}
	return s
}

func (k *conn) connected(p *sio.Packet) {
	var body struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}
	c := k.c
	if c.opts.EIO3 {
		body.SID = k.socketID(string(p.Namespace))
	} else if p.Data == nil || json.Unmarshal(p.Data, &body) != nil || body.SID == "" || len(body.SID)+len(body.PID) > maxIDs {
		k.fail(errConnectPayload)
		return
	}
	c.mu.Lock()
	s := k.memberLocked(p.Namespace, joining)
	switch {
	case c.opts.EIO3 && string(p.Namespace) == "/" && (s == nil || s.answer == nil):
		k.main = &v2Answer{}
		c.mu.Unlock()
	case k.abandoned[string(p.Namespace)] != nil:
		c.mu.Unlock()
		if m, err := c.control(sio.Disconnect, string(p.Namespace), nil); err == nil {
			_ = k.session.Send(m, false)
		}
		k.answeredAbandoned(p.Namespace)
	case s != nil && s.answer != nil:
		after := s.joinedLocked(k, body.SID, body.PID)
		c.mu.Unlock()
		runAll(after)
	case k.memberLocked(p.Namespace, joined) != nil:
		c.mu.Unlock()
		k.fail(errTwice)
	default: // nothing asked for it
		c.mu.Unlock()
	}
}

// abandonLocked notes that the answer to CONNECT is not awaited any more.
func (k *conn) abandonLocked(namespace string) {
	if k.abandoned == nil {
		k.abandoned = make(map[string]chan struct{})
	}
	k.abandoned[namespace] = make(chan struct{})
}

// answeredAbandoned lets the namespace be joined again, if the answer was to a
// CONNECT that had been abandoned.
func (k *conn) answeredAbandoned(namespace []byte) bool {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	answered := k.abandoned[string(namespace)]
	if answered == nil {
		return false
	}
	close(answered)
	delete(k.abandoned, string(namespace))
	return true
}

// maxIDs bounds what CONNECT's answer may make us keep.
const maxIDs = 4 << 10

func (k *conn) refused(p *sio.Packet) {
	e := new(socketio.Error)
	switch {
	case json.Unmarshal(p.Data, &e.Message) == nil: // Socket.IO 3 sends a string
	case k.c.opts.EIO3:
		e.Data = bytes.Clone(p.Data)
	default:
		_ = json.Unmarshal(p.Data, e)
	}
	if k.answeredAbandoned(p.Namespace) {
		return
	}
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := k.memberLocked(p.Namespace, joining); {
	case s != nil && s.answer != nil:
		s.answer <- e
		s.answer = nil
		s.dropHeldLocked()
	case c.opts.EIO3 && string(p.Namespace) == "/":
		k.main = &v2Answer{refusal: e}
	}
}

func (k *conn) disconnected(p *sio.Packet) {
	c := k.c
	c.mu.Lock()
	s := k.memberLocked(p.Namespace, joined)
	if s == nil {
		s = k.memberLocked(p.Namespace, joining)
	}
	var after []func()
	if s != nil {
		s.leaveLocked(ReasonServer, &socketio.DisconnectError{Reason: ReasonServer})
		after = c.releaseLocked()
	}
	c.mu.Unlock()
	runAll(after)
}

// Closed implements [eioclient.Receiver].
func (k *conn) Closed(reason eioclient.Reason, err error, unsent []*eioclient.Message) {
	c := k.c
	counts := k.session.Counts()
	c.mu.Lock()
	c.past.Written += counts.Written
	c.past.Lost += counts.Lost
	c.conns = without(c.conns, k)
	stable, member := false, false
	k.takeBackLocked(unsent)
	for _, s := range c.order {
		if s.life == nil || s.life.k != k {
			continue
		}
		member = true
		stable = stable || s.state == joined && time.Since(s.joinedAt) >= c.opts.StableAfter
		if err != nil {
			s.lastErr = err
		}
		s.detachLocked(socketio.Reason(reason), false)
	}
	if stable {
		c.attempts = 0
	}
	if c.conn == k {
		c.conn = nil
		c.lost = member
		if err == nil {
			err = fmt.Errorf("client: %s", reason)
		}
		c.lastErr = err
		c.startLocked()
	}
	c.changedLocked()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		c.closeIdle()
	}
}

// takeBackLocked puts events that were not sent back in front of the buffers.
func (k *conn) takeBackLocked(unsent []*eioclient.Message) {
	c := k.c
	kept := make(map[*Socket][]*outgoing)
	for _, m := range slices.Backward(unsent) { // the newest are kept
		o, ok := m.Tag.(*outgoing)
		switch {
		case !ok: // CONNECT or DISCONNECT
		case o.volatile:
			c.volatile.Add(1)
		case o.answer, o.delivery, o.s.life == nil, o.s.life.k != k, c.opts.Offline != Buffer:
			c.dropped.Closed++
			if c.refusing.Load() && !o.answer && !o.delivery {
				c.unsent++
			}
		case o.ack != noAck && o.s.acks[o.ack] == nil: // it is not awaited any more
			c.dropped.Expired++
		case c.buffered+m.Size() > c.opts.MaxBuffer:
			c.dropped.Overflow++
		default:
			kept[o.s] = append(kept[o.s], o)
			c.buffered += m.Size()
		}
	}
	for s, list := range kept {
		slices.Reverse(list)
		s.buffer = append(list, s.buffer...)
	}
}

// control encodes a packet without arguments.
func (c *Client) control(t sio.Type, namespace string, payload []byte) (*eioclient.Message, error) {
	m := new(eioclient.Message)
	encode := func() (err error) {
		text := sio.AppendHeader(eioclient.AppendType(nil), t, namespace, 0, -1)
		*m, err = c.newMessage(append(text, payload...), nil)
		return err
	}
	isolate := func(_ string, fn func() error) error { return fn() }
	if c.opts.Codec != nil { // the goroutine that joins must not end with the codec
		isolate = c.call
	}
	if err := isolate("Codec", encode); err != nil {
		return nil, err
	}
	m.Control, m.Admitted = true, true
	if hook := c.opts.Hooks.PacketOut; hook != nil {
		_ = c.call("Hooks.PacketOut", func() error {
			name, _, _ := strings.Cut(namespace, "?") // with EIO3, what Auth returned follows
			hook(Packet{Namespace: name, Type: packetTypes[t], ID: -1})
			return nil
		})
	}
	return m, nil
}

var packetTypes = [...]string{
	sio.Connect:      "connect",
	sio.Disconnect:   "disconnect",
	sio.Event:        "event",
	sio.Ack:          "ack",
	sio.ConnectError: "connect_error",
	sio.BinaryEvent:  "event",
	sio.BinaryAck:    "ack",
}

// observe calls a hook.
func (c *Client) observe(hook func(Packet), p *sio.Packet, bin [][]byte) {
	packet := Packet{Namespace: string(p.Namespace), Type: packetTypes[p.Type], Event: string(p.Name), ID: p.ID}
	switch p.Type {
	case sio.Connect, sio.ConnectError:
		packet.Data = string(p.Data)
	default:
		packet.Args = socketio.ArgsFromWire(arguments.Clone(p.Args), bin)
	}
	c.guard(nil, "", func() { hook(packet) })
}

// receiveEncoded handles a message of a codec.
func (k *conn) receiveEncoded(turn *eioclient.Turn, data []byte, binary bool) {
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	var packet []byte
	var bin [][]byte
	err := attempt("Codec", func() (err error) {
		packet, bin, err = k.c.opts.Codec.Decode(data, binary)
		return err
	})
	if err == nil {
		err = p.Decode(packet, sio.Limits{Attachments: k.c.opts.MaxAttachments, Literal: true})
	}
	size := int64(len(packet))
	for _, b := range bin {
		size += int64(len(b))
	}
	switch {
	case err != nil:
		k.fail(err)
	case p.Attachments != len(bin):
		k.fail(errAttachmentCount)
	case size > k.c.opts.MaxEvent:
		k.fail(errEventTooBig)
	default:
		for i, b := range bin {
			bin[i] = append(make([]byte, 0, len(b)), b...)
		}
		k.handle(turn, p, bin, size)
	}
}

var errAttachmentCount = errors.New("client: codec: attachments are not those of the packet")
