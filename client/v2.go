package client

import (
	"encoding/json"
	"net/url"

	"github.com/socketio-go/socketio"
)

// This file has what differs for servers of Socket.IO 2: the client is in "/" without
// CONNECT, and makes its ids from the session's.

// A v2Answer is the server's answer for "/" when it came before it was awaited.
type v2Answer struct {
	refusal *socketio.Error // nil if the server let the client in
}

// socketID returns the id of the client in a namespace.
func (k *conn) socketID(namespace string) string {
	if namespace == "/" {
		return k.session.ID()
	}
	return namespace + "#" + k.session.ID()
}

// awaitMain is sendConnect of "/": the server has sent its answer or will. It reports
// whether joining over k goes on.
func (s *Socket) awaitMain(k *conn, stop chan struct{}, answer chan *socketio.Error) bool {
	c := s.client
	c.mu.Lock()
	if s.stop != stop {
		c.mu.Unlock()
		return false
	}
	s.answer = answer
	main := k.main
	k.main = nil
	var after []func()
	switch {
	case main == nil:
	case main.refusal != nil:
		answer <- main.refusal
		s.answer = nil
	default:
		after = s.joinedLocked(k, k.socketID("/"), "")
	}
	c.mu.Unlock()
	runAll(after)
	return true
}

// v2Query returns the query of a namespace that stands for auth.
func v2Query(auth map[string]json.RawMessage) string {
	q := make(url.Values)
	for name, raw := range auth {
		text, ok := stringOf(raw)
		if !ok {
			text = string(raw)
		}
		q.Set(name, text)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}
