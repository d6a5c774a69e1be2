package protocol_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// A client sends and receives Engine.IO packets as they are written over
// polling, whatever its transport: a binary message is "b" and base64.
type client interface {
	send(packets ...string)
	next() string // the next packet
	ended()       // fails the test unless the server closes the session, sending nothing more

	// reportTo lets a subtest use a client that is older than itself.
	reportTo(t *testing.T)
}

// transports are the ways to open a session, for tests that hold on both.
var transports = []struct {
	name string
	open func(t *testing.T, h *host) client
}{
	{"polling", func(t *testing.T, h *host) client { return h.openPolling(t) }},
	{"websocket", func(t *testing.T, h *host) client { return h.openWebSocket(t) }},
}

// expect fails the test unless the next packets are these.
func expect(t *testing.T, c client, packets ...string) {
	t.Helper()
	for _, want := range packets {
		if got := c.next(); got != want {
			t.Fatalf("received %q, want %q", got, want)
		}
	}
}

// join connects to a namespace, "" being the main one, and returns the id of
// the socket.
func join(t *testing.T, c client, namespace string) string {
	t.Helper()
	prefix := "40"
	if namespace != "" {
		prefix += namespace + ","
	}
	c.send(prefix)
	answer := c.next()
	data, ok := strings.CutPrefix(answer, prefix)
	var welcome struct{ SID string }
	if err := json.Unmarshal([]byte(data), &welcome); !ok || err != nil || welcome.SID == "" {
		t.Fatalf("CONNECT was answered by %q", answer)
	}
	return welcome.SID
}

// echoes fails the test unless the server echoes an event, and sends nothing
// before the echo.
func echoes(t *testing.T, c client) {
	t.Helper()
	c.send(`42["message","still here"]`)
	expect(t, c, `42["message-back","still here"]`)
}

// matches fails the test unless got is of the given form.
func matches(t *testing.T, got, form string) {
	t.Helper()
	if !regexp.MustCompile("^" + form + "$").MatchString(got) {
		t.Fatalf("got %q, want a match of %s", got, form)
	}
}

// Bystanders are healthy clients, one on each transport, in two namespaces.
type bystanders []client

func (h *host) bystanders(t *testing.T) bystanders {
	t.Helper()
	var all bystanders
	for _, transport := range transports {
		c := transport.open(t, h)
		join(t, c, "")
		join(t, c, "/custom")
		all = append(all, c)
	}
	return all
}

// noticedNothing fails the test if a bystander was sent anything or is not
// served as before.
func (all bystanders) noticedNothing(t *testing.T) {
	t.Helper()
	for _, c := range all {
		c.reportTo(t)
		c.send(`42["message","fine"]`, `42/custom,7["message-with-ack","fine"]`)
		got := map[string]bool{c.next(): true, c.next(): true} // two namespaces: in any order
		if !got[`42["message-back","fine"]`] || !got[`43/custom,7["fine"]`] {
			t.Fatalf("a bystander received %v", got)
		}
	}
}
