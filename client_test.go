package socketio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/memnet"
)

// patience is how long a test waits for what must happen before it gives up.
const patience = 20 * time.Second

// The transports a client is tested with.
const (
	webSocket = "websocket"
	polling   = "polling"
)

// onEachTransport runs a test once for each transport.
func onEachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	t.Helper()
	for _, transport := range []string{webSocket, polling} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, transport)
		})
	}
}

// A testServer is a server under test.
type testServer struct {
	*socketio.Server
	url    string     // of the endpoint, "http://127.0.0.1:1234/socket.io/"
	errors chan error // what OnError was told
	left   chan departure
	http   *http.Client  // reaches the server
	wait   time.Duration // the patience of its clients
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
}

// A departure is a call of OnDisconnect in the default namespace.
type departure struct {
	id     string
	reason socketio.Reason
}

// serve starts a server on the loopback interface. It answers "echo" with its
// arguments, and anything asked of "sync" with nothing. When the test ends it
// must close without leaving anything behind.
func serve(t *testing.T, opts *socketio.Options) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, opts, l, new(net.Dialer).DialContext)
}

// serveInMemory is serve for a bubble of testing/synctest.
func serveInMemory(t *testing.T, opts *socketio.Options) *testServer {
	t.Helper()
	l := memnet.Listen()
	srv := serveOn(t, opts, l, l.DialContext)
	srv.wait = time.Hour // of the bubble
	return srv
}

func serveOn(t *testing.T, opts *socketio.Options, l net.Listener, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *testServer {
	t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	srv := &testServer{errors: make(chan error, 1000), left: make(chan departure, 1000), wait: patience, dial: dial}
	told := o.OnError
	o.OnError = func(s *socketio.Socket, err error) {
		if told != nil {
			told(s, err)
		}
		select {
		case srv.errors <- err:
		default: // nobody wants that many
		}
	}
	srv.Server = socketio.NewServer(&o)
	srv.On("echo", func(args socketio.Args) socketio.Args { return args })
	srv.On("sync", func() {})
	srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		select {
		case srv.left <- departure{s.ID(), reason}:
		default:
		}
	})

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv.Server)
	hs := &httptest.Server{
		Listener: l,
		Config:   &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)},
	}
	hs.Start()
	srv.url = hs.URL + "/socket.io/"
	transport := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100}
	srv.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		} else if m := srv.Stats().Messages; m.Pending != 0 || !balanced(m) {
			t.Errorf("messages are not accounted for: %+v", m)
		}
		hs.Close()
		transport.CloseIdleConnections()
	})
	return srv
}

// balanced reports whether every message is accounted for.
func balanced(m socketio.MessageStats) bool {
	return m.Emitted == m.Written+m.Pending+m.DroppedVolatile+m.DroppedSlow+m.DroppedClosed
}

// held is what a server counts, but for the messages that it has sent and the
// requests that it has refused.
func held(srv *testServer) socketio.Stats {
	st := srv.Stats()
	st.Messages = socketio.MessageStats{}
	st.Refused = socketio.RefusedStats{}
	return st
}

// wantError returns the next error that OnError was told, which must be an E.
func wantError[E error](t *testing.T, srv *testServer) E {
	t.Helper()
	err := receive(t, srv.errors)
	var want E
	if !errors.As(err, &want) {
		t.Fatalf("OnError was told %T %v, want %T", err, err, want)
	}
	return want
}

// pass lets time pass in a bubble, while c answers heartbeats.
func (srv *testServer) pass(c *client, d time.Duration) {
	c.t.Helper()
	time.AfterFunc(d, func() { srv.Emit("time passed") })
	c.want(`42["time passed"]`)
}

// wantLeft checks how the next socket leaves "/".
func (srv *testServer) wantLeft(t testing.TB, id string, reason socketio.Reason) {
	t.Helper()
	wantEqual(t, "who left, and why", receive(t, srv.left), departure{id, reason})
}

// receive returns what comes from ch.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// wantEqual compares what a test is about.
func wantEqual[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A client may be read and written to by two goroutines. It speaks in Engine.IO packets as they are on the wire: a
// string is a text packet, such as `42["hello"]`, a []byte a binary message.
type client struct {
	t    testing.TB
	wire wire
	acks int
}

// conn is the connection of a WebSocket client in memory.
func (c *client) conn() *memnet.Conn {
	return c.wire.(*socketWire).ws.NetConn().(*memnet.Conn)
}

// A wire is a transport seen from the client.
type wire interface {
	write(packets ...any) error
	read() (packet any, err error)
	close()
}

// open opens a session, without joining a namespace.
func (srv *testServer) open(t testing.TB, transport string, header ...http.Header) *client {
	t.Helper()
	h := make(http.Header)
	for _, more := range header {
		for k, v := range more {
			h[k] = v
		}
	}
	c := &client{t: t}
	if transport == webSocket {
		c.wire = srv.openWebSocket(t, srv.url+"?EIO=4&transport=websocket", h)
		packet := c.read()
		if text, ok := packet.(string); !ok || !strings.HasPrefix(text, `0{"sid":"`) {
			t.Fatalf("the session opened with %s", show(packet))
		}
	} else {
		w := srv.openPolling(t, h)
		c.wire = w
		if transport == upgrading {
			c.wire = newUpgradingWire(srv, w)
		}
	}
	t.Cleanup(c.wire.close)
	return c
}

// join opens a session and joins "/".
func (srv *testServer) join(t testing.TB, transport string) *client {
	t.Helper()
	c := srv.open(t, transport)
	c.join("/", "")
	return c
}

// join joins a namespace and returns the socket's id. auth is JSON or empty.
func (c *client) join(namespace, auth string) (id string) {
	c.t.Helper()
	head := "40"
	if namespace != "/" {
		head += namespace + ","
	}
	c.write(head + auth)
	return c.wantJoined(namespace)
}

// wantJoined reads the answer to a CONNECT.
func (c *client) wantJoined(namespace string) (id string) {
	c.t.Helper()
	head := "40"
	if namespace != "/" {
		head += namespace + ","
	}
	packet := c.read()
	text, _ := packet.(string)
	var answer struct{ SID string }
	if payload, ok := strings.CutPrefix(text, head); !ok || json.Unmarshal([]byte(payload), &answer) != nil || answer.SID == "" {
		c.t.Fatalf("joining %s was answered with %s", namespace, show(packet))
	}
	return answer.SID
}

func (c *client) write(packets ...any) {
	c.t.Helper()
	if err := c.wire.write(packets...); err != nil {
		c.t.Fatalf("writing %s: %v", show(packets...), err)
	}
}

// next returns the next packet. It answers heartbeats.
func (c *client) next() (any, error) {
	for {
		packet, err := c.wire.read()
		if err != nil || packet != "2" {
			return packet, err
		}
		if err := c.wire.write("3"); err != nil {
			return nil, err
		}
	}
}

func (c *client) read() any {
	c.t.Helper()
	packet, err := c.next()
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	return packet
}

// want reads packets and compares them.
func (c *client) want(packets ...any) {
	c.t.Helper()
	for _, want := range packets {
		got, err := c.next()
		if err != nil {
			c.t.Fatalf("got %v, want %s", err, show(want))
		}
		if show(got) != show(want) {
			c.t.Fatalf("got %s, want %s", show(got), show(want))
		}
	}
}

// wantNothing checks that nothing has been sent to the client so far.
func (c *client) wantNothing() {
	c.t.Helper()
	c.acks++
	c.write(fmt.Sprintf(`42%d["sync"]`, 1000+c.acks))
	c.want(fmt.Sprintf(`43%d[]`, 1000+c.acks))
}

// ask emits an event with an ack id and returns the payload of the answer.
func (c *client) ask(event string, attachments ...any) string {
	c.t.Helper()
	c.acks++
	id := fmt.Sprint(1000 + c.acks)
	head := "42"
	if len(attachments) > 0 {
		head = fmt.Sprintf("45%d-", len(attachments))
	}
	c.write(append([]any{head + id + event}, attachments...)...)
	packet := c.read()
	text, _ := packet.(string)
	answer, ok := strings.CutPrefix(text, "43"+id)
	if !ok {
		c.t.Fatalf("%s was answered with %s", event, show(packet))
	}
	return answer
}

// wantClosed checks that the server closes the connection and sends nothing
// before that.
func (c *client) wantClosed() {
	c.t.Helper()
	packet, err := c.next()
	if err == nil {
		c.t.Fatalf("got %s, want the end", show(packet))
	}
	if errors.Is(err, errTimeout) {
		c.t.Fatal("the connection was not closed")
	}
}

// show writes packets as a test would.
func show(packets ...any) string {
	var list []string
	for _, p := range packets {
		switch p := p.(type) {
		case string:
			list = append(list, p)
		case []byte:
			list = append(list, fmt.Sprintf("% x", p))
		default:
			list = append(list, fmt.Sprintf("%T", p))
		}
	}
	return strings.Join(list, " ")
}

var (
	errTimeout = errors.New("nothing came")
	errEnd     = errors.New("connection closed")
)

// A socketWire is a WebSocket.
type socketWire struct {
	ws   *websocket.Conn
	wait time.Duration
	mu   chan struct{} // held while writing; not a sync.Mutex, which stops the clock of a bubble
}

func (srv *testServer) openWebSocket(t testing.TB, url string, h http.Header) *socketWire {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: srv.dial}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http"), h)
	if err != nil {
		t.Fatalf("opening a WebSocket: %v", err)
	}
	resp.Body.Close()
	return &socketWire{ws, srv.wait, make(chan struct{}, 1)}
}

func (w *socketWire) write(packets ...any) error {
	w.mu <- struct{}{}
	defer func() { <-w.mu }()
	for _, p := range packets {
		var err error
		switch p := p.(type) {
		case string:
			err = w.ws.WriteMessage(websocket.TextMessage, []byte(p))
		case []byte:
			err = w.ws.WriteMessage(websocket.BinaryMessage, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *socketWire) read() (any, error) {
	_ = w.ws.SetReadDeadline(time.Now().Add(w.wait))
	kind, data, err := w.ws.ReadMessage()
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, errTimeout
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errEnd, err)
	case kind == websocket.BinaryMessage:
		return data, nil
	}
	return string(data), nil
}

func (w *socketWire) close() { w.ws.Close() }

// A pollingWire sends a POST for every write and a GET when there is nothing
// left to read.
type pollingWire struct {
	ctx    context.Context
	client *http.Client
	url    string // with the session's id
	header http.Header
	wait   time.Duration
	unread []any
}

func (srv *testServer) openPolling(t testing.TB, h http.Header) *pollingWire {
	t.Helper()
	w := &pollingWire{ctx: t.Context(), client: srv.http, url: srv.url + "?EIO=4&transport=polling", header: h, wait: srv.wait}
	body, err := w.do(http.MethodGet, nil)
	var open struct{ SID string }
	if err != nil || !strings.HasPrefix(string(body), "0") || json.Unmarshal(body[1:], &open) != nil || open.SID == "" {
		t.Fatalf("the session opened with %q, %v", body, err)
	}
	w.url += "&sid=" + open.SID
	return w
}

func (w *pollingWire) do(method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.ctx, w.wait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = w.header.Clone()
	resp, err := w.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			err = errTimeout
		}
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %s %s", errEnd, resp.Status, got)
	}
	return got, err
}

const separator = "\x1e"

func (w *pollingWire) write(packets ...any) error {
	var parts []string
	for _, p := range packets {
		switch p := p.(type) {
		case string:
			parts = append(parts, p)
		case []byte:
			parts = append(parts, "b"+base64.StdEncoding.EncodeToString(p))
		}
	}
	got, err := w.do(http.MethodPost, []byte(strings.Join(parts, separator)))
	if err == nil && string(got) != "ok" {
		err = fmt.Errorf("POST answered with %q", got)
	}
	return err
}

func (w *pollingWire) read() (any, error) {
	for len(w.unread) == 0 {
		if err := w.poll(); err != nil {
			return nil, err
		}
	}
	packet := w.unread[0]
	w.unread = w.unread[1:]
	if packet == nil {
		return nil, errEnd
	}
	return packet, nil
}

// poll sends a GET and keeps what comes.
func (w *pollingWire) poll() error {
	body, err := w.do(http.MethodGet, nil)
	if err != nil {
		return err
	}
	for part := range strings.SplitSeq(string(body), separator) {
		switch {
		case part == "6":
		case part == "1":
			w.unread = append(w.unread, nil)
		case strings.HasPrefix(part, "b"):
			data, err := base64.StdEncoding.DecodeString(part[1:])
			if err != nil {
				return err
			}
			w.unread = append(w.unread, data)
		default:
			w.unread = append(w.unread, part)
		}
	}
	return nil
}

// close leaves the session to its server, as a client does that disappears.
func (w *pollingWire) close() {}

// sorted returns a sorted copy.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// joinSocket joins "/" and returns both ends.
func (srv *testServer) joinSocket(t testing.TB, transport string) (*client, *socketio.Socket) {
	t.Helper()
	c := srv.open(t, transport)
	return c, srv.socket(t, c, c.join("/", ""))
}

// socket returns the server's end of a client in "/".
func (srv *testServer) socket(t testing.TB, c *client, id string) *socketio.Socket {
	t.Helper()
	c.wantNothing() // once it has been heard, it can be found
	s, ok := srv.LocalSocket(id)
	if !ok {
		t.Fatalf("there is no socket %s", id)
	}
	return s
}
