package eioclient

import (
	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/eio"
)

// This file has what differs in Engine.IO 3: the client sends the pings, binary messages
// begin with their type, and polling payloads have lengths in place of separators.

func (c *Config) version() string {
	if c.V3 {
		return "3"
	}
	return "4"
}

// framing is how polling payloads are framed.
func (c *Config) framing() eio.Framing {
	if c.V3 {
		return eio.Counted
	}
	return eio.Separated
}

// decode decodes a message of a WebSocket.
func (c *Config) decode(kind int, data []byte) (eio.Packet, error) {
	binary := kind == websocket.BinaryMessage
	switch {
	case c.V3 && binary:
		return eio.DecodeBinaryV3(data)
	case c.V3:
		return eio.DecodeV3(data)
	case binary:
		return eio.Packet{Type: eio.Message, Binary: true, Data: data}, nil
	}
	return eio.Decode(data)
}

// ping sends a ping of Engine.IO 3, one in each interval. While one waits in the queue
// another is not needed.
func (s *Session) ping() {
	s.mu.Lock()
	if s.state != open {
		s.mu.Unlock()
		return
	}
	s.pinger.Reset(s.open.pingInterval)
	flush := false
	if !s.ponged {
		s.ponged = true
		flush = s.enqueueLocked(packet(eio.Ping, ""))
	}
	s.mu.Unlock()
	if flush {
		s.Flush()
	}
}
