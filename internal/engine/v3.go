package engine

import (
	"net/http"
	"slices"

	"github.com/socketio-go/socketio/internal/eio"
)

// Clients of Engine.IO 3 differ: they begin the heartbeats, they mark binary messages
// with their type, and their polling payloads have lengths instead of separators, may
// be binary, and may be scripts.

// takesNoBinary reports whether the client wants base64 where it could have
// binary data.
func takesNoBinary(r *http.Request) bool { return queryValue(r, "b64") != "" }

// decode decodes what came in one WebSocket message.
func (s *Session) decode(b []byte, binary bool) (eio.Packet, error) {
	switch {
	case s.v3 && binary:
		return eio.DecodeBinaryV3(b)
	case s.v3:
		return eio.DecodeV3(b)
	case binary:
		return eio.Packet{Type: eio.Message, Binary: true, Data: b}, nil
	default:
		return eio.Decode(b)
	}
}

// ping answers a client's heartbeat. One pong answers all pings that have arrived
// meanwhile, so a flood of them does not fill the queue.
func (s *Session) ping() {
	s.mu.Lock()
	quiet := s.receivedLittleLocked()
	if s.state == open {
		s.clearPauseLocked()
		s.scheduleHeartbeatLocked(s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout)
		s.control.pong = true
		s.wakeLocked()
	}
	s.mu.Unlock()
	if quiet {
		s.recv.Heartbeat()
	}
}

// IsScript reports whether a page makes the request by adding a script to
// itself, to which the rules for other origins do not apply in browsers.
func IsScript(r *http.Request) bool {
	_, ok := lookupQuery(r.URL.RawQuery, "j")
	return ok
}

// scriptIndex returns the number of the function that a response is to be handed
// to, or "" if the request is not made by a script. It reports false if it is,
// but may not or can't be answered.
func scriptIndex(r *http.Request, v3 bool) (index string, ok bool) {
	if !IsScript(r) {
		return "", true
	}
	index = queryValue(r, "j")
	if !v3 || len(index) == 0 || len(index) > 9 {
		return "", false
	}
	for _, c := range index {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return index, true
}

// framing returns how a polling response with the given messages is to be framed.
func (s *Session) framing(script string, batch []*Message) eio.Framing {
	switch {
	case !s.v3:
		return eio.Separated
	case script == "" && !s.base64 && slices.ContainsFunc(batch, (*Message).hasBinary):
		return eio.CountedBinary
	default:
		return eio.Counted
	}
}

// bodyOf returns a payload as the body of a response, and its type.
func bodyOf(h http.Header, f eio.Framing, script string, payload []byte) (body []byte, contentType []string) {
	switch {
	case script != "":
		h["X-Content-Type-Options"] = noSniff
		return eio.AppendScript(nil, script, payload), javaScript
	case f == eio.CountedBinary:
		return payload, octetStream
	default:
		return payload, textPlain
	}
}

var (
	javaScript  = []string{"text/javascript; charset=UTF-8"}
	octetStream = []string{"application/octet-stream"}
	noSniff     = []string{"nosniff"}
)

// framingOf returns how the body of a POST is framed, false if it can't be
// read.
func (s *Session) framingOf(r *http.Request) (f eio.Framing, ok bool) {
	binary := r.Header.Get("Content-Type") == "application/octet-stream"
	switch {
	case !s.v3:
		return eio.Separated, !binary
	case binary:
		return eio.CountedBinary, true
	default:
		return eio.Counted, true
	}
}

func (m *Message) hasBinary() bool {
	for op := range m.frames() {
		if op == opBinary {
			return true
		}
	}
	return false
}

// toV3 returns m as it is written to the WebSocket of a client of Engine.IO 3:
// a binary message begins with its type, or is base64. The receivers of a
// message share what is built for the first of them.
func (m *Message) toV3(base64 bool) *Message {
	if !m.hasBinary() {
		return m
	}
	if built := m.v3.Load(); built != nil && !base64 {
		return built
	}
	var wire []byte
	for op, data := range m.frames() {
		switch {
		case op != opBinary:
			wire = appendFrameHeader(wire, op, len(data))
		case base64:
			data = eio.AppendBinaryV3(nil, data)
			wire = appendFrameHeader(wire, opText, len(data))
		default:
			wire = append(appendFrameHeader(wire, op, 1+len(data)), eio.BinaryMessageV3)
		}
		wire = append(wire, data...)
	}
	built := &Message{wire: wire, compression: m.compression}
	if !base64 {
		m.v3.Store(built)
	}
	return built
}
