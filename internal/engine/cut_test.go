package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/memnet"
)

// networkFaults are what may happen to a connection, at a place in one of its
// streams.
var networkFaults = []struct {
	name string
	fail func(c *memnet.Conn, s *memnet.Stream)
}{
	{"cut", func(c *memnet.Conn, _ *memnet.Stream) { c.Cut() }},
	{"frozen", func(c *memnet.Conn, _ *memnet.Stream) { c.Freeze() }},
	{"half-closed", func(_ *memnet.Conn, s *memnet.Stream) { s.End() }},
}

// The life of a session is lived once for each byte that goes either way, with
// the connection failing there.
func TestFailureAtEveryByte(t *testing.T) {
	t.Parallel()
	// What has been sent over the connections when nothing fails.
	var conns []*memnet.Conn
	synctest.Test(t, func(t *testing.T) {
		h := start(t, life(func(c *memnet.Conn) { conns = append(conns, c) }))
		defer h.stop()
		if err := live(h); err != nil {
			t.Fatal(err)
		}
		h.last().wantClosed(engine.TransportClose)
		h.last().wantGot("hello", "binary \x01\x02\x03", "bye")
	})
	for _, fault := range networkFaults {
		for i, conn := range conns {
			for _, direction := range []string{"up", "down"} {
				stream := func(c *memnet.Conn) *memnet.Stream {
					if direction == "up" {
						return c.Out()
					}
					return c.In()
				}
				t.Run(fmt.Sprintf("%s, connection %d, %s", fault.name, i, direction), func(t *testing.T) {
					t.Parallel()
					for n := range stream(conn).Sent() + 1 {
						synctest.Test(t, func(t *testing.T) {
							dialled := 0
							h := start(t, life(func(c *memnet.Conn) {
								if dialled == i {
									stream(c).At(n, func() { fault.fail(c, stream(c)) })
								}
								dialled++
							}))
							survive(h)
						})
						if t.Failed() {
							t.Fatalf("at byte %d", n)
						}
					}
				})
			}
		}
	}
}

// Until its upgrade packet has come as a whole, the candidate may be lost at
// any byte: polling goes on, and nothing of what was sent is lost.
func TestCandidateLostAtAnyByte(t *testing.T) {
	t.Parallel()
	// try has a candidate go as far as it comes.
	try := func(p *poller, conn *memnet.Conn) {
		deadline := time.Now().Add(time.Hour)
		conn.SetDeadline(deadline)
		ws, _ := p.h.dialWebSocket(keepOpen{conn}, "EIO=4&transport=websocket&sid="+p.sid)
		if ws == nil {
			return
		}
		conn.SetDeadline(deadline) // gorilla has lifted it
		if ws.WriteMessage(websocket.TextMessage, []byte("2probe")) != nil {
			return
		}
		if _, _, err := ws.ReadMessage(); err == nil {
			_ = ws.WriteMessage(websocket.TextMessage, []byte("5"))
		}
	}
	var up, down int64
	synctest.Test(t, func(t *testing.T) {
		h := start(t, setup{})
		defer h.stop()
		p, conn := h.poll(), h.dialMem()
		try(p, conn)
		synctest.Wait()
		up, down = conn.Out().Sent(), conn.In().Sent()
		if p.app.Transport() != engine.WebSocket {
			t.Fatal("there was no upgrade")
		}
	})
	for _, fault := range networkFaults {
		for direction, length := range map[string]int64{"up": up, "down": down} {
			t.Run(fault.name+", "+direction, func(t *testing.T) {
				t.Parallel()
				for n := range length {
					synctest.Test(t, func(t *testing.T) {
						h := start(t, setup{})
						defer h.stop()
						p, conn := h.poll(), h.dialMem()
						defer conn.Close()
						p.app.send("queued")
						stream := conn.Out()
						if direction == "down" {
							stream = conn.In()
						}
						stream.At(n, func() { fault.fail(conn, stream) })
						go try(p, conn)
						pass(pingInterval - time.Second) // longer than whatever the candidate may take
						p.stillPolls("queued")
					})
					if t.Failed() {
						t.Fatalf("at byte %d", n)
					}
				}
			})
		}
	}
}

// survive has a session live, and fails the test unless the server gets over
// its failure.
func survive(h *harness) {
	defer h.stop()
	err := live(h)
	pass(2 * (pingInterval + pingTimeout + writeTimeout))
	for _, a := range h.all() {
		if reasons := a.reasons(); len(reasons) != 1 {
			h.Errorf("closed: %q, want once; the client saw: %v", reasons, err)
		}
	}
	if got := h.reported(); len(got) > 0 { // networks fail all the time
		h.Errorf("reported %v; the client saw: %v", got, err)
	}
	if n := h.Len(); n > 0 {
		h.Errorf("%d sessions are left; the client saw: %v", n, err)
	}
	if n := h.Wait(canceled()); n > 0 {
		h.Errorf("%d requests or goroutines are left; the client saw: %v", n, err)
	}
}

func life(dialled func(*memnet.Conn)) setup {
	return setup{
		dialled: dialled,
		receive: func(a *app, turn *engine.Turn, data string, binary bool) {
			if turn != nil {
				turn.Begin()
				defer turn.End()
			}
			if !binary {
				a.Send(engine.NewMessage([]byte("re: "+data), [][]byte{{4, 5, 6}}), false)
			}
		},
	}
}

// live has a client handshake, poll, post, upgrade, send and receive binaries,
// and close. It returns at the first error, and leaves its connections then.
func live(h *harness) error {
	deadline := time.Now().Add(time.Hour)
	c := h.dialMem()
	h.Cleanup(func() { c.Close() })
	c.SetDeadline(deadline)
	r := bufio.NewReader(c)
	do := func(request string) (string, error) {
		if _, err := io.WriteString(c, request); err != nil {
			return "", err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		return string(b), err
	}
	opened, err := do("GET /?EIO=4&transport=polling HTTP/1.1\r\nHost:x\r\n\r\n")
	if err != nil {
		return err
	}
	query := "?EIO=4&transport=polling&sid=" + h.parseOpen(opened).SID
	if _, err := do("POST /" + query + " HTTP/1.1\r\nHost:x\r\nContent-Length:6\r\n\r\n4hello"); err != nil {
		return err
	}
	if got, err := do("GET /" + query + " HTTP/1.1\r\nHost:x\r\n\r\n"); err != nil || got != "4re: hello\x1ebBAUG" {
		return fmt.Errorf("polled %q, %w", got, err)
	}

	conn := h.dialMem()
	h.Cleanup(func() { conn.Close() })
	conn.SetDeadline(deadline)
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return keepOpen{conn}, nil }}
	ws, resp, err := dialer.DialContext(h.Context(), "ws://x/"+strings.Replace(query, "polling", "websocket", 1), nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	conn.SetDeadline(deadline) // gorilla has lifted it
	send := func(kind int, data string) {
		if err == nil {
			err = ws.WriteMessage(kind, []byte(data))
		}
	}
	read := func(want string) {
		var got []byte
		if err == nil {
			_, got, err = ws.ReadMessage()
		}
		if err == nil && string(got) != want {
			err = fmt.Errorf("read %q, want %q", got, want)
		}
	}
	send(websocket.TextMessage, "2probe")
	read("3probe")
	send(websocket.TextMessage, "5")
	send(websocket.BinaryMessage, "\x01\x02\x03")
	send(websocket.TextMessage, "4bye")
	read("4re: bye")
	read("\x04\x05\x06")
	send(websocket.CloseMessage, string(websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")))
	if err != nil {
		return err
	}
	if _, _, err = ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return err
	}
	return conn.Close()
}

// keepOpen keeps gorilla from closing a connection whose handshake failed.
type keepOpen struct{ net.Conn }

func (keepOpen) Close() error { return nil }
