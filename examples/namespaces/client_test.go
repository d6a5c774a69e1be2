package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A session is as much of a Socket.IO client as the tests need: one
// connection over HTTP long-polling, with JSON and net/http alone. It polls
// when one of its sockets is asked for something, so all of it belongs to one
// goroutine.
type session struct {
	t       *testing.T
	http    *http.Client
	url     string
	packets []string // polled and not yet read
	sockets map[string]*socket
}

// A socket is the session's part in one namespace.
type socket struct {
	*session
	ns, id  string
	refused *refusal // the answer to CONNECT, if it was that

	calls   int
	events  []event // read and not yet asked for
	answers map[int]json.RawMessage
}

// An event is what the server emitted.
type event struct {
	name string
	args []json.RawMessage
}

// A refusal is the error in an answer, or the answer to CONNECT.
type refusal struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// dial opens a session and closes it when the test ends.
func dial(t *testing.T, server *httptest.Server) *session {
	t.Helper()
	s := open(t, server.Client(), server.URL)
	t.Cleanup(s.leave)
	return s
}

func open(t *testing.T, h *http.Client, url string) *session {
	t.Helper()
	s := &session{t: t, http: h, url: url + "/socket.io/?EIO=4&transport=polling", sockets: make(map[string]*socket)}
	var handshake struct{ SID string }
	opened := s.packet()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(opened, "0")), &handshake); err != nil {
		t.Fatalf("the handshake was answered with %q: %v", opened, err)
	}
	s.url += "&sid=" + handshake.SID
	return s
}

// leave closes the session. What the server says to that is not looked at: it
// may have closed the session before.
func (s *session) leave() {
	answer, err := s.http.Post(s.url, "text/plain", strings.NewReader("1"))
	if err != nil {
		s.t.Errorf("leaving: %v", err)
		return
	}
	answer.Body.Close()
}

// connect asks for a namespace and waits for the answer.
func (s *session) connect(ns string, auth any) *socket {
	s.t.Helper()
	payload, err := json.Marshal(auth)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &socket{session: s, ns: ns, answers: make(map[int]json.RawMessage)}
	s.sockets[ns] = c
	s.post("40" + ns + "," + string(payload))
	for c.id == "" && c.refused == nil {
		s.read()
	}
	return c
}

// disconnect leaves the namespace; the session stays for its others.
func (c *socket) disconnect() {
	c.t.Helper()
	c.post("41" + c.ns + ",")
}

// call sends an event, waits for the answer and decodes it.
func (c *socket) call(name string, arg any, answer any) *refusal {
	c.t.Helper()
	id := c.calls
	c.calls++
	payload, err := json.Marshal([]any{name, arg})
	if err != nil {
		c.t.Fatal(err)
	}
	c.post("42" + c.ns + "," + strconv.Itoa(id) + string(payload))
	for c.answers[id] == nil {
		c.read()
	}
	var refused []struct{ Error *refusal }
	if json.Unmarshal(c.answers[id], &refused); len(refused) == 1 && refused[0].Error != nil {
		return refused[0].Error
	}
	if err := json.Unmarshal(c.answers[id], &[]any{answer}); err != nil {
		c.t.Fatalf("%s was answered with %s: %v", name, c.answers[id], err)
	}
	return nil
}

// next waits for the next event of that name and decodes its arguments; others
// can be asked for later.
func (c *socket) next(name string, dst ...any) {
	c.t.Helper()
	for !c.take(name, dst...) {
		c.read()
	}
}

// take is next without the waiting: it reports whether there was one.
func (c *socket) take(name string, dst ...any) bool {
	c.t.Helper()
	i := slices.IndexFunc(c.events, func(e event) bool { return e.name == name })
	if i < 0 {
		return false
	}
	for arg := range dst {
		if err := json.Unmarshal(c.events[i].args[arg], dst[arg]); err != nil {
			c.t.Fatalf("%s, argument %d: %v", name, arg, err)
		}
	}
	c.events = slices.Delete(c.events, i, i+1)
	return true
}

// read takes one packet in.
func (s *session) read() {
	s.t.Helper()
	p := s.packet()
	if p == "6" {
		return // no news
	}
	end := strings.IndexByte(p, ',')
	if end < 3 || s.sockets[p[2:end]] == nil {
		s.t.Fatalf("the server sent %q", p)
	}
	kind, c, payload := p[:2], s.sockets[p[2:end]], []byte(p[end+1:])
	switch kind {
	case "40":
		var connected struct{ SID string }
		s.decode(payload, &connected)
		c.id = connected.SID
	case "42":
		var args []json.RawMessage
		s.decode(payload, &args)
		var e event
		s.decode(args[0], &e.name)
		e.args = args[1:]
		c.events = append(c.events, e)
	case "43":
		start := strings.IndexByte(p, '[')
		id, err := strconv.Atoi(p[end+1 : start])
		if err != nil {
			s.t.Fatalf("%s: %v", p, err)
		}
		c.answers[id] = json.RawMessage(p[start:])
	case "44":
		c.refused = new(refusal)
		s.decode(payload, c.refused)
	default:
		s.t.Fatalf("the server sent %q", p)
	}
}

func (s *session) decode(data []byte, dst any) {
	s.t.Helper()
	if err := json.Unmarshal(data, dst); err != nil {
		s.t.Fatalf("%s: %v", data, err)
	}
}

// packet returns the next packet, and polls first if need be.
func (s *session) packet() string {
	s.t.Helper()
	if len(s.packets) == 0 {
		if err := s.poll(); err != nil {
			s.t.Fatal(err)
		}
	}
	p := s.packets[0]
	s.packets = s.packets[1:]
	return p
}

// poll waits for packets of the server. It may be called in a goroutine.
func (s *session) poll() error {
	payload, err := body(s.http.Get(s.url))
	s.packets = append(s.packets, strings.Split(payload, "\x1e")...)
	return err
}

func (s *session) post(payload string) {
	s.t.Helper()
	if _, err := body(s.http.Post(s.url, "text/plain", strings.NewReader(payload))); err != nil {
		s.t.Fatal(err)
	}
}

func body(answer *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), err
}
