package adaptertest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
)

// A client is in the namespace of the test. It uses polling, which needs only net/http.
type client struct {
	t      testing.TB
	name   string
	id     string
	socket *socketio.Socket // the server's socket
	http   *http.Client
	url    string
	prefix string // of the payloads of packets: "/namespace,"
	acks   int
	pid    string   // private id
	offset string   // of the last event, with recovery
	unread []string // packets
	probed bool     // the event that proves the subscription to a room has arrived
}

// probe is that event. Tests do not see it.
const probe = `["probe"]`

const separator = "\x1e"

// open opens a session with srv and joins the namespace.
func (srv *server) open(name, auth string) *client {
	srv.t.Helper()
	c := &client{t: srv.t, name: name, http: srv.net.Client, url: "http://server/socket.io/?EIO=4&transport=polling", prefix: srv.ns.Name() + ","}
	var open struct{ SID, PID string }
	if body := c.get(); !strings.HasPrefix(body, "0") || json.Unmarshal([]byte(body[1:]), &open) != nil {
		c.t.Fatalf("the session opened with %q", body)
	}
	c.url += "&sid=" + open.SID
	c.write("40" + c.prefix + auth)
	var before []string // a resumed session may begin with missed events
	packet := c.next()
	for ; !strings.HasPrefix(packet, "40"); packet = c.next() {
		before = append(before, packet)
	}
	c.unread = append(before, c.unread...)
	payload, ok := strings.CutPrefix(packet, "40"+c.prefix)
	if !ok || json.Unmarshal([]byte(payload), &open) != nil {
		c.t.Fatalf("the namespace was joined with %q", payload)
	}
	c.id, c.pid = open.SID, open.PID
	return c
}

// connect opens a session with srv and joins the namespace, and rooms.
func (srv *server) connect(name string, rooms ...string) *client {
	srv.t.Helper()
	c := srv.open(name, "")
	c.sync()
	var ok bool
	if c.socket, ok = srv.ns.LocalSocket(c.id); !ok {
		c.t.Fatalf("there is no socket %q", c.id)
	}
	if err := c.socket.Join(rooms...); err != nil {
		c.t.Fatal(err)
	}
	nameKey.Set(c.socket, name)
	return c
}

// nameKey is the key of the client's name among a socket's values.
const nameKey = socketio.Key[string]("name")

// sync waits until the server has handled what was written, and returns what was
// received before that.
func (c *client) sync() (before []string) {
	c.t.Helper()
	c.acks++
	c.write(fmt.Sprintf(`42%s%d["sync"]`, c.prefix, c.acks))
	response := fmt.Sprintf(`43%s%d[]`, c.prefix, c.acks)
	for packet := c.next(); packet != response; packet = c.next() {
		before = append(before, packet)
	}
	return before
}

// event returns the next event: its payload, followed by its binary data in hexadecimal.
func (c *client) event() string {
	c.t.Helper()
	e, id := c.request()
	if id != "" {
		c.t.Fatalf("%s: %s requests an ack", c.name, e)
	}
	return e
}

// request returns the next event, and the id for its ack.
func (c *client) request() (event, id string) {
	c.t.Helper()
	packet := c.next()
	head, payload, ok := strings.Cut(packet, c.prefix)
	var attachments int
	if _, err := fmt.Sscanf(head, "45%d-", &attachments); !ok || head != "42" && err != nil {
		c.t.Fatalf("%s has received %q", c.name, packet)
	}
	i := strings.IndexByte(payload, '[')
	event = payload[i:]
	for range attachments {
		encoded, _ := strings.CutPrefix(c.next(), "b")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			c.t.Fatal(err)
		}
		event += fmt.Sprintf(" %x", raw)
	}
	return event, payload[:i]
}

// respond sends an ack with JSON arguments.
func (c *client) respond(id, args string) { c.write("43" + c.prefix + id + args) }

// leave leaves the namespace.
func (c *client) leave() { c.write("41" + c.prefix) }

// next returns the next packet. It responds to heartbeats.
func (c *client) next() string {
	c.t.Helper()
	for {
		for len(c.unread) == 0 {
			c.unread = strings.Split(c.get(), separator)
		}
		packet := c.unread[0]
		c.unread = c.unread[1:]
		switch packet {
		case "2":
			c.write("3")
		case "42" + c.prefix + probe:
			c.probed = true
		case "6":
		default:
			return packet
		}
	}
}

func (c *client) get() string {
	c.t.Helper()
	body, err := c.do(http.MethodGet, "")
	if err != nil {
		c.t.Fatalf("%s waited in vain: %v", c.name, err)
	}
	return body
}

func (c *client) write(packet string) {
	c.t.Helper()
	if _, err := c.do(http.MethodPost, packet); err != nil {
		c.t.Fatalf("%s: writing %s: %v", c.name, packet, err)
	}
}

func (c *client) do(method, body string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, got)
	}
	return string(got), err
}

// inTime returns a context for a call that ends by itself.
func inTime() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), waitLimit)
}
