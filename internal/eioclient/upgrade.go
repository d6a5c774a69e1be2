package eioclient

import (
	"context"
	"fmt"

	"github.com/socketio-go/socketio/internal/eio"
	"github.com/socketio-go/socketio/internal/rawconn"
)

// upgrade moves a session from polling to WebSocket. If it fails, the session
// goes on polling.
func (s *Session) upgrade() {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.UpgradeTimeout)
	defer cancel()
	ws, _, err := s.cfg.dialWebSocket(ctx, s.open.sid)
	if err != nil {
		return
	}
	ws.session = s
	if !s.try(ws) {
		ws.close()
		return
	}
	if err := ws.probe(ctx); err != nil {
		s.giveUp(ws)
		return
	}
	if !s.stopPolling(ctx, ws) {
		s.giveUp(ws)
		return
	}
	ws.read()
}

// try makes ws the candidate.
func (s *Session) try(ws *wsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != open {
		return false
	}
	s.candidate = ws
	return true
}

// giveUp ends the upgrade.
func (s *Session) giveUp(ws *wsConn) {
	ws.close()
	s.mu.Lock()
	s.candidate = nil
	restart := s.upgrading && !s.polling && s.state != closed
	s.upgrading = false
	if restart {
		s.polling = true
	}
	start := s.startFlushLocked()
	s.mu.Unlock()
	if restart {
		s.spawn(func() { s.poll(nil) })
	}
	if start {
		s.Flush()
	}
}

// probe asks whether packets pass through the WebSocket.
func (w *wsConn) probe(ctx context.Context) error {
	if _, err := w.write(appendFrame(nil, opText, []byte("2probe"))); err != nil {
		return err
	}
	buf, p, err := w.readFirst(ctx)
	if err != nil {
		return err
	}
	defer rawconn.PutBuffer(buf)
	if p.Type != eio.Pong || string(p.Data) != "probe" {
		return fmt.Errorf("engine.io: probe answered by %v", p.Type)
	}
	return nil
}

// stopPolling waits until the poll and the post under way have ended, and makes
// ws the transport. The server answers the poll, since it has been probed.
func (s *Session) stopPolling(ctx context.Context, ws *wsConn) bool {
	s.mu.Lock()
	s.upgrading = true
	for s.state != closed && (s.polling || s.flushing) {
		drained := make(chan struct{})
		s.drained = drained
		s.mu.Unlock()
		select {
		case <-drained:
		case <-ctx.Done():
			return false
		}
		s.mu.Lock()
	}
	if s.state == closed || ctx.Err() != nil {
		s.mu.Unlock()
		return false
	}
	s.ws, s.candidate, s.upgrading = ws, nil, false
	s.queue = append([]*Message{packet(eio.Upgrade, "")}, s.queue...)
	start := s.startFlushLocked()
	s.mu.Unlock()
	if start {
		s.Flush()
	}
	return true
}
