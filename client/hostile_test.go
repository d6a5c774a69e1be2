package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/memnet"
)

const goodOpen = `0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// A hostile server does what script does over a WebSocket, after which it is
// silent until the client leaves.
func hostileSocket(t *testing.T, script func(ws *websocket.Conn)) (dial func(context.Context, string, string) (net.Conn, error)) {
	return hostileHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		script(ws)
		for {
			if _, _, err := ws.NextReader(); err != nil {
				return
			}
		}
	})
}

func hostileHTTP(t *testing.T, handler http.HandlerFunc) (dial func(context.Context, string, string) (net.Conn, error)) {
	srv := memnet.Serve(&http.Server{Handler: handler})
	t.Cleanup(func() { srv.Close() })
	return srv.DialContext
}

func text(ws *websocket.Conn, packets ...string) {
	for _, p := range packets {
		_ = ws.WriteMessage(websocket.TextMessage, []byte(p))
	}
}

// joins sends what makes the client a member.
func joins(ws *websocket.Conn) {
	text(ws, goodOpen)
	_, _, _ = ws.ReadMessage() // CONNECT
	text(ws, `40{"sid":"xyz"}`)
}

func TestHostileServer(t *testing.T) {
	big := strings.Repeat("x", 10<<20)
	scripts := map[string]func(ws *websocket.Conn){
		"nothing":                 func(*websocket.Conn) {},
		"an OPEN of 10 MB":        func(ws *websocket.Conn) { text(ws, `0{"sid":"`+big+`"}`) },
		"an OPEN that is no JSON": func(ws *websocket.Conn) { text(ws, `0{`) },
		"an OPEN without sid":     func(ws *websocket.Conn) { text(ws, `0{"pingInterval":1,"pingTimeout":1}`) },
		"a negative heartbeat":    func(ws *websocket.Conn) { text(ws, `0{"sid":"a","pingInterval":-1,"pingTimeout":1}`) },
		"an endless heartbeat":    func(ws *websocket.Conn) { text(ws, `0{"sid":"a","pingInterval":9e18,"pingTimeout":9e18}`) },
		"another first packet":    func(ws *websocket.Conn) { text(ws, `4hello`) },
		"binary first":            func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.BinaryMessage, []byte("0{}")) },
		"OPEN, then silence":      func(ws *websocket.Conn) { text(ws, goodOpen) },
		"OPEN twice":              func(ws *websocket.Conn) { text(ws, goodOpen, goodOpen) },
		"Socket.IO 2":             func(ws *websocket.Conn) { text(ws, goodOpen, `40`) },
		"CONNECT unasked":         func(ws *websocket.Conn) { text(ws, goodOpen, `40/other,{"sid":"x"}`) },
		"CONNECT twice":           func(ws *websocket.Conn) { joins(ws); text(ws, `40{"sid":"again"}`) },
		"CONNECT of 1 MB": func(ws *websocket.Conn) {
			text(ws, goodOpen)
			_, _, _ = ws.ReadMessage()
			text(ws, `40{"sid":"`+big[:1<<20]+`"}`)
		},
		"an event before CONNECT": func(ws *websocket.Conn) { text(ws, goodOpen, `42["x"]`) },
		"an event of nowhere":     func(ws *websocket.Conn) { joins(ws); text(ws, `42/nowhere,["x"]`, `43/nowhere,1[]`, `41/nowhere,`) },
		"an answer to nothing":    func(ws *websocket.Conn) { joins(ws); text(ws, `4399999["x"]`, `430[]`) },
		"a million attachments":   func(ws *websocket.Conn) { joins(ws); text(ws, `451000000-["x"]`) },
		"an attachment unasked":   func(ws *websocket.Conn) { joins(ws); _ = ws.WriteMessage(websocket.BinaryMessage, []byte("x")) },
		"text for an attachment":  func(ws *websocket.Conn) { joins(ws); text(ws, `451-["x",{"_placeholder":true,"num":0}]`, `42["y"]`) },
		"an attachment not sent":  func(ws *websocket.Conn) { joins(ws); text(ws, `451-["x",{"_placeholder":true,"num":0}]`) },
		"a wrong placeholder":     func(ws *websocket.Conn) { joins(ws); text(ws, `451-["x",{"_placeholder":true,"num":7}]`) },
		"JSON nested 10^5": func(ws *websocket.Conn) {
			joins(ws)
			text(ws, `42["x",`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+`]`)
		},
		"10^5 arguments":           func(ws *websocket.Conn) { joins(ws); text(ws, `42["x"`+strings.Repeat(",1", 1e5)+`]`) },
		"no JSON":                  func(ws *websocket.Conn) { joins(ws); text(ws, `42["x"`) },
		"no packet type":           func(ws *websocket.Conn) { joins(ws); text(ws, `49`) },
		"no Engine.IO packet type": func(ws *websocket.Conn) { joins(ws); text(ws, `x`) },
		"an empty packet":          func(ws *websocket.Conn) { joins(ws); text(ws, ``) },
		"text that is not UTF-8":   func(ws *websocket.Conn) { joins(ws); text(ws, "42[\"\xff\"]") },
		"a message of 20 MB":       func(ws *websocket.Conn) { joins(ws); text(ws, `42["`+big+big+`"]`) },
		"a flood of pings": func(ws *websocket.Conn) {
			joins(ws)
			for range 10000 {
				text(ws, "2")
				_ = ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second))
			}
		},
		"half a frame": func(ws *websocket.Conn) { joins(ws); _, _ = ws.NetConn().Write([]byte{0x81, 120, 'x'}) },
		"a masked frame": func(ws *websocket.Conn) {
			joins(ws)
			_, _ = ws.NetConn().Write([]byte{0x81, 0x81, 0, 0, 0, 0, '2'})
		},
		"a close frame": func(ws *websocket.Conn) {
			joins(ws)
			_ = ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
		},
		"the CLOSE packet": func(ws *websocket.Conn) { joins(ws); text(ws, "1") },
		"a refusal that is no JSON": func(ws *websocket.Conn) {
			text(ws, goodOpen)
			_, _, _ = ws.ReadMessage()
			text(ws, `44"no"`)
		},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := client.Options{Dial: hostileSocket(t, script), Logger: quiet, Transports: []socketio.Transport{socketio.WebSocket}}
				c, err := client.New("http://server", &opts)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				_ = c.Connect(ctx)
				_, _ = c.EmitWithAck(ctx, "question", "x")
				bubble.Sleep(time.Minute)
				c.Close()
				if err := c.Shutdown(t.Context()); err != nil && !errors.As(err, new(*client.UnsentError)) {
					t.Error(err)
				}
				s := c.Stats()
				if sum := s.Written + s.Pending + s.Buffered + s.Volatile + s.Dropped.Total(); sum != s.Emitted || s.Pending+s.Buffered != 0 {
					t.Errorf("not accounted for: %+v", s)
				}
			})
		})
	}
}

func TestHostilePolling(t *testing.T) {
	bomb := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(make([]byte, 20<<20))
		_ = z.Close()
		return b.Bytes()
	}()
	open := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("sid") == "" {
			_, _ = io.WriteString(w, goodOpen)
			return true
		}
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "ok")
			return true
		}
		return false
	}
	handlers := map[string]http.HandlerFunc{
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) },
		"404":                  http.NotFound,
		"a gzip bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		},
		"a gzip bomb for a poll": func(w http.ResponseWriter, r *http.Request) {
			if !open(w, r) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(bomb)
			}
		},
		"an endless response": func(w http.ResponseWriter, r *http.Request) {
			if !open(w, r) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						return
					}
				}
			}
		},
		"NOOP at once, for ever": func(w http.ResponseWriter, r *http.Request) {
			if !open(w, r) {
				_, _ = io.WriteString(w, "6")
			}
		},
		"empty responses": func(w http.ResponseWriter, r *http.Request) { _ = open(w, r) },
		"an upgrade that is offered and refused": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("transport") == "websocket" {
				http.Error(w, "no", http.StatusBadRequest)
				return
			}
			if !open(w, r) {
				<-r.Context().Done()
			}
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := client.Options{Dial: hostileHTTP(t, handler), Logger: quiet, MaxPayload: 1 << 20, Transports: []socketio.Transport{socketio.Polling, socketio.WebSocket}}
				c, err := client.New("http://server", &opts)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := c.Connect(ctx); err == nil {
					t.Error("connected to a hostile server")
				} else {
					t.Log(err)
				}
				c.Close()
				if err := c.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A server that accepts what is sent and never reads it.
func TestServerThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		dial := hostileHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			joins(ws)
			<-stop
		})
		c, err := client.New("http://server", &client.Options{Dial: dial, Logger: quiet, Transports: []socketio.Transport{socketio.WebSocket}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		reasons := make(chan socketio.Reason, 1)
		c.OnDisconnect(func(r socketio.Reason) { reasons <- r })
		var full error
		for range 10000 {
			if full = c.Emit("x", strings.Repeat("y", 1000)); full != nil {
				break
			}
		}
		if full != client.ErrBufferFull {
			t.Error(full)
		}
		if r := <-reasons; r != client.ReasonTransport {
			t.Error(r)
		}
		c.Close()
		close(stop)
		if err := c.Shutdown(t.Context()); !errors.As(err, new(*client.UnsentError)) {
			t.Error(err)
		}
	})
}
