// Package goclient_test tries package client with servers of several makes, over
// every transport.
package goclient_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server is one that the client is tried with.
type server struct {
	start    func(t *testing.T) (url string)
	recovers bool // it has connection state recovery
	node     bool
	python   bool
	dynamic  bool // it has namespaces that match a pattern
}

var servers = map[string]server{
	"node-4.8": {start: process("node", "server.mjs", "4.8"), node: true, recovers: true, dynamic: true},
	"node-3.1": {start: process("node", "server.mjs", "3.1"), node: true, dynamic: true},
	"python":   {start: process("../../.build/python/bin/python", "server.py"), python: true},
	"ours":     {start: ours, recovers: true, dynamic: true},
}

// process starts a server that prints its port and ends with its standard input.
func process(name string, args ...string) func(t *testing.T) string {
	return func(t *testing.T) string {
		cmd := exec.Command(name, args...)
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatalf("%v; `make setup` installs what is missing", err)
		}
		t.Cleanup(func() {
			in.Close()
			_ = cmd.Wait()
		})
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return "http://127.0.0.1:" + strings.TrimSpace(line)
	}
}

func ours(t *testing.T) string {
	io := newOurs()
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		io.Close()
		srv.Close()
	})
	return srv.URL
}

var quiet = slog.New(slog.DiscardHandler)

// newOurs returns a server of this library that does what server.mjs does.
func newOurs() *socketio.Server {
	io := socketio.NewServer(&socketio.Options{
		PingInterval: time.Second, PingTimeout: time.Second, Recovery: &socketio.Recovery{}, Logger: quiet,
	})
	var mu sync.Mutex
	records := make(map[string][]int)
	serve := func(n *socketio.Namespace) {
		n.On("echo", func(args socketio.Args) socketio.Args { return args })
		n.On("again", func(s *socketio.Socket, args socketio.Args) { s.Emit("again", args) })
		n.On("ask", func(ctx context.Context, s *socketio.Socket, event string, args []any) error {
			answer, err := s.EmitWithAck(ctx, event, args...)
			if err != nil {
				return err
			}
			return s.Emit("asked", answer)
		})
		n.On("late", func(ms int, ack socketio.AckFunc) {
			time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { ack("late") })
		})
		n.On("auth", func(s *socketio.Socket) (auth map[string]any) { s.Handshake().Auth.Decode(&auth); return auth })
		n.On("header", func(s *socketio.Socket, name string) string { return s.Handshake().Header.Get(name) })
		n.On("query", func(s *socketio.Socket, name string) string { return s.Handshake().URL.Query().Get(name) })
		n.On("join", func(s *socketio.Socket, room string) { s.Join(room) })
		n.On("to", func(s *socketio.Socket, room, event string, args socketio.Args) { n.To(room).Emit(event, args) })
		n.On("burst", func(s *socketio.Socket, count int) {
			for i := range count {
				s.Emit("n", i)
			}
		})
		n.On("record", func(key string, n int) {
			mu.Lock()
			records[key] = append(records[key], n)
			mu.Unlock()
		})
		n.On("recorded", func(key string) []int {
			mu.Lock()
			defer mu.Unlock()
			return append([]int{}, records[key]...)
		})
		n.On("leave", func(s *socketio.Socket) { s.Disconnect() })
	}
	serve(io.Of("/"))
	serve(io.Of("/other"))
	serve(io.OfMatch(regexp.MustCompile(`^/dynamic-\d+$`).MatchString))
	auth := io.Of("/auth")
	auth.Use(func(_ context.Context, s *socketio.Socket) error {
		var given struct{ Token string }
		if s.Handshake().Auth.Decode(&given); given.Token != "secret" {
			return &socketio.Error{Message: "not authorized", Data: []byte(`{"code":42}`)}
		}
		return nil
	})
	serve(auth)
	return io
}

// A network opens the connections of one client, and may fail.
type network struct {
	mu    sync.Mutex
	conns []net.Conn
	down  bool
	dials int
}

var errDown = errors.New("the network is down")

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errDown
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		n.mu.Lock()
		n.conns = append(n.conns, c)
		n.mu.Unlock()
	}
	return c, err
}

// cut resets the connections, and lets no other be opened before heal.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, c := range n.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	n.conns = nil
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// An env is what one behaviour is tried with.
type env struct {
	*testing.T
	srv  server
	url  string
	name string // unique
	opts client.Options
	net  *network
	ctx  context.Context
}

// client returns a client that is not connected.
func (e *env) client(change ...func(*client.Options)) *client.Client {
	opts := e.opts
	opts.Dial, opts.Logger = e.net.dial, quiet
	opts.MinDelay, opts.MaxDelay = time.Millisecond, 50*time.Millisecond
	for _, fn := range change {
		fn(&opts)
	}
	return e.clientAt(e.url, opts)
}

func (e *env) clientAt(url string, opts client.Options) *client.Client {
	e.Helper()
	c, err := client.New(url, &opts)
	e.must(err)
	e.Cleanup(func() {
		c.Close()
		if err := c.Shutdown(context.WithoutCancel(e.ctx)); err != nil && !errors.As(err, new(*client.UnsentError)) {
			e.Error(err)
		}
		s := c.Stats()
		if sum := s.Written + s.Pending + s.Buffered + s.Volatile + s.Dropped.Total(); sum != s.Emitted {
			e.Errorf("emitted %d, accounted for %d: %+v", s.Emitted, sum, s)
		}
	})
	return c
}

// connected returns a client that has joined "/".
func (e *env) connected(change ...func(*client.Options)) *client.Client {
	e.Helper()
	c := e.client(change...)
	e.must(c.Connect(e.ctx))
	return c
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// lose cuts the connection, and waits until the client has noticed.
func (e *env) lose(c *client.Client) {
	e.Helper()
	lost := pipe(c.OnDisconnect)
	e.net.cut()
	next(e, lost)
}

// call calls an event and compares the answer, as JSON.
func (e *env) call(s *client.Socket, want, event string, args ...any) socketio.Args {
	e.Helper()
	got, err := s.EmitWithAck(e.ctx, event, args...)
	e.must(err)
	if want != "" && plain(got) != want {
		e.Fatalf("%s answered %.200s, not %.200s", event, got, want)
	}
	return got
}

// same fails unless both are equal.
func same[T comparable](e *env, got, want T) {
	e.Helper()
	if got != want {
		e.Fatalf("got %.300v, want %.300v", got, want)
	}
}

// plain returns arguments as encoding/json writes them.
func plain(args socketio.Args) string {
	var b bytes.Buffer
	var list []json.RawMessage
	for i := range args.Len() {
		var v any
		_ = json.Unmarshal(args.Raw(i), &v)
		raw, _ := json.Marshal(v)
		list = append(list, raw)
	}
	if list == nil {
		return "[]"
	}
	enc := json.NewEncoder(&b)
	_ = enc.Encode(list)
	return strings.TrimSpace(b.String())
}

// without returns the arguments of an event without the position that servers with
// recovery append.
func (e *env) without(args socketio.Args) string {
	text := plain(args)
	if !e.srv.recovers {
		return text
	}
	var list []json.RawMessage
	e.must(json.Unmarshal([]byte(text), &list))
	raw, err := json.Marshal(list[:max(0, len(list)-1)])
	e.must(err)
	return string(raw)
}

// next waits for a value.
func next[T any](e *env, from <-chan T) T {
	e.Helper()
	select {
	case v := <-from:
		return v
	case <-e.ctx.Done():
		e.Fatal("nothing came")
		panic("unreachable")
	}
}

// pipe registers fn's results in a channel.
func pipe[T any](register func(func(T)) func()) <-chan T {
	got := make(chan T, 10000)
	register(func(v T) { got <- v })
	return got
}

func events[T any](s *client.Socket, event string) <-chan T {
	return pipe(func(fn func(T)) func() { return s.On(event, fn) })
}

var ways = map[string]client.Options{
	"websocket": {Transports: []socketio.Transport{socketio.WebSocket}},
	"polling":   {Transports: []socketio.Transport{socketio.Polling}, DisableUpgrade: true},
	"upgrading": {Transports: []socketio.Transport{socketio.Polling, socketio.WebSocket}},
}

func TestBehaviours(t *testing.T) {
	for name, srv := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := srv.start(t)
			for way, opts := range ways {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					for _, b := range behaviours {
						if b.on != nil && !b.on(srv, way) {
							continue
						}
						t.Run(strings.ReplaceAll(b.name, " ", "_"), func(t *testing.T) {
							ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
							defer cancel()
							b.run(&env{T: t, srv: srv, url: url, name: t.Name(), opts: opts, net: new(network), ctx: ctx})
						})
					}
				})
			}
		})
	}
}

// header returns a function for Options.Header.
func header(name, value string) func(context.Context) (http.Header, error) {
	return func(context.Context) (http.Header, error) { return http.Header{name: {value}}, nil }
}
