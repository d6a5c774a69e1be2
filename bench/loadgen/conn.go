//go:build linux

package loadgen

import (
	"bytes"
	"errors"
	"fmt"
)

// A conn is one WebSocket connection with one Socket.IO socket.
type conn struct {
	fd       int
	id       int
	state    connState
	writing  bool  // waits for the network to take out
	dialed   int64 // when, by the loop's clock
	rest     []byte
	out      []byte
	fragment frame // what has come of a fragmented message

	// For the scenarios.
	ledger ledger
	sent   uint32
	times  []int64 // when a message was sent, by its sequence number modulo len
	placed bool    // its text is there, the attachment is to come
}

type connState string

const (
	dialing   connState = ""
	upgrading connState = "upgrading" // awaits the HTTP response
	opening   connState = "opening"   // awaits Engine.IO's open packet
	joining   connState = "joining"   // awaits the answer to CONNECT
	ready     connState = "ready"
	closed    connState = "closed"
)

const upgradeRequest = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" +
	"Host: %s\r\n" +
	"Connection: Upgrade\r\n" +
	"Upgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// frame queues a frame; flush sends it.
func (c *conn) frame(op byte, parts ...[]byte) {
	c.out = appendFrame(c.out, op, parts...)
}

// receive handles all whole frames of b and returns the rest.
func (l *loop) receive(c *conn, b []byte) (rest []byte, err error) {
	if c.state == upgrading {
		head, after, whole := bytes.Cut(b, []byte("\r\n\r\n"))
		if !whole {
			return b, nil
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
			return nil, fmt.Errorf("not upgraded: %q", b)
		}
		b = after
		c.state = opening
	}
	for {
		f, length := parseFrame(b)
		if length == 0 {
			return b, nil
		}
		b = b[length:]
		if err := l.handle(c, f); err != nil {
			return nil, err
		}
	}
}

func (l *loop) handle(c *conn, f frame) error {
	switch {
	case f.op == opClose:
		return fmt.Errorf("close frame %q", f.payload)
	case f.op == opPing:
		c.frame(opPong, f.payload)
		return nil
	case f.op == opPong:
		return nil
	case f.final && f.op != opContinuation:
		return l.message(c, f.op, f.payload)
	}
	if f.op != opContinuation {
		c.fragment = frame{op: f.op}
	}
	c.fragment.payload = append(c.fragment.payload, f.payload...)
	if !f.final {
		return nil
	}
	return l.message(c, c.fragment.op, c.fragment.payload)
}

// message handles what belongs to the protocols, and leaves the rest to the
// scenario.
func (l *loop) message(c *conn, op byte, p []byte) error {
	if op != opText || len(p) == 0 {
		l.onMessage(c, op, p)
		return nil
	}
	switch p[0] {
	case '0':
		c.state = joining
		c.frame(opText, []byte("40"))
		return nil
	case '1':
		return errors.New("engine closed")
	case '2':
		c.frame(opText, []byte("3"), p[1:])
		return nil
	}
	switch {
	case c.state == joining && bytes.HasPrefix(p, []byte("40")):
		c.state = ready
		l.ready++
		l.handshakes.add(l.now - c.dialed)
	case bytes.HasPrefix(p, []byte("41")), bytes.HasPrefix(p, []byte("44")):
		return fmt.Errorf("socket packet %q", p)
	default:
		l.onMessage(c, op, p)
	}
	return nil
}
