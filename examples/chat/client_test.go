package main

import (
	"encoding/base64"
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

// A client is as much of a Socket.IO client as the tests need: one socket in
// the default namespace, over HTTP long-polling, with JSON and net/http alone.
// It polls when it is asked for something, so it belongs to one goroutine.
type client struct {
	t    *testing.T
	http *http.Client
	url  string // of the session
	id   string // of the socket

	calls   int
	packets []string // polled and not yet read
	events  []event  // read and not yet asked for
	answers map[int]json.RawMessage
}

// An event is what the server emitted.
type event struct {
	name  string
	args  []json.RawMessage
	files [][]byte
}

// dial connects to a server and leaves it when the test ends.
func dial(t *testing.T, server *httptest.Server) *client {
	t.Helper()
	c := connect(t, server.Client(), server.URL)
	t.Cleanup(c.leave)
	return c
}

func connect(t *testing.T, h *http.Client, url string) *client {
	t.Helper()
	c := &client{t: t, http: h, url: url + "/socket.io/?EIO=4&transport=polling", answers: make(map[int]json.RawMessage)}
	var session, socket struct{ SID string }
	opened := c.packet()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(opened, "0")), &session); err != nil {
		t.Fatalf("the handshake was answered with %q: %v", opened, err)
	}
	c.url += "&sid=" + session.SID
	c.post("40")
	connected := c.packet()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(connected, "40")), &socket); err != nil {
		t.Fatalf("CONNECT was answered with %q: %v", connected, err)
	}
	c.id = socket.SID
	return c
}

// leave closes the session. What the server says to that is not looked at: it
// may have closed the session before.
func (c *client) leave() {
	answer, err := c.http.Post(c.url, "text/plain", strings.NewReader("1"))
	if err != nil {
		c.t.Errorf("leaving: %v", err)
		return
	}
	answer.Body.Close()
}

// emit sends an event. A []byte is sent as a binary attachment, at any depth
// that a map[string]any leads to.
func (c *client) emit(name string, args ...any) {
	c.t.Helper()
	c.send("", name, args)
}

// call sends an event, waits for the answer and decodes it. It returns the
// message of a refusal.
func (c *client) call(name string, arg any, answer any) (refusal string) {
	c.t.Helper()
	id := c.calls
	c.calls++
	c.send(strconv.Itoa(id), name, []any{arg})
	for c.answers[id] == nil {
		c.read()
	}
	var refused []struct{ Error *struct{ Message string } }
	if json.Unmarshal(c.answers[id], &refused); len(refused) == 1 && refused[0].Error != nil {
		return refused[0].Error.Message
	}
	if err := json.Unmarshal(c.answers[id], &[]any{answer}); err != nil {
		c.t.Fatalf("answer to %s %s: %v", name, c.answers[id], err)
	}
	return ""
}

// next waits for the next event of that name; others can be asked for later.
func (c *client) next(name string) event {
	c.t.Helper()
	for {
		if e, ok := c.take(name); ok {
			return e
		}
		c.read()
	}
}

// take returns the next event of that name, if it has been read.
func (c *client) take(name string) (event, bool) {
	i := slices.IndexFunc(c.events, func(e event) bool { return e.name == name })
	if i < 0 {
		return event{}, false
	}
	e := c.events[i]
	c.events = slices.Delete(c.events, i, i+1)
	return e, true
}

// decode stores the arguments of an event.
func (e event) decode(t *testing.T, dst ...any) {
	t.Helper()
	for i := range dst {
		if err := json.Unmarshal(e.args[i], dst[i]); err != nil {
			t.Fatalf("%s, argument %d: %v", e.name, i, err)
		}
	}
}

func (c *client) send(id, name string, args []any) {
	c.t.Helper()
	var files []string
	for i := range args {
		args[i] = detach(args[i], &files)
	}
	payload, err := json.Marshal(append([]any{name}, args...))
	if err != nil {
		c.t.Fatal(err)
	}
	kind := "42"
	if len(files) > 0 {
		kind = fmt.Sprintf("45%d-", len(files))
	}
	c.post(strings.Join(append([]string{kind + id + string(payload)}, files...), "\x1e"))
}

// detach puts a placeholder where v has bytes and appends them to files.
func detach(v any, files *[]string) any {
	switch v := v.(type) {
	case []byte:
		*files = append(*files, "b"+base64.StdEncoding.EncodeToString(v))
		return map[string]any{"_placeholder": true, "num": len(*files) - 1}
	case map[string]any:
		for key := range v {
			v[key] = detach(v[key], files)
		}
	}
	return v
}

// read takes one packet in.
func (c *client) read() {
	c.t.Helper()
	p := c.packet()
	switch {
	case strings.HasPrefix(p, "42"), strings.HasPrefix(p, "45"):
		var e event
		if rest, binary := strings.CutPrefix(p, "45"); binary {
			count, _, _ := strings.Cut(rest, "-")
			n, _ := strconv.Atoi(count)
			for range n {
				file, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.packet(), "b"))
				if err != nil {
					c.t.Fatal(err)
				}
				e.files = append(e.files, file)
			}
		}
		if err := json.Unmarshal([]byte(p[strings.IndexByte(p, '['):]), &e.args); err != nil {
			c.t.Fatalf("%s: %v", p, err)
		}
		e.decode(c.t, &e.name)
		e.args = e.args[1:]
		c.events = append(c.events, e)
	case strings.HasPrefix(p, "43"):
		start := strings.IndexByte(p, '[')
		id, err := strconv.Atoi(p[2:start])
		if err != nil {
			c.t.Fatalf("%s: %v", p, err)
		}
		c.answers[id] = json.RawMessage(p[start:])
	case p == "6": // nothing
	default:
		c.t.Fatalf("the server sent %q", p)
	}
}

// packet returns the next packet, and polls first if need be.
func (c *client) packet() string {
	c.t.Helper()
	if len(c.packets) == 0 {
		if err := c.poll(); err != nil {
			c.t.Fatal(err)
		}
	}
	p := c.packets[0]
	c.packets = c.packets[1:]
	return p
}

// poll waits for packets of the server. It may be called in a goroutine.
func (c *client) poll() error {
	payload, err := body(c.http.Get(c.url))
	c.packets = append(c.packets, strings.Split(payload, "\x1e")...)
	return err
}

func (c *client) post(payload string) {
	c.t.Helper()
	if _, err := body(c.http.Post(c.url, "text/plain", strings.NewReader(payload))); err != nil {
		c.t.Fatal(err)
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
