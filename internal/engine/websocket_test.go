package engine_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/engine"
)

// rawFrame returns a masked frame as a client sends it. The mask is zero.
func rawFrame(head byte, payload string) string {
	b := []byte{head}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return string(append(b, 0, 0, 0, 0)) + payload
}

const (
	final  = 0x80
	text   = 0x1
	binry  = 0x2
	closes = 0x8
	pings  = 0x9
	pongs  = 0xa
)

// write writes bytes below the WebSocket.
func (ws *socket) write(b string) {
	ws.h.Helper()
	if _, err := io.WriteString(ws.NetConn(), b); err != nil {
		ws.h.Error(err)
	}
}

func TestWebSocketReads(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("x", maxPayload-1)
	for _, test := range []struct {
		name string
		in   string
		got  []string
	}{
		{"a text message", rawFrame(final|text, "4hello"), []string{"hello"}},
		{"an empty text message", rawFrame(final|text, "4"), []string{""}},
		{"a binary message", rawFrame(final|binry, "\x00\xff"), []string{"binary \x00\xff"}},
		{"an empty binary message", rawFrame(final|binry, ""), []string{"binary "}},
		{"a binary message in base64", rawFrame(final|text, "bAQID"), []string{"binary \x01\x02\x03"}},
		{"a message in fragments", rawFrame(text, "4he") + rawFrame(0, "") + rawFrame(final, "llo"), []string{"hello"}},
		{"a character split between fragments", rawFrame(text, "4\xe4") + rawFrame(final, "\xb8\x96"), []string{"世"}},
		{"a ping between fragments", rawFrame(text, "4he") + rawFrame(final|pings, "") + rawFrame(final, "llo"), []string{"hello"}},
		{"a stray pong", rawFrame(final|pongs, "x") + rawFrame(final|text, "4a"), []string{"a"}},
		{"messages in order", rawFrame(final|text, "4a") + rawFrame(final|binry, "b") + rawFrame(final|text, "4c"), []string{"a", "binary b", "c"}},
		{"as much as is allowed", rawFrame(final|text, "4"+full), []string{full}},
		{"as much as is allowed in fragments", rawFrame(text, "4"+full[:500]) + rawFrame(final, full[500:]), []string{full}},
		{
			"packets that mean nothing here",
			rawFrame(final|text, "0") + rawFrame(final|text, "1") + rawFrame(final|text, "3") + rawFrame(final|text, "3probe") +
				rawFrame(final|text, "5") + rawFrame(final|text, "6") + rawFrame(final|text, "4a"),
			[]string{"a"},
		},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			ws := h.ws()
			ws.write(test.in)
			ws.app.wantGot(test.got...)
			ws.app.wantOpen()
		})
		if len(test.in) > maxPayload/2 {
			continue
		}
		specify(t, test.name+", byte by byte", setup{}, func(h *harness) {
			ws := h.ws()
			for i := range len(test.in) {
				ws.write(test.in[i : i+1])
				synctest.Wait()
			}
			ws.app.wantGot(test.got...)
			ws.app.wantOpen()
		})
	}
}

// Whoever breaks the protocol gets a close frame, then the end. What came
// before is handled, what comes behind is not.
func TestWebSocketGarbage(t *testing.T) {
	t.Parallel()
	fragments := rawFrame(text, "4") + strings.Repeat(rawFrame(0, strings.Repeat("x", 10)), maxPayload/10)
	for _, test := range []struct {
		name   string
		in     string
		code   int
		reason engine.Reason
	}{
		{"an empty packet", rawFrame(final|text, ""), 1005, engine.ParseError},
		{"an unknown type", rawFrame(final|text, "7"), 1005, engine.ParseError},
		{"no packet", rawFrame(final|text, "x"), 1005, engine.ParseError},
		{"no packet, not ASCII", rawFrame(final|text, "é"), 1005, engine.ParseError},
		{"a ping", rawFrame(final|text, "2"), 1005, engine.ParseError},
		{"a probe", rawFrame(final|text, "2probe"), 1005, engine.ParseError},
		{"invalid base64", rawFrame(final|text, "b!"), 1005, engine.ParseError},
		{"invalid UTF-8", rawFrame(final|text, "4\xff"), 1007, engine.TransportError},
		{"a message too large", rawFrame(final|text, "4"+strings.Repeat("x", maxPayload)), 1009, engine.TransportError},
		{"a binary message too large", rawFrame(final|binry, strings.Repeat("x", maxPayload+1)), 1009, engine.TransportError},
		{"many fragments that are too large together", fragments, 1009, engine.TransportError},
		{"a length of 2⁶³-1", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009, engine.TransportError},
		{"fragments whose lengths overflow", rawFrame(text, "4") + "\x00\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009, engine.TransportError},
		{"a length of 2⁶³", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 1009, engine.TransportError},
		{"an unmasked frame", "\x81\x014", 1002, engine.TransportError},
		{"a reserved bit", rawFrame(final|0x40|text, "4"), 1002, engine.TransportError},
		{"a reserved opcode", rawFrame(final|0x3, "4"), 1002, engine.TransportError},
		{"a continuation of nothing", rawFrame(final, "4"), 1002, engine.TransportError},
		{"a message inside another", rawFrame(text, "4") + rawFrame(final|text, "4"), 1002, engine.TransportError},
		{"a fragmented ping", rawFrame(pings, ""), 1002, engine.TransportError},
		{"a ping of 126 bytes", rawFrame(final|pings, strings.Repeat("x", 126)), 1002, engine.TransportError},
		{"a close frame with a code that is not to be sent", rawFrame(final|closes, "\x03\xee"), 1002, engine.TransportError},
		{"a close frame with a text that is not UTF-8", rawFrame(final|closes, "\x03\xe8\xff"), 1002, engine.TransportError},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			healthy := h.ws()
			ws := h.ws()
			ws.app.send("queued")
			ws.write(rawFrame(final|text, "4before") + test.in + rawFrame(final|text, "4behind"))
			ws.want("4queued")
			ws.wantClose(test.code, 0)
			ws.app.wantGot("before")
			ws.app.wantClosed(test.reason)
			var violation *engine.ViolationError
			got := h.reported()
			if told := len(got) == 1 && errors.As(got[0], &violation); told != (test.reason == engine.ParseError || test.code == 1009) {
				h.Errorf("reported %v", got)
			}
			healthy.send("4alive")
			healthy.app.wantGot("alive")
		})
	}
}

func TestPingFrames(t *testing.T) {
	t.Parallel()
	specify(t, "a ping is answered", setup{}, func(h *harness) {
		ws := h.ws()
		var got []string
		ws.SetPongHandler(func(data string) error { got = append(got, data); return nil })
		for i := range 3 {
			ws.write(rawFrame(final|pings, fmt.Sprint("p", i)))
			synctest.Wait()
		}
		ws.app.send("end")
		ws.want("4end")
		if !slices.Equal(got, []string{"p0", "p1", "p2"}) {
			h.Errorf("pongs %q", got)
		}
	})
	specify(t, "a flood of them by one pong, the last", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		const n = 1000
		ws.app.send("first") // is being written
		synctest.Wait()
		for i := range n {
			ws.write(rawFrame(final|pings, fmt.Sprintf("%0125d", i)))
		}
		synctest.Wait()
		if queued := ws.app.Queued(); queued > 200 {
			h.Errorf("%d bytes are queued", queued)
		}
		var got []string
		ws.SetPongHandler(func(data string) error { got = append(got, data); return nil })
		ws.mem().In().SetCapacity(1 << 20)
		ws.want("4first")
		ws.app.send("end")
		ws.want("4end")
		if len(got) != 1 || got[0] != fmt.Sprintf("%0125d", n-1) {
			h.Errorf("pongs %q", got)
		}
	})
	specify(t, "a flood by a client that never reads ends the session", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.write(strings.Repeat(rawFrame(final|pings, ""), 1000))
		pass(writeTimeout)
		ws.app.wantClosed(engine.SlowClient)
	})
}

func TestWebSocketClientCloses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		sent string
		code int
	}{
		{"with a code", rawFrame(final|closes, "\x03\xe8"), 1000},
		{"with a code of its own", rawFrame(final|closes, "\x0f\xa0bye"), 4000},
		{"without a code", rawFrame(final|closes, ""), 1005},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			ws := h.ws()
			ws.app.send("queued")
			synctest.Wait()
			ws.write(rawFrame(final|text, "4bye") + test.sent)
			ws.want("4queued")
			ws.wantClose(test.code, 0)
			ws.app.wantGot("bye")
			ws.app.wantClosed(engine.TransportClose)
		})
	}
	for _, test := range []struct {
		name string
		act  func(ws *socket)
	}{
		{"the connection", func(ws *socket) { ws.Close() }},
		{"its half of the connection", func(ws *socket) { ws.mem().CloseWrite() }},
		{"nothing, the connection is reset", func(ws *socket) { ws.mem().Cut() }},
		{"the connection, in the middle of a frame", func(ws *socket) { ws.write("\x81"); ws.Close() }},
		{"the connection, in the middle of a message", func(ws *socket) { ws.write(rawFrame(text, "4")); ws.Close() }},
	} {
		specify(t, test.name, setup{}, func(h *harness) {
			ws := h.ws()
			ws.send("4bye")
			test.act(ws)
			ws.app.wantGot("bye")
			ws.app.wantClosed(engine.TransportClose)
		})
	}
	specify(t, "while the server writes", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		ws.app.send(strings.Repeat("x", 1<<18))
		synctest.Wait()
		ws.Close()
		ws.app.wantClosed(engine.TransportClose)
	})
	specify(t, "and stays connected", setup{}, func(h *harness) {
		ws := h.ws()
		ws.write(rawFrame(final|closes, "\x03\xe8"))
		pass(closeWait)
		ws.app.wantClosed(engine.TransportClose)
	})
}

func TestWebSocketServerCloses(t *testing.T) {
	t.Parallel()
	specify(t, "and the client answers", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.send("a")
		if !ws.app.Close(engine.ForcedClose) || ws.app.Close(engine.ParseError) {
			h.Error("only the first close is the first")
		}
		if err := ws.app.send("b"); !errors.Is(err, engine.ErrClosed) {
			h.Errorf("sent to a closing session: %v", err)
		}
		ws.want("4a")
		ws.wantClose(1005, 0)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "and the client does not answer", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.Close(engine.ForcedClose)
		ws.app.wantReason(engine.ForcedClose)
		pass(closeWait)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "and the client does not read", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.app.send("never read")
		ws.app.Close(engine.ForcedClose)
		ws.app.wantReason(engine.ForcedClose)
		pass(writeTimeout - 1)
		if h.Len() != 1 {
			h.Error("the session is gone before WriteTimeout")
		}
		pass(1)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "and the client reads slowly", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		ws := h.ws()
		large := strings.Repeat("x", 1<<18)
		ws.mem().In().SetRate(1 << 15) // takes 8 s
		ws.app.send(large)
		ws.app.Close(engine.ForcedClose)
		ws.want("4" + large)
		ws.wantClose(1005, time.Second)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "and nothing follows the close frame", setup{}, func(h *harness) {
		ws := h.ws()
		ws.mem().In().SetCapacity(0)
		ws.app.Close(engine.ForcedClose)
		ws.write(rawFrame(final|pings, "x"))
		synctest.Wait()
		ws.mem().In().SetCapacity(100)
		if b, err := io.ReadAll(ws.NetConn()); string(b) != "\x88\x00" || err != nil {
			h.Errorf("read %q, %v", b, err)
		}
	})
	specify(t, "and what the client sends meanwhile does no harm", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.Close(engine.ForcedClose)
		for _, in := range []string{rawFrame(final|text, "4x"), rawFrame(final|text, "2"), rawFrame(final|text, "7"), "\xff\xff"} {
			ws.write(in)
			synctest.Wait()
		}
		ws.Close()
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "at once", setup{}, func(h *harness) {
		ws := h.ws()
		ws.app.Discard(engine.ForcedClose)
		ws.wantEnd(0)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "from its receiver, in a turn", setup{receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
		turn.Begin()
		a.send("bye")
		a.Close(engine.ForcedClose)
		turn.End()
	}}, func(h *harness) {
		ws := h.ws()
		ws.send("4a")
		ws.want("4bye")
		ws.wantClose(1005, 0)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "at once, from its receiver, before its first turn", setup{receive: func(a *app, turn *engine.Turn, _ string, _ bool) {
		a.Discard(engine.ForcedClose)
		turn.Begin()
		turn.End()
	}}, func(h *harness) {
		ws := h.ws()
		ws.send("4a")
		ws.wantEnd(0)
		ws.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "just when a heartbeat is due", setup{}, func(h *harness) {
		var wg sync.WaitGroup
		for range 200 {
			ws := h.ws()
			time.AfterFunc(pingInterval, func() {
				ws.app.send("a")
				ws.app.Close(engine.ForcedClose)
			})
			wg.Go(func() {
				var packets []string
				for {
					_, b, err := ws.ReadMessage()
					if err != nil {
						break
					}
					packets = append(packets, string(b))
				}
				if !slices.Contains(packets, "4a") {
					h.Errorf("what was sent before is lost: %q", packets)
				}
				ws.Close()
			})
		}
		wg.Wait()
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS13}
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			echoed := make(chan struct{}, 1)
			h := start(t, setup{
				listen: func(tb testing.TB) net.Listener { return tls.NewListener(listenTCP(tb), config) },
				receive: func(a *app, turn *engine.Turn, data string, _ bool) {
					if turn != nil {
						turn.Begin()
						defer turn.End()
					}
					a.send(data)
					echoed <- struct{}{}
				},
			})
			defer h.stop()
			plain := h.dial
			h.dial = func() net.Conn { return tls.Client(plain(), &tls.Config{InsecureSkipVerify: true}) }
			if transport == "polling" {
				p := h.poll()
				p.want(p.post("4hello"), 200, "ok")
				p.wantGet("4hello")
				return
			}
			ws := h.ws()
			if r := ws.app.Request(); r.TLS == nil {
				t.Error("not known to be TLS")
			}
			ws.send("4hello")
			<-echoed
			ws.want("4hello")
			ws.app.Close(engine.ForcedClose)
			ws.wantClose(1005, time.Second)
		})
	}
}

// A client that offers subprotocols fails if none is selected.
func TestSubprotocols(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ offers, selected string }{
		{"", ""},
		{"Sec-WebSocket-Protocol: chat\r\n", "chat"},
		{"Sec-WebSocket-Protocol: v2.chat, chat\r\n", "v2.chat"},
		{"Sec-WebSocket-Protocol:  a ,b\r\nSec-WebSocket-Protocol: c\r\n", "a"},
	} {
		for _, upgrade := range []bool{false, true} {
			specify(t, fmt.Sprintf("%q, upgrade %t", test.offers, upgrade), setup{}, func(h *harness) {
				query := "EIO=4&transport=websocket"
				if upgrade {
					query += "&sid=" + h.poll().sid
				}
				c := h.raw()
				c.write("GET /engine.io/?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n" + test.offers + "\r\n")
				resp, err := http.ReadResponse(c.r, nil)
				if err != nil {
					h.Fatal(err)
				}
				if got := resp.Header.Values("Sec-WebSocket-Protocol"); resp.StatusCode != 101 || strings.Join(got, ";") != test.selected {
					h.Errorf("answered %d with %q, want %q", resp.StatusCode, got, test.selected)
				}
			})
		}
	}
}

// The open packet has a write of its own: some clients drop what they read
// together with the response.
func TestOpenPacketHasAWriteOfItsOwn(t *testing.T) {
	t.Parallel()
	specify(t, "behind the response", setup{}, func(h *harness) {
		r := httptest.NewRequest("GET", "/?EIO=4&transport=websocket", nil)
		for key, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket",
			"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
		} {
			r.Header.Set(key, value)
		}
		client, server := net.Pipe()
		defer client.Close()
		w := &hijacked{httptest.NewRecorder(), server}
		go h.ServeHTTP(w, r)
		buf := make([]byte, 4096)
		for _, want := range []string{"HTTP/1.1 101 ", "\x81"} {
			n, err := client.Read(buf) // of one write, as a pipe keeps them apart
			if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, want) || strings.Count(got, `"sid"`) != strings.Count(want, "\x81") {
				h.Errorf("read %q, %v", got, err)
			}
		}
	})
}

// A hijacked is a ResponseWriter whose connection can be taken over.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (w *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}
