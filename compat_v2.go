package socketio

import (
	"bytes"
	"net/url"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/sio"
)

// This file has what differs for clients of Socket.IO v2. They are in "/" without
// CONNECT, make their ids from the connection's id, and expect no objects in the
// packets that answer CONNECT.

// v2 reports whether the client is one of Socket.IO v2.
func (c *conn) v2() bool { return c.session.Protocol() == 3 }

// connectMain joins a v2 client to "/", for which it sends no CONNECT.
func (c *conn) connectMain() {
	c.handleConnect(&sio.Packet{Type: sio.Connect, Namespace: []byte("/")})
}

// socketID returns the id of a new socket. A v2 client makes the same id from the id
// of the connection; it is not sent.
func (c *conn) socketID(n *Namespace) string {
	switch {
	case !c.v2():
		return newSocketID()
	case n.name == "/":
		return c.session.ID()
	default:
		return n.name + "#" + c.session.ID()
	}
}

// logID returns the id of s for logs. The id of a v2 client is shortened: it contains
// the session id, which is a secret.
func (s *Socket) logID() string {
	if s.conn.v2() {
		return s.id[:len(s.id)-16] + "…"
	}
	return s.id
}

// cutQuery removes the query from the namespace and makes it the auth. v2 clients
// send in the query what later clients send as auth. Each value is a string, the
// last one of its name.
func cutQuery(p *sio.Packet) {
	name, query, _ := bytes.Cut(p.Namespace, []byte("?"))
	p.Namespace = name
	if len(query) == 0 {
		return
	}
	values, _ := url.ParseQuery(string(query)) // malformed pairs are left out
	auth := make(map[string]string, len(values))
	for name, list := range values {
		auth[name] = list[len(list)-1]
	}
	p.Data, _ = arguments.MarshalJSON(auth) // strings can't fail
}

// connectPayload returns the payload of the CONNECT that tells a client that s is
// connected.
func (s *Socket) connectPayload() []byte {
	if s.conn.v2() {
		return nil
	}
	payload := sio.AppendString([]byte(`{"sid":`), s.id)
	if s.rec != nil {
		payload = sio.AppendString(append(payload, `,"pid":`...), s.rec.pid)
	}
	return append(payload, '}')
}

// refusalPayload returns the payload of a CONNECT_ERROR. For v2 that is the data, or
// the message if there is none.
func (c *conn) refusalPayload(e *Error) []byte {
	var whole, message any = e, &Error{Message: e.Message}
	if c.v2() {
		whole, message = e.Data, e.Message
		if len(e.Data) == 0 {
			whole = e.Message
		}
	}
	payload, err := arguments.MarshalJSON(whole)
	if err != nil { // its Data is not JSON
		payload, _ = arguments.MarshalJSON(message)
	}
	return payload
}
