package socketio

import (
	"bytes"
	"net/url"

	"github.com/go-json-experiment/json"

	"github.com/socketio-go/socketio/internal/sio"
)

// What clients of Socket.IO v2 expect otherwise: to be in "/" without asking,
// ids made of the connection's, and no objects in the answers to CONNECT.

// v2 reports whether the client is one of Socket.IO v2.
func (c *conn) v2() bool { return c.session.Protocol() == 3 }

// connectMain joins a v2 client to "/", which it takes for granted.
func (c *conn) connectMain() {
	c.handleConnect(&sio.Packet{Type: sio.Connect, Namespace: []byte("/")})
}

// socketID returns the id of a new socket. A v2 client is not told but makes
// it itself, out of the id of the connection.
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

// logID returns the id of s for logs, where that of a v2 client is cut short: the
// whole of it is the secret of its connection.
func (s *Socket) logID() string {
	if s.conn.v2() {
		return s.id[:len(s.id)-16] + "…"
	}
	return s.id
}

// cutQuery moves the query behind a namespace, where a v2 client puts what
// later clients send as auth, to where it is expected: each value is a string,
// the last of its name.
func cutQuery(p *sio.Packet) {
	name, query, _ := bytes.Cut(p.Namespace, []byte("?"))
	p.Namespace = name
	if len(query) == 0 {
		return
	}
	values, _ := url.ParseQuery(string(query)) // what is malformed is left out
	auth := make(map[string]string, len(values))
	for name, list := range values {
		auth[name] = list[len(list)-1]
	}
	p.Data, _ = json.Marshal(auth, jsonOptions) // strings can't fail
}

// connectPayload returns what a client is told when s is connected.
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

// refusalPayload returns what a client is told when it is refused. For v2 that
// is the data alone, or the message if there is none.
func (c *conn) refusalPayload(e *Error) []byte {
	var whole, message any = e, &Error{Message: e.Message}
	if c.v2() {
		whole, message = e.Data, e.Message
		if len(e.Data) == 0 {
			whole = e.Message
		}
	}
	payload, err := json.Marshal(whole, jsonOptions)
	if err != nil { // its Data is not JSON
		payload, _ = json.Marshal(message, jsonOptions)
	}
	return payload
}
