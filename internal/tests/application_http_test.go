package tests_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// httpPlaces are the requests, responses and connections that code around the server
// gives to it.
func httpPlaces() (list []place) {
	for _, method := range []string{"Header", "Write", "WriteHeader", "SetReadDeadline", "SetWriteDeadline", "FlushError"} {
		path := "" // a poll
		switch method {
		case "WriteHeader":
			path = "&sid=unknown" // a refusal
		}
		list = append(list, place{name: "response of a poll: " + method, own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return badWriter{w, http.NewResponseController(w), m, method}, r
		}), trigger: func(m *fault, _ *siotest.Client) { m.request(http.MethodGet, path, "") }})
	}
	list = append(list,
		place{name: "response of a handshake: Write", own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return badWriter{w, http.NewResponseController(w), m, "Write"}, r
		}), trigger: func(m *fault, _ *siotest.Client) { m.request(http.MethodGet, "&sid=", "") }},
		place{name: "response of a POST: Write", own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return badWriter{w, http.NewResponseController(w), m, "Write"}, r
		}), trigger: func(m *fault, _ *siotest.Client) { m.request(http.MethodPost, "", "40") }},
		place{name: "response of a WebSocket: Hijack", own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return badWriter{w, http.NewResponseController(w), m, "Hijack"}, r
		}), trigger: func(m *fault, _ *siotest.Client) { m.dial(m.front) }},
		place{name: "body of a POST: Read", own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			r.Body = badBody{r.Body, m}
			return w, r
		}), trigger: func(m *fault, _ *siotest.Client) { m.request(http.MethodPost, "", "40") }},
		place{name: "context of a poll: Done", own: true, install: wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return w, r.WithContext(badContext{r.Context(), m, "Done"})
		}), trigger: func(m *fault, _ *siotest.Client) { m.request(http.MethodGet, "", "") }},
	)
	list = append(list, place{name: "context of a socket's request: Value", install: func(m *fault, srv *siotest.Server) {
		wrapped(func(m *fault, w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return w, r.WithContext(badContext{r.Context(), m, "carried Value"})
		})(m, srv)
		srv.OnConnect(func(s *socketio.Socket) {
			m.carrying.Store(m.armed.Load())
			_ = s.Context().Value("session")
		})
	}, trigger: func(m *fault, _ *siotest.Client) {
		if ws := m.dial(m.front); ws != nil {
			_ = ws.WriteMessage(websocket.TextMessage, []byte("40"))
			<-m.done
			_ = ws.Close()
		}
	}})
	for _, method := range []string{"Read", "Write", "Close", "SetReadDeadline", "SetWriteDeadline"} {
		list = append(list, place{name: "connection of a WebSocket: " + method, install: func(m *fault, srv *siotest.Server) {
			front := httptest.NewUnstartedServer(srv.Server)
			front.Listener = badListener{front.Listener, m, method}
			front.Config.ErrorLog = log.New(io.Discard, "", 0)
			front.Start()
			m.t.Cleanup(front.Close)
			m.front = front.URL + "/socket.io/"
		}, trigger: func(m *fault, _ *siotest.Client) {
			ws := m.dial(m.front)
			if ws == nil {
				return
			}
			m.carrying.Store(true)
			_ = ws.WriteMessage(websocket.TextMessage, []byte("40"))
			_, _, _ = ws.ReadMessage()
			_ = ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
			_ = ws.SetReadDeadline(time.Now().Add(2 * time.Second))
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					break
				}
			}
			_ = ws.Close()
		}})
	}
	return list
}

// wrapped starts a server in front of the one under test, whose requests and responses
// are wrapped where a header asks for that.
func wrapped(wrap func(*fault, http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request)) func(*fault, *siotest.Server) {
	return func(m *fault, srv *siotest.Server) {
		front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Wrap") != "" {
				w, r = wrap(m, w, r)
			}
			srv.ServeHTTP(w, r)
		}))
		front.Config.ErrorLog = log.New(io.Discard, "", 0)
		front.Start()
		m.t.Cleanup(front.Close)
		m.front = front.URL + "/socket.io/"
	}
}

// request opens a session and sends a request for it that is wrapped.
func (m *fault) request(method, query, body string) {
	url := m.front + "?EIO=4&transport=polling"
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	resp, err := client.Get(url)
	if err != nil {
		return
	}
	open, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	var handshake struct{ SID string }
	_ = json.Unmarshal(bytes.TrimPrefix(open, []byte("0")), &handshake)
	if query == "" {
		query = "&sid=" + handshake.SID
	}
	if method == http.MethodGet { // so that there is something to read
		resp, err := client.Post(url+"&sid="+handshake.SID, "text/plain", strings.NewReader("40"))
		if err != nil {
			return
		}
		resp.Body.Close()
	}
	r, _ := http.NewRequest(method, url+strings.TrimSuffix(query, "&sid="), strings.NewReader(body))
	r.Header.Set("Wrap", "1")
	if resp, err := client.Do(r); err == nil {
		resp.Body.Close()
	}
}

// dial opens a WebSocket, or returns nil.
func (m *fault) dial(url string) *websocket.Conn {
	ws, resp, err := websocket.DefaultDialer.Dial(strings.Replace(url, "http", "ws", 1)+"?EIO=4&transport=websocket", http.Header{"Wrap": {"1"}})
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil
	}
	return ws
}

type badWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
	m  *fault
	in string
}

func (w badWriter) at(method string) {
	if w.in == method {
		w.m.strike()
	}
}

func (w badWriter) Header() http.Header         { w.at("Header"); return w.ResponseWriter.Header() }
func (w badWriter) WriteHeader(status int)      { w.at("WriteHeader"); w.ResponseWriter.WriteHeader(status) }
func (w badWriter) Write(p []byte) (int, error) { w.at("Write"); return w.ResponseWriter.Write(p) }
func (w badWriter) FlushError() error           { w.at("FlushError"); return w.rc.Flush() }
func (w badWriter) SetReadDeadline(t time.Time) error {
	w.at("SetReadDeadline")
	return w.rc.SetReadDeadline(t)
}
func (w badWriter) SetWriteDeadline(t time.Time) error {
	w.at("SetWriteDeadline")
	return w.rc.SetWriteDeadline(t)
}
func (w badWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.at("Hijack")
	return w.rc.Hijack()
}

type badBody struct {
	io.ReadCloser
	m *fault
}

func (b badBody) Read(p []byte) (int, error) { b.m.strike(); return b.ReadCloser.Read(p) }

type badListener struct {
	net.Listener
	m  *fault
	in string
}

func (l badListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return badConn{c, l.m, l.in}, nil
}

// A badConn misbehaves when its WebSocket is open.
type badConn struct {
	net.Conn
	m  *fault
	in string
}

func (c badConn) at(method string) {
	if c.in == method {
		c.m.strikeCarried()
	}
}

func (c badConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.at("Read")
	return n, err
}
func (c badConn) Write(p []byte) (int, error) { c.at("Write"); return c.Conn.Write(p) }
func (c badConn) Close() error                { err := c.Conn.Close(); c.at("Close"); return err }
func (c badConn) SetReadDeadline(t time.Time) error {
	c.at("SetReadDeadline")
	return c.Conn.SetReadDeadline(t)
}
func (c badConn) SetWriteDeadline(t time.Time) error {
	c.at("SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}
