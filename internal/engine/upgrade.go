package engine

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// serveUpgrade handles a WebSocket request that names a session: an attempt to
// move the session from polling to that WebSocket.
func (s *Session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	t, err := s.upgrade(w, r)
	if err != nil {
		return
	}
	s.mu.Lock()
	accepted := s.state == open && s.ws == nil && s.candidate == nil && !s.srv.cfg.DisableUpgrade
	if accepted {
		s.candidate = t
	}
	s.mu.Unlock()
	if !accepted {
		// The session does not change. Only the new WebSocket is closed.
		_ = t.writeNow(closeMessage)
		t.close()
		return
	}
	s.srv.Go(t.probe)
}

// probe is the goroutine that reads a candidate: "2probe", answered with
// "3probe", then "5", upon which the session moves and the goroutine goes on as
// its reader. Anything else ends the candidate, and polling goes on.
func (t *wsConn) probe() {
	s := t.session
	began := time.Now()
	_ = t.conn.SetReadDeadline(began.Add(s.srv.cfg.UpgradeTimeout))
	if t.expect(eio.Ping, "probe") && t.writeNow(probeMessage) == nil {
		s.probeSucceeded(t)
		if t.expect(eio.Upgrade, anything) && s.moveTo(t) {
			_ = t.conn.SetReadDeadline(time.Time{})
			s.awaitPostQueue() // the messages of the WebSocket come after those of POSTs
			if upgraded := s.srv.cfg.Upgraded; upgraded != nil {
				upgraded(s.recv, time.Since(began))
			}
			t.read()
			return
		}
	}
	s.mu.Lock()
	if s.candidate == t {
		s.candidate, s.probed = nil, false
	}
	last := t.closeFrame
	s.mu.Unlock()
	if last == nil {
		last = closeMessage
	}
	_ = t.writeNow(last)
	t.close()
}

// anything is what a packet may contain that is expected by its type alone, as
// with Node.
const anything = "*"

// expect reads a packet and compares it.
func (t *wsConn) expect(want eio.Type, data string) bool {
	kind, r, err := t.ws.NextReader()
	if err != nil || kind != websocket.TextMessage {
		return false
	}
	var buf [64]byte // longer than any packet that is expected
	b, err := rawconn.ReadAll(r, buf[:0], int64(len(buf)), errTooBig)
	if err != nil {
		return false
	}
	p, err := eio.Decode(b)
	return err == nil && p.Type == want && (data == anything || string(p.Data) == data)
}

// writeNow writes to a WebSocket that is not a session's transport.
func (t *wsConn) writeNow(m *Message) error {
	_, err := t.writeBlocking(m.wire)
	return err
}

// probeSucceeded answers the waiting poll with NOOP, because its client waits for that
// before it moves. Later polls still get messages until the session has moved.
func (s *Session) probeSucceeded(t *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.candidate == t {
		s.probed = true
		s.releasePollLocked()
	}
}

// releasePollLocked answers the waiting poll with NOOP.
func (s *Session) releasePollLocked() {
	if s.poll != nil {
		s.poll.noop = true
		s.poll.wake()
	}
}

// moveTo makes t the session's transport, after the POST that is being read.
func (s *Session) moveTo(t *wsConn) bool {
	s.mu.Lock()
	for s.post != nil && s.candidate == t {
		done := s.post.done
		s.mu.Unlock()
		<-done
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	if s.candidate != t {
		return false
	}
	s.ws, s.candidate, s.probed = t, nil, false
	s.releasePollLocked()
	if s.state == closing {
		s.queueCloseFrameLocked()
	}
	s.wakeLocked()
	return true
}

// dropCandidateLocked ends an upgrade that is under way.
func (s *Session) dropCandidateLocked() {
	if t := s.candidate; t != nil {
		s.candidate, s.probed = nil, false
		t.close()
	}
}
