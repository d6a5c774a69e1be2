package tests_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A socket's life is lived once for each byte that goes either way, with the
// connection failing there.
func TestFailureAtEveryByte(t *testing.T) {
	t.Parallel()
	// What has been sent over the connections when nothing fails.
	var conns []*memnet.Conn
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, func(c *memnet.Conn) { conns = append(conns, c) })
		if err := l.live(); err != nil {
			t.Fatal(err)
		}
		l.end(nil)
		siotest.WantEqual(t, "calls of OnConnect, handlers and callbacks", fmt.Sprint(l.connects.Load(), l.handled.Load(), l.answers.Load()), "1 2 1")
		siotest.WantEqual(t, "the end", <-l.srv.Disconnects, siotest.Disconnect{ID: l.id, Reason: socketio.ReasonClient})
	})
	for _, fault := range []struct {
		name string
		fail func(c *memnet.Conn, s *memnet.Stream)
	}{
		{"cut", func(c *memnet.Conn, _ *memnet.Stream) { c.Cut() }},
		{"frozen", func(c *memnet.Conn, _ *memnet.Stream) { c.Freeze() }},
		{"half-closed", func(_ *memnet.Conn, s *memnet.Stream) { s.End() }},
	} {
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
							l := newLife(t, func(c *memnet.Conn) {
								if dialled == i {
									stream(c).At(n, func() { fault.fail(c, stream(c)) })
								}
								dialled++
							})
							l.end(l.live())
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

// A life is that of one client, with what its server knows of it.
type life struct {
	t       *testing.T
	srv     *siotest.Server
	dialled func(*memnet.Conn)
	id      string // of the socket

	connects, disconnects, handled, asked, answers atomic.Int32
}

func newLife(t *testing.T, dialled func(*memnet.Conn)) *life {
	l := &life{t: t, srv: siotest.ServeInMemory(t, nil), dialled: dialled}
	l.srv.OnConnect(func(s *socketio.Socket) {
		l.connects.Add(1)
		s.Join("room", "another room")
	})
	l.srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { l.disconnects.Add(1) })
	l.srv.On("reverse", func(b []byte) []byte {
		l.handled.Add(1)
		return []byte{b[2], b[1], b[0]}
	})
	l.srv.On("ask", func(s *socketio.Socket) {
		l.handled.Add(1)
		if s.Emit("question", []byte{7}, func(args socketio.Args, err error) {
			var b []byte
			if err == nil && (args.Decode(&b) != nil || string(b) != "\x08") || err != nil && !errors.Is(err, socketio.ErrClosed) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the answer is %s, %v", args, err)
			}
			l.answers.Add(1)
			l.srv.To("room").Emit("thanks")
		}) == nil {
			l.asked.Add(1)
		}
	})
	return l
}

// dial opens a connection that the client leaves when the test ends.
func (l *life) dial() (*memnet.Conn, error) {
	conn, err := l.srv.Dial(l.t.Context(), "", "")
	if err != nil {
		return nil, err
	}
	c := conn.(*memnet.Conn)
	l.dialled(c)
	c.SetDeadline(time.Now().Add(time.Hour))
	l.t.Cleanup(func() {
		c.Thaw()
		c.Cut()
	})
	return c, nil
}

// live has a client join over polling, upgrade, ask and be asked with binary
// data, leave and close. It returns at the first error, and leaves its
// connections then.
func (l *life) live() error {
	c, err := l.dial()
	if err != nil {
		return err
	}
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
	const path = "/socket.io/?EIO=4&transport="
	opened, err := do("GET " + path + "polling HTTP/1.1\r\nHost:x\r\n\r\n")
	if err != nil {
		return err
	}
	var opening struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(opened, "0")), &opening); err != nil {
		return err
	}
	session := "&sid=" + opening.SID
	if _, err := do("POST " + path + "polling" + session + " HTTP/1.1\r\nHost:x\r\nContent-Length:2\r\n\r\n40"); err != nil {
		return err
	}
	joined, err := do("GET " + path + "polling" + session + " HTTP/1.1\r\nHost:x\r\n\r\n")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(joined, "40")), &opening); err != nil {
		return err
	}
	l.id = opening.SID

	conn, err := l.dial()
	if err != nil {
		return err
	}
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return keepOpen{conn}, nil }}
	ws, _, err := dialer.DialContext(l.t.Context(), "ws://x"+path+"websocket"+session, nil)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(time.Hour)) // gorilla has lifted it
	if err := l.talk(ws); err != nil {
		return err
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return err
	}
	return conn.Close()
}

// talk is what follows on the WebSocket. In "> text" the client sends, in
// "< text" it receives; what begins with b is binary.
func (l *life) talk(ws *websocket.Conn) error {
	for _, line := range []string{
		`> 2probe`, `< 3probe`, `> 5`,
		`> 451-7["reverse",{"_placeholder":true,"num":0}]`, `> b123`,
		`< 461-7[{"_placeholder":true,"num":0}]`, `< b321`,
		`> 42["ask"]`,
		`< 451-0["question",{"_placeholder":true,"num":0}]`, "< b\x07",
		`> 461-0[{"_placeholder":true,"num":0}]`, "> b\x08",
		`< 42["thanks"]`,
		`> 41`,
	} {
		sends, text := line[0] == '>', line[2:]
		kind := websocket.TextMessage
		if text[0] == 'b' {
			kind, text = websocket.BinaryMessage, text[1:]
		}
		if sends {
			if err := ws.WriteMessage(kind, []byte(text)); err != nil {
				return err
			}
			continue
		}
		gotKind, got, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		if gotKind != kind || string(got) != text {
			return fmt.Errorf("read %q, want %q", got, text)
		}
	}
	return ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// end fails the test unless the server has got over the client's end, which
// saw clientErr.
func (l *life) end(clientErr error) {
	bubble.Sleep(3 * time.Minute) // more than all timeouts together
	if got, want := l.disconnects.Load(), l.connects.Load(); got != want {
		l.t.Errorf("%d calls of OnDisconnect, %d of OnConnect; the client saw: %v", got, want, clientErr)
	}
	if got, want := l.answers.Load(), l.asked.Load(); got != want {
		l.t.Errorf("%d callbacks for %d questions; the client saw: %v", got, want, clientErr)
	}
	if st := l.srv.Stats(); st.Connections+st.Sockets+st.Rooms+int(st.QueuedBytes) > 0 || st.Panics > 0 {
		l.t.Errorf("left: %+v; the client saw: %v", st, clientErr)
	}
	if n := l.srv.Room("room").LocalLen(); n > 0 {
		l.t.Errorf("%d sockets are left in the room; the client saw: %v", n, clientErr)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	cancel()
	if err := l.srv.Shutdown(ctx); err != nil { // there is nothing to wait for
		l.t.Errorf("%v; the client saw: %v", err, clientErr)
	}
}

// keepOpen keeps gorilla from closing a connection whose handshake failed.
type keepOpen struct{ net.Conn }

func (keepOpen) Close() error { return nil }
