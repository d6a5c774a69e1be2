package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/memnet"
)

// A response is the answer to an HTTP request.
type response struct {
	status int
	header http.Header
	body   string
	err    error
}

const endpoint = "http://example.com/engine.io/?"

// do sends a request and waits for the answer.
func (h *harness) do(method, query, body string, header ...string) response {
	h.Helper()
	return h.doContext(h.Context(), method, query, strings.NewReader(body), header...)
}

func (h *harness) doContext(ctx context.Context, method, query string, body io.Reader, header ...string) response {
	h.Helper()
	req, err := http.NewRequestWithContext(ctx, method, endpoint+query, body)
	if err != nil {
		h.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(b), err}
}

// wantRefused fails the test unless the last report is of a refusal that was
// answered like this.
func (h *harness) wantRefused(status int, body string) {
	h.Helper()
	got := h.reported()
	var e *engine.RefusedError
	if len(got) == 0 || !errors.As(got[len(got)-1], &e) {
		h.Errorf("reported %v, want a refusal", got)
		return
	}
	var answer struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil { // a response without a body
		answer.Code, answer.Message = e.Code, e.Message
	}
	if e.Status != status || e.Code != answer.Code || e.Message != answer.Message || e.Message == "" || e.Request == nil {
		h.Errorf("reported %+v, want status %d, %s", e, status, body)
	}
}

// wantRefusal fails the test unless r is Engine.IO's error object.
func (h *harness) wantRefusal(r response, status int, body string) {
	h.Helper()
	if r.err != nil || r.status != status || r.body != body {
		h.Errorf("answered %d %q, %v; want %d %q", r.status, r.body, r.err, status, body)
	}
	if body != "" && r.header.Get("Content-Type") != "application/json" {
		h.Errorf("a refusal of type %q", r.header.Get("Content-Type"))
	}
}

const (
	unknownTransport = `{"code":0,"message":"Transport unknown"}`
	unknownSession   = `{"code":1,"message":"Session ID unknown"}`
	badMethod        = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	forbidden        = `{"code":4,"message":"Forbidden"}`
	badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
)

// An opening is the content of an open packet.
type opening struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"`
	PingTimeout  int64    `json:"pingTimeout"`
	MaxPayload   int64    `json:"maxPayload"`
}

func (h *harness) parseOpen(packet string) (o opening) {
	h.Helper()
	if !strings.HasPrefix(packet, "0") {
		h.Fatalf("%q is no open packet", packet)
	}
	if err := json.Unmarshal([]byte(packet[1:]), &o); err != nil {
		h.Fatal(err)
	}
	return o
}

// A poller is a client that polls.
type poller struct {
	h   *harness
	sid string
	app *app
}

// poll opens a session by polling.
func (h *harness) poll() *poller {
	h.Helper()
	r := h.do("GET", "EIO=4&transport=polling", "")
	if r.err != nil || r.status != 200 {
		h.Fatalf("handshake: %+v", r)
	}
	return &poller{h, h.parseOpen(r.body).SID, h.last()}
}

func (p *poller) query() string { return "EIO=4&transport=polling&sid=" + p.sid }

// get polls.
func (p *poller) get() response {
	p.h.Helper()
	return p.h.do("GET", p.query(), "")
}

// wait polls on a goroutine of its own, and returns when the poll waits.
func (p *poller) wait() <-chan response { return p.waitContext(p.h.Context()) }

func (p *poller) waitContext(ctx context.Context) <-chan response {
	c := make(chan response, 1)
	go func() { c <- p.h.doContext(ctx, "GET", p.query(), nil) }()
	synctest.Wait()
	return c
}

func (p *poller) post(body string, header ...string) response {
	p.h.Helper()
	return p.h.do("POST", p.query(), body, header...)
}

// wantGet polls and fails the test if something else comes.
func (p *poller) wantGet(body string) {
	p.h.Helper()
	p.want(p.get(), 200, body)
}

func (p *poller) want(r response, status int, body string) {
	p.h.Helper()
	if r.err != nil || r.status != status || r.body != body {
		p.h.Errorf("answered %d %.100q, %v; want %d %.100q", r.status, r.body, r.err, status, body)
	}
}

func (p *poller) wantGone() {
	p.h.Helper()
	p.h.wantRefusal(p.get(), 400, unknownSession)
}

// A socket is a client with a WebSocket.
type socket struct {
	*websocket.Conn
	h   *harness
	app *app
}

// dialWebSocket opens a WebSocket on a connection, which may be nil for a new
// one.
func (h *harness) dialWebSocket(conn net.Conn, query string) (*socket, response) {
	h.Helper()
	if conn == nil {
		conn = h.dial()
	}
	dialer := websocket.Dialer{
		NetDialContext:    func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		EnableCompression: h.deflates,
	}
	ws, resp, err := dialer.DialContext(h.Context(), strings.Replace(endpoint, "http", "ws", 1)+query, nil)
	if err != nil {
		conn.Close()
		r := response{err: err}
		if resp != nil {
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			r = response{status: resp.StatusCode, header: resp.Header, body: string(b)}
		}
		return nil, r
	}
	h.Cleanup(func() { ws.Close() })
	return &socket{Conn: ws, h: h}, response{status: resp.StatusCode, header: resp.Header}
}

// ws opens a session by WebSocket.
func (h *harness) ws() *socket {
	h.Helper()
	return h.wsOn(nil)
}

func (h *harness) wsOn(conn net.Conn) *socket {
	h.Helper()
	ws, r := h.dialWebSocket(conn, "EIO=4&transport=websocket")
	if ws == nil {
		h.Fatalf("handshake: %+v", r)
	}
	kind, packet := ws.next()
	if kind != websocket.TextMessage {
		h.Fatalf("open packet of kind %d", kind)
	}
	ws.app = h.await(h.parseOpen(packet).SID)
	return ws
}

// candidate opens a WebSocket to upgrade p to.
func (p *poller) candidate() *socket {
	p.h.Helper()
	ws, r := p.h.dialWebSocket(nil, "EIO=4&transport=websocket&sid="+p.sid)
	if ws == nil {
		p.h.Fatalf("candidate: %+v", r)
	}
	ws.app = p.app
	return ws
}

// upgrade moves p to a WebSocket. No poll may be waiting.
func (p *poller) upgrade() *socket {
	p.h.Helper()
	ws := p.candidate()
	ws.send("2probe")
	ws.want("3probe")
	ws.send("5")
	synctest.Wait()
	return ws
}

// mem returns the client's end of the network connection.
func (ws *socket) mem() *memnet.Conn { return ws.NetConn().(*memnet.Conn) }

func (ws *socket) send(packet string) {
	ws.h.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		ws.h.Errorf("send %q: %v", packet, err)
	}
}

func (ws *socket) next() (kind int, data string) {
	ws.h.Helper()
	kind, b, err := ws.ReadMessage()
	if err != nil {
		ws.h.Fatal(err)
	}
	return kind, string(b)
}

// want reads text packets and fails the test if something else comes.
func (ws *socket) want(packets ...string) {
	ws.h.Helper()
	for _, want := range packets {
		kind, got, err := ws.ReadMessage()
		if err != nil || kind != websocket.TextMessage || string(got) != want {
			ws.h.Fatalf("read %d %.100q, %v; want %.100q", kind, got, err, want)
		}
	}
}

// wantClose fails the test unless a close frame comes next and then, within
// the given time, the end of the connection. The code is 1005 for a close
// frame without one. gorilla answers the frame.
func (ws *socket) wantClose(code int, within time.Duration) {
	ws.h.Helper()
	kind, got, err := ws.ReadMessage()
	var closeErr *websocket.CloseError
	if !errors.As(err, &closeErr) || closeErr.Code != code {
		ws.h.Errorf("read %d %.100q, %v; want a close frame with %d", kind, got, err, code)
		return
	}
	ws.wantEnd(within)
}

// wantEnd fails the test unless the connection ends within the given time,
// with or without a close frame. It closes the client's end.
func (ws *socket) wantEnd(within time.Duration) {
	ws.h.Helper()
	begin := time.Now()
	_ = ws.NetConn().SetReadDeadline(begin.Add(time.Hour))
	b, err := io.ReadAll(ws.NetConn())
	if err != nil || len(b) > 0 && string(b) != "\x88\x00" {
		ws.h.Errorf("read %.100q, %v, want the end", b, err)
	}
	if d := time.Since(begin); d > within {
		ws.h.Errorf("the connection ended after %v, want it within %v", d, within)
	}
	ws.Close()
}

// A raw connection speaks HTTP by hand, to be precise about what is sent when.
type raw struct {
	net.Conn
	h *harness
	r *bufio.Reader
}

func (h *harness) raw() *raw {
	h.Helper()
	c := h.dial()
	h.Cleanup(func() { c.Close() })
	return &raw{c, h, bufio.NewReader(c)}
}

func (c *raw) mem() *memnet.Conn { return c.Conn.(*memnet.Conn) }

func (c *raw) write(lines ...string) {
	c.h.Helper()
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")); err != nil {
		c.h.Error(err)
	}
}

func (c *raw) response() response {
	c.h.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(b), err}
}
