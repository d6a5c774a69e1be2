//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// A browser keeps cookies. Each has its own, as if on a machine of its own.
type browser struct {
	t      *testing.T
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	client *http.Client
}

// open opens the page.
func open(t *testing.T, socket string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	transport := &http.Transport{DialContext: b.dial}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Transport: transport, Jar: jar}
	if text, err := b.get(t.Context(), "/"); err != nil || !strings.Contains(text, "<title>Cluster</title>") {
		t.Fatalf("the page: %v\n%s", err, text)
	}
	return b
}

func (b *browser) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://cluster"+path, nil)
	if err != nil {
		return "", err
	}
	return b.do(r)
}

func (b *browser) post(ctx context.Context, path, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cluster"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	_, err = b.do(r)
	return err
}

func (b *browser) do(r *http.Request) (string, error) {
	response, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// A person is in the chat, by polling alone or by WebSocket alone.
type person struct {
	t      *testing.T
	name   string
	server string                    // that the person is on
	send   func(packet string) error // to the server
	events chan []json.RawMessage    // from the server: name and arguments
	acks   chan []json.RawMessage    // answers
	end    func()                    // leaves
	gone   chan struct{}             // closed when the connection is lost
}

// enter joins the chat.
func (b *browser) enter(name string, webSocket bool) *person {
	b.t.Helper()
	p := &person{t: b.t, name: name, events: make(chan []json.RawMessage, 1000), acks: make(chan []json.RawMessage, 10), gone: make(chan struct{})}
	connect := b.poll
	if webSocket {
		connect = b.socket
	}
	connect(p)
	p.emit("420", "enter", name)
	select {
	case answer := <-p.acks:
		if err := json.Unmarshal(answer[0], &p.server); err != nil {
			b.t.Fatalf("%s: enter: %s", name, answer)
		}
	case <-p.gone:
		b.t.Fatalf("%s: the connection is lost", name)
	}
	return p
}

// poll reads for p by polling until the session ends. All requests have to reach
// the same server.
func (b *browser) poll(p *person) {
	ctx, cancel := context.WithCancel(b.t.Context())
	const path = "/socket.io/?EIO=4&transport=polling"
	hello, err := b.get(ctx, path)
	var session struct{ SID string }
	if err != nil || json.Unmarshal([]byte(strings.TrimPrefix(hello, "0")), &session) != nil {
		b.t.Fatalf("handshake: %v: %s", err, hello)
	}
	in := path + "&sid=" + session.SID
	p.send = func(packet string) error { return b.post(ctx, in, packet) }
	if err := p.send("40"); err != nil {
		b.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { // ends with ctx, or the session
		defer close(p.gone)
		for {
			payload, err := b.get(ctx, in)
			if err != nil {
				return
			}
			for packet := range strings.SplitSeq(payload, "\x1e") {
				p.receive(packet)
			}
		}
	})
	p.end = func() { cancel(); reading.Wait() }
	b.t.Cleanup(p.end)
}

// socket reads for p by WebSocket until the connection ends.
func (b *browser) socket(p *person) {
	dialer := websocket.Dialer{NetDialContext: b.dial, Jar: b.client.Jar}
	ws, _, err := dialer.DialContext(b.t.Context(), "ws://cluster/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	var writing sync.Mutex
	p.send = func(packet string) error {
		writing.Lock()
		defer writing.Unlock()
		return ws.WriteMessage(websocket.TextMessage, []byte(packet))
	}
	if err := p.send("40"); err != nil {
		b.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { // ends with ws
		defer close(p.gone)
		for {
			_, packet, err := ws.ReadMessage()
			if err != nil {
				return
			}
			p.receive(string(packet))
		}
	})
	p.end = func() { ws.Close(); reading.Wait() }
	b.t.Cleanup(p.end)
}

// receive handles one Engine.IO packet.
func (p *person) receive(packet string) {
	var to chan []json.RawMessage
	switch {
	case packet == "2":
		_ = p.send("3")
		return
	case strings.HasPrefix(packet, "42["):
		to = p.events
	case strings.HasPrefix(packet, "43"):
		to = p.acks
	default:
		return
	}
	var args []json.RawMessage
	if json.Unmarshal([]byte(packet[strings.IndexByte(packet, '['):]), &args) == nil {
		to <- args
	}
}

func (p *person) emit(head string, args ...any) {
	p.t.Helper()
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(args); err != nil {
		p.t.Fatal(err)
	}
	if err := p.send(head + strings.TrimSpace(b.String())); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *person) say(text string) { p.emit("42", "say", text) }

// crash ends the server that p is on, perhaps before it has answered.
func (p *person) crash() {
	_ = p.send(`42["crash","` + p.name + `"]`)
	<-p.gone
}

// await returns the first event of this name whose argument is wanted.
func await[T any](p *person, event string, wanted func(T) bool) {
	p.t.Helper()
	for {
		select {
		case args := <-p.events:
			var name string
			var v T
			if json.Unmarshal(args[0], &name) == nil && name == event && json.Unmarshal(args[1], &v) == nil && wanted(v) {
				return
			}
		case <-p.gone:
			p.t.Fatalf("%s: the connection is lost", p.name)
		}
	}
}

// hears waits for a message.
func (p *person) hears(from *person, text string) {
	p.t.Helper()
	await(p, "said", func(m Message) bool {
		return m.Text == text && m.From.Name == from.name && m.From.Server == from.server
	})
}

// sees waits until exactly these people are known to be there.
func (p *person) sees(people ...*person) {
	p.t.Helper()
	await(p, "here", func(servers []Server) bool {
		n := 0
		for _, s := range servers {
			n += len(s.People)
			for _, q := range people {
				if q.server == s.Name && !s.has(q.name) {
					return false
				}
			}
		}
		return n == len(people)
	})
}

func (s Server) has(name string) bool {
	for _, p := range s.People {
		if p.Name == name {
			return true
		}
	}
	return false
}
