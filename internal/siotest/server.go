package siotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/memnet"
)

// OnEachTransport runs a test once for each transport.
func OnEachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	t.Helper()
	for _, transport := range []string{WebSocket, Polling} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, transport)
		})
	}
}

// A Server is a server under test.
type Server struct {
	*socketio.Server
	URL         string     // of the endpoint, "http://127.0.0.1:1234/socket.io/"
	Errors      chan error // what OnError was told
	Disconnects chan Disconnect
	HTTP        *http.Client  // reaches the server
	WaitLimit   time.Duration // the patience of its clients
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error)
}

// A Disconnect is a call of OnDisconnect in the default namespace.
type Disconnect struct {
	ID     string
	Reason socketio.Reason
}

// Serve starts a server on the loopback interface. It answers "echo" with its
// arguments, and anything asked of "sync" with nothing. When the test ends it
// must close without leaving anything behind.
func Serve(t *testing.T, opts *socketio.Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ServeOn(t, opts, l, new(net.Dialer).DialContext)
}

// ServeInMemory is serve for a bubble of testing/synctest.
func ServeInMemory(t *testing.T, opts *socketio.Options) *Server {
	t.Helper()
	l := memnet.Listen()
	srv := ServeOn(t, opts, l, l.DialContext)
	srv.WaitLimit = time.Hour // of the bubble
	return srv
}

// ServeOn is Serve with a listener, and what dials it.
func ServeOn(t *testing.T, opts *socketio.Options, l net.Listener, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Server {
	t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	srv := &Server{Errors: make(chan error, 1000), Disconnects: make(chan Disconnect, 1000), WaitLimit: WaitLimit, Dial: dial}
	told := o.OnError
	o.OnError = func(s *socketio.Socket, err error) {
		if told != nil {
			told(s, err)
		}
		select {
		case srv.Errors <- err:
		default: // no test needs that many
		}
	}
	srv.Server = socketio.NewServer(&o)
	srv.On("echo", func(args socketio.Args) socketio.Args { return args })
	srv.On("sync", func() {})
	srv.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		select {
		case srv.Disconnects <- Disconnect{s.ID(), reason}:
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
	srv.URL = hs.URL + "/socket.io/"
	transport := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100}
	srv.HTTP = &http.Client{Transport: transport}
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

// Counts is what a server counts, but for what it has sent and received, the
// connections and the requests that it has refused.
func Counts(srv *Server) socketio.Stats {
	st := srv.Stats()
	st.Messages = socketio.MessageStats{}
	st.Received = 0
	st.Refused = socketio.RefusedStats{}
	st.Transports = socketio.TransportStats{}
	st.Closed = socketio.ReasonCounts{}
	return st
}

// WantError returns the next error that OnError was told, which must be an E.
func WantError[E error](t *testing.T, srv *Server) E {
	t.Helper()
	err := Receive(t, srv.Errors)
	var want E
	if !errors.As(err, &want) {
		t.Fatalf("OnError was told %T %v, want %T", err, err, want)
	}
	return want
}

// Advance lets time pass in a bubble, while c answers heartbeats.
func (srv *Server) Advance(c *Client, d time.Duration) {
	c.T.Helper()
	time.AfterFunc(d, func() { _ = srv.Emit("time passed") })
	c.Want(`42["time passed"]`)
}

// WantDisconnect checks how the next socket leaves "/".
func (srv *Server) WantDisconnect(t testing.TB, id string, reason socketio.Reason) {
	t.Helper()
	WantEqual(t, "who left, and why", Receive(t, srv.Disconnects), Disconnect{id, reason})
}

// Open opens a session, without joining a namespace.
func (srv *Server) Open(t testing.TB, transport string, header ...http.Header) *Client {
	t.Helper()
	h := make(http.Header)
	for _, more := range header {
		for k, v := range more {
			h[k] = v
		}
	}
	c := &Client{T: t}
	if transport == WebSocket {
		c.Wire = srv.OpenWebSocket(t, srv.URL+"?EIO=4&transport=websocket", h)
		packet := c.Read()
		if text, ok := packet.(string); !ok || !strings.HasPrefix(text, `0{"sid":"`) {
			t.Fatalf("the session opened with %s", Show(packet))
		}
	} else {
		w := srv.openPolling(t, h)
		c.Wire = w
		if transport == Upgrading {
			c.Wire = newUpgradingWire(srv, w)
		}
	}
	t.Cleanup(c.Wire.Close)
	return c
}

// Join opens a session and joins "/".
func (srv *Server) Join(t testing.TB, transport string) *Client {
	t.Helper()
	c := srv.Open(t, transport)
	c.Join("/", "")
	return c
}

// JoinSocket joins "/" and returns both ends.
func (srv *Server) JoinSocket(t testing.TB, transport string) (*Client, *socketio.Socket) {
	t.Helper()
	c := srv.Open(t, transport)
	return c, srv.Socket(t, c, c.Join("/", ""))
}

// Socket returns the server's end of a client in "/".
func (srv *Server) Socket(t testing.TB, c *Client, id string) *socketio.Socket {
	t.Helper()
	c.WantNothing() // once it has been heard, it can be found
	s, ok := srv.LocalSocket(id)
	if !ok {
		t.Fatalf("there is no socket %s", id)
	}
	return s
}

// ReplyTo answers the next event of a client.
func (srv *Server) ReplyTo(c *Client, value string) {
	go func() {
		text, _ := c.Read().(string)
		id := strings.TrimPrefix(text[:strings.IndexByte(text, '[')], "42")
		c.Write(fmt.Sprintf("43%s[%q]", id, value))
	}()
}

// OpenV2 opens a session as a v2 client does, and returns its id.
func (srv *Server) OpenV2(t testing.TB) (c *Client, sid string) {
	t.Helper()
	c = &Client{T: t, Wire: srv.OpenWebSocket(t, srv.URL+"?EIO=3&transport=websocket", nil)}
	t.Cleanup(c.Wire.Close)
	packet := c.Read()
	text, _ := packet.(string)
	var open struct{ SID string }
	if !strings.HasPrefix(text, "0") || json.Unmarshal([]byte(text[1:]), &open) != nil || open.SID == "" {
		t.Fatalf("the session opened with %s", Show(packet))
	}
	return c, open.SID
}

// JoinV2 opens a session, which is in "/" then.
func (srv *Server) JoinV2(t testing.TB) (c *Client, sid string) {
	t.Helper()
	c, sid = srv.OpenV2(t)
	c.Want("40")
	return c, sid
}

// OrgTemplate returns the template of "/org-1" and the like. It answers "sync", as "/" does.
func (srv *Server) OrgTemplate() *socketio.Namespace {
	n := srv.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
	n.On("sync", func() {})
	return n
}

// NamespaceNames returns the namespaces that exist, besides "/".
func (srv *Server) NamespaceNames() string {
	var names []string
	for n := range srv.Namespaces() {
		if n != srv.Of("/") {
			names = append(names, n.Name())
		}
	}
	return strings.Join(Sorted(names), " ")
}

// OpenWithSID opens a session and returns its id.
func (srv *Server) OpenWithSID(t *testing.T, transport string) (*Client, string) {
	t.Helper()
	if transport == Polling {
		c := srv.Open(t, Polling)
		u, err := url.Parse(c.Wire.(*PollingWire).URL)
		if err != nil {
			t.Fatal(err)
		}
		return c, u.Query().Get("sid")
	}
	c := &Client{T: t, Wire: srv.OpenWebSocket(t, srv.URL+"?EIO=4&transport=websocket", nil)}
	t.Cleanup(c.Wire.Close)
	text, _ := c.Read().(string)
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(text[1:]), &open); err != nil {
		t.Fatal(err)
	}
	return c, open.SID
}

// Request sends one request of a session, as a client that knows no better.
func (srv *Server) Request(t *testing.T, method, transport, sid, body string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"?EIO=4&transport="+transport+"&sid="+sid, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	resp, err := srv.HTTP.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
