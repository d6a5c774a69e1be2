package socketio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/adaptertest"
)

// A fault is what a function or value of the application does once, at the
// place where it is called, for one client.
type fault struct {
	kind    string
	armed   atomic.Bool
	done    chan struct{} // closed when it begins
	release chan struct{} // closed when it may end
	srv     *testServer
	other   *socketio.Server // of the same cluster, for some places
	socket  atomic.Pointer[socketio.Socket]
}

var faultKinds = []string{"panic", "Goexit", "typed nil", "block", "re-enter"}

type pointee struct{ value int }

func (m *fault) act() {
	if !m.armed.CompareAndSwap(true, false) {
		return
	}
	close(m.done)
	switch m.kind {
	case "panic":
		panic("fault")
	case "Goexit":
		runtime.Goexit()
	case "typed nil":
		var p *pointee
		p.value++
	case "block":
		<-m.release
	case "re-enter":
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		_ = m.srv.Emit("re-enter")
		_, _ = m.srv.EmitWithAck(ctx, "re-enter")
		_ = m.srv.Stats()
		m.srv.Of("/re-enter")
		if s := m.socket.Load(); s != nil {
			_ = s.Emit("re-enter")
			_, _ = s.EmitWithAck(ctx, "re-enter")
			_ = s.Join("re-enter")
			_ = s.To("re-enter").Emit("re-enter")
			s.Leave("re-enter")
			s.Handshake()
			_ = s.Disconnect()
			_ = s.CloseConnection()
		}
	}
}

// A badError misbehaves when it is looked at.
type badError struct {
	*fault
	in string
}

func (e *badError) Error() string { e.at("Error"); return "bad" }
func (e *badError) Unwrap() error { e.at("Unwrap"); return nil }
func (e *badError) Is(error) bool { e.at("Is"); return false }
func (e *badError) As(any) bool   { e.at("As"); return false }
func (e *badError) at(method string) {
	if e.in == method {
		e.act()
	}
}

type badJSON struct{ m *fault }

func (v badJSON) MarshalJSON() ([]byte, error) { v.m.act(); return []byte("1"), nil }

type badText struct{ m *fault }

func (v badText) MarshalText() ([]byte, error) { v.m.act(); return []byte("1"), nil }

// decoding holds the faults of values that decode themselves, by what they decode.
var decoding sync.Map

func decodeFault(text string) {
	if m, ok := decoding.Load(strings.Trim(text, `"`)); ok {
		m.(*fault).act()
	}
}

type badUnJSON struct{}

func (*badUnJSON) UnmarshalJSON(text []byte) error { decodeFault(string(text)); return nil }

type badUnText string

func (*badUnText) UnmarshalText(text []byte) error { decodeFault(string(text)); return nil }

// decodes is a trigger for a value that decodes itself.
func decodes(srv *testServer, c *client) {
	c.write(fmt.Sprintf(`421["e",%q]`, srv.url))
}

type badCodec struct {
	m  *fault
	in string // where it misbehaves: in which method, for which packet
}

func (c badCodec) Encode(packet []byte, _ [][]byte) ([]byte, bool, error) {
	if c.in == "Encode "+string(packet[:1]) {
		c.m.act()
	}
	return bytes.Clone(packet), false, nil
}

func (c badCodec) Decode(message []byte, _ bool) ([]byte, [][]byte, error) {
	if c.in == "Decode" {
		c.m.act()
	}
	return message, nil, nil
}

type badLog struct{ m *fault }

func (h badLog) Enabled(context.Context, slog.Level) bool  { return true }
func (h badLog) Handle(context.Context, slog.Record) error { h.m.act(); return nil }
func (h badLog) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h badLog) WithGroup(string) slog.Handler             { return h }

type badFS struct{ m *fault }

func (f badFS) Open(name string) (fs.File, error) {
	f.m.act()
	return fstest.MapFS{"socket.io.js": {Data: []byte("x")}}.Open(name)
}

type badContext struct {
	context.Context
	m  *fault
	in string
}

func (c badContext) at(method string) {
	if c.in == method {
		c.m.act()
	}
}
func (c badContext) Done() <-chan struct{}       { c.at("Done"); return c.Context.Done() }
func (c badContext) Err() error                  { c.at("Err"); return c.Context.Err() }
func (c badContext) Value(key any) any           { c.at("Value"); return c.Context.Value(key) }
func (c badContext) Deadline() (time.Time, bool) { c.at("Deadline"); return c.Context.Deadline() }

type badWriter struct {
	http.ResponseWriter
	m *fault
}

func (w badWriter) Write(p []byte) (int, error) { w.m.act(); return w.ResponseWriter.Write(p) }

// A place is where the server calls the application.
type place struct {
	name    string
	options func(m *fault, o *socketio.Options)
	install func(m *fault, srv *testServer)
	early   bool                             // it is called before the client has joined
	trigger func(srv *testServer, c *client) // what the client does; nil means `421["e",1]`
	quiet   bool                             // the application gets the panic otherwise than by OnError
	own     bool                             // it runs on a goroutine that is not the server's, which Shutdown does not wait for
	not     map[string]string                // the faultKinds that can't occur, and why
}

func handles(name string, handler func(m *fault) any) place {
	return place{name: name, install: func(m *fault, srv *testServer) { srv.On("e", handler(m)) }}
}

func says(text string) func(*testServer, *client) {
	return func(_ *testServer, c *client) { c.write(text) }
}

// emits is a place on the goroutine of the application that emits.
func places() (list []place) {
	add := func(more ...place) { list = append(list, more...) }
	install := func(name string, fn func(m *fault, srv *testServer)) place { return place{name: name, install: fn} }
	hook := func(name string, early bool, trigger func(*testServer, *client), set func(m *fault, h *socketio.Hooks)) place {
		return place{name: "Hooks." + name, early: early, trigger: trigger, options: func(m *fault, o *socketio.Options) {
			o.Hooks = new(socketio.Hooks)
			set(m, o.Hooks)
		}, install: func(_ *fault, srv *testServer) {
			srv.On("e", func(s *socketio.Socket) { s.Emit("x", func(socketio.Args, error) {}) })
		}}
	}
	add(
		handles("handler", func(m *fault) any { return func(*socketio.Socket) { m.act() } }),
		handles("handler by reflection", func(m *fault) any { return func(int) (int, error) { m.act(); return 1, nil } }),
		install("second handler", func(m *fault, srv *testServer) {
			srv.On("e", func() {})
			srv.On("e", func() { m.act() })
		}),
		install("handler of a socket", func(m *fault, srv *testServer) {
			srv.OnConnect(func(s *socketio.Socket) { s.On("e", func() { m.act() }) })
		}),
		install("typed event", func(m *fault, srv *testServer) {
			socketio.Event[int]("e").On(srv, func(context.Context, *socketio.Socket, int) error { m.act(); return nil })
		}),
		install("typed call", func(m *fault, srv *testServer) {
			socketio.Call[int, int]("e").On(srv, func(context.Context, *socketio.Socket, int) (int, error) { m.act(); return 1, nil })
		}),
		install("interceptor", func(m *fault, srv *testServer) {
			srv.Intercept(func(ctx context.Context, _ *socketio.Socket, msg *socketio.Message, next socketio.Next) ([]any, error) {
				m.act()
				return next(ctx, msg)
			})
		}),
		install("OnAny", func(m *fault, srv *testServer) { srv.OnAny(func(*socketio.Socket, socketio.Message) { m.act() }) }),
		install("OnAnyOutgoing", func(m *fault, srv *testServer) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Emit("x") })
		}),
		install("OnAnyOutgoing of a broadcast", func(m *fault, srv *testServer) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
			srv.On("e", func(s *socketio.Socket) { srv.Emit("x") })
		}),
		install("OnJoin", func(m *fault, srv *testServer) {
			srv.OnJoin(func(*socketio.Socket, string) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Join("room") })
		}),
		install("OnLeave", func(m *fault, srv *testServer) {
			srv.OnLeave(func(*socketio.Socket, string) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Join("room"); s.Leave("room") })
		}),
		place{name: "OnLeave at the end", trigger: says("41"), install: func(m *fault, srv *testServer) {
			srv.OnConnect(func(s *socketio.Socket) { s.Join("room") })
			srv.OnLeave(func(*socketio.Socket, string) { m.act() })
		}},
		place{name: "middleware", early: true, install: func(m *fault, srv *testServer) {
			srv.Use(func(context.Context, *socketio.Socket) error { m.act(); return nil })
		}},
		place{name: "OnConnect", early: true, install: func(m *fault, srv *testServer) { srv.OnConnect(func(*socketio.Socket) { m.act() }) }},
		place{name: "OnDisconnect", trigger: says("41"), install: func(m *fault, srv *testServer) {
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { m.act() })
		}},
		place{name: "Socket.OnDisconnect", trigger: says("41"), install: func(m *fault, srv *testServer) {
			srv.OnConnect(func(s *socketio.Socket) { s.OnDisconnect(func(socketio.Reason) { m.act() }) })
		}},
		place{name: "template's match", trigger: says("40/other,"), install: func(m *fault, srv *testServer) {
			srv.OfMatch(func(string) bool { m.act(); return false })
		}},
		place{name: "callback of an answer", trigger: func(_ *testServer, c *client) {
			c.write(`42["e"]`)
			c.want(`420["x"]`)
			c.write(`430[]`)
		}, install: func(m *fault, srv *testServer) {
			srv.On("e", func(s *socketio.Socket) { s.Emit("x", func(socketio.Args, error) { m.act() }) })
		}},
		install("callback of a broadcast", func(m *fault, srv *testServer) {
			srv.On("e", func(s *socketio.Socket) { srv.To("nobody").Emit("x", func([]socketio.Reply, error) { m.act() }) })
		}),
		place{name: "AllowRequest", early: true, options: func(m *fault, o *socketio.Options) {
			o.AllowRequest = func(*http.Request) error { m.act(); return nil }
		}, trigger: getting("?EIO=4&transport=polling")},
		place{name: "OnError", quiet: true, options: func(m *fault, o *socketio.Options) {
			o.OnError = func(*socketio.Socket, error) { m.act() }
		}, install: func(_ *fault, srv *testServer) { srv.On("e", func() error { return errors.New("x") }) }},
		place{name: "slog.Handler", options: func(m *fault, o *socketio.Options) { o.Logger = slog.New(badLog{m}) }, quiet: true,
			install: func(_ *fault, srv *testServer) { srv.On("e", func() error { return errors.New("x") }) }},
		place{name: "fs.FS", early: true, options: func(m *fault, o *socketio.Options) { o.ClientFS = badFS{m} }, trigger: getting("socket.io.js"),
			own: true, not: map[string]string{"Goexit": "net/http closes the connection of a handler that ends its goroutine; nothing is to be told of"}},
		hook("Connect", true, nil, func(m *fault, h *socketio.Hooks) {
			h.Connect = func(*socketio.Socket, time.Duration, error) { m.act() }
		}),
		hook("Disconnect", false, says("41"), func(m *fault, h *socketio.Hooks) {
			h.Disconnect = func(*socketio.Socket, socketio.Reason) { m.act() }
		}),
		hook("PacketIn", false, nil, func(m *fault, h *socketio.Hooks) { h.PacketIn = func(*socketio.Socket, socketio.Packet) { m.act() } }),
		hook("PacketOut", false, nil, func(m *fault, h *socketio.Hooks) {
			h.PacketOut = func(*socketio.Socket, socketio.Packet, int64) { m.act() }
		}),
		hook("PacketOut of a CONNECT", true, nil, func(m *fault, h *socketio.Hooks) {
			h.PacketOut = func(*socketio.Socket, socketio.Packet, int64) { m.act() }
		}),
		hook("Ack", false, func(_ *testServer, c *client) {
			c.write(`42["e"]`)
			c.want(`420["x"]`)
			c.write(`430[]`)
		}, func(m *fault, h *socketio.Hooks) {
			h.Ack = func(*socketio.Socket, string, time.Duration, error) { m.act() }
		}),
		hook("Ack of a client that leaves", false, func(_ *testServer, c *client) {
			c.write(`42["e"]`)
			c.want(`420["x"]`)
			c.wire.close()
		}, func(m *fault, h *socketio.Hooks) {
			h.Ack = func(*socketio.Socket, string, time.Duration, error) { m.act() }
		}),
	)
	for _, method := range []string{"Error", "Unwrap", "Is", "As"} {
		bad := func(m *fault) error { return &badError{m, method} }
		not := map[string]string(nil)
		if method == "Is" {
			continue // no error of the application is compared
		}
		add(
			place{name: "error of a handler: " + method, not: not, install: func(m *fault, srv *testServer) { srv.On("e", func() error { return bad(m) }) }},
			place{name: "error of a second handler: " + method, install: func(m *fault, srv *testServer) {
				srv.On("e", func() int { return 1 })
				srv.On("e", func() error { return bad(m) })
			}},
			place{name: "error of an interceptor: " + method, install: func(m *fault, srv *testServer) {
				srv.Intercept(func(ctx context.Context, _ *socketio.Socket, msg *socketio.Message, next socketio.Next) ([]any, error) {
					if m.armed.Load() {
						return nil, bad(m)
					}
					return next(ctx, msg)
				})
			}},
			place{name: "error of middleware: " + method, early: true, install: func(m *fault, srv *testServer) {
				srv.Use(func(_ context.Context, s *socketio.Socket) error {
					if m.armed.Load() {
						return bad(m)
					}
					return nil
				})
			}},
			place{name: "error as an answer: " + method, install: func(m *fault, srv *testServer) {
				srv.On("e", func(ack socketio.AckFunc) { ack(bad(m)) })
			}},
			place{name: "error as a result: " + method, install: func(m *fault, srv *testServer) { srv.On("e", func() any { return bad(m) }) }},
			place{name: "error of AllowRequest: " + method, early: true, options: func(m *fault, o *socketio.Options) {
				o.AllowRequest = func(*http.Request) error {
					if m.armed.Load() {
						return bad(m)
					}
					return nil
				}
			}, trigger: getting("?EIO=4&transport=polling")},
		)
	}
	for name, value := range map[string]func(m *fault) any{
		"Marshaler":     func(m *fault) any { return badJSON{m} },
		"TextMarshaler": func(m *fault) any { return []any{badText{m}} },
	} {
		add(
			place{name: name + " as a result", install: func(m *fault, srv *testServer) { srv.On("e", func() any { return value(m) }) }},
			place{name: name + " as an answer", quiet: true, install: func(m *fault, srv *testServer) {
				srv.On("e", func(ack socketio.AckFunc) { ack(value(m)) })
			}},
			place{name: name + " in Emit", quiet: true, install: func(m *fault, srv *testServer) {
				srv.On("e", func(s *socketio.Socket) { s.Emit("x", value(m)) })
			}},
			place{name: name + " in a broadcast", quiet: true, install: func(m *fault, srv *testServer) { srv.On("e", func() { srv.Emit("x", value(m)) }) }},
			place{name: name + " in EmitWithAck", quiet: true, install: func(m *fault, srv *testServer) {
				srv.On("e", func(s *socketio.Socket) { s.EmitWithAck(context.Background(), "x", value(m)) })
			}},
			place{name: name + " with Recovery", quiet: true, options: func(_ *fault, o *socketio.Options) { o.Recovery = new(socketio.Recovery) },
				install: func(m *fault, srv *testServer) { srv.On("e", func() { srv.Emit("x", value(m)) }) }},
		)
	}
	add(
		place{name: "Unmarshaler", trigger: decodes, install: func(m *fault, srv *testServer) {
			decoding.Store(srv.url, m)
			srv.On("e", func(badUnJSON) {})
		}},
		place{name: "TextUnmarshaler", trigger: decodes, install: func(m *fault, srv *testServer) {
			decoding.Store(srv.url, m)
			socketio.Event[badUnText]("e").On(srv, func(context.Context, *socketio.Socket, badUnText) error { return nil })
		}},
	)
	for _, method := range []string{"Done", "Err", "Value", "Deadline"} {
		with := func(m *fault) (context.Context, context.CancelFunc) {
			if method == "Value" { // asked for its parent when a deadline is added
				ctx, cancel := context.WithCancel(context.Background())
				return badContext{ctx, m, method}, cancel
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			return badContext{ctx, m, method}, cancel
		}
		add(
			place{name: "context of EmitWithAck: " + method, quiet: true, install: func(m *fault, srv *testServer) {
				srv.On("e", func(s *socketio.Socket) {
					ctx, cancel := with(m)
					defer cancel()
					s.EmitWithAck(ctx, "x")
				})
			}},
			place{name: "context of a broadcast: " + method, quiet: true, install: func(m *fault, srv *testServer) {
				srv.On("e", func() { ctx, cancel := with(m); defer cancel(); srv.EmitWithAck(ctx, "x") })
			}},
		)
	}
	add(place{name: "context of Count: Err", quiet: true, install: func(m *fault, srv *testServer) {
		srv.On("e", func() { srv.Broadcast().Count(badContext{context.Background(), m, "Err"}) })
	}}) // which calls no other method on a server that is alone
	for _, in := range []string{"Decode", "Encode 0", "Encode 1", "Encode 2", "Encode 3", "Encode 4"} {
		for _, recovery := range []*socketio.Recovery{nil, {}} {
			name := "Codec: " + in
			if recovery != nil {
				name += ", with Recovery"
			}
			p := place{name: name, quiet: in == "Encode 2", early: in == "Encode 0", options: func(m *fault, o *socketio.Options) {
				o.Codec, o.Recovery = badCodec{m, in}, recovery
			}, install: func(_ *fault, srv *testServer) {
				srv.On("e", func(s *socketio.Socket) { s.Emit("x") })
				srv.On("bye", func(s *socketio.Socket) { s.Disconnect() })
			}}
			switch in {
			case "Encode 1":
				p.trigger = says(`42["bye"]`)
			case "Encode 4":
				p.trigger = says("40/unknown,")
			}
			add(p)
		}
	}
	for _, p := range []place{
		{name: "server-side event", install: func(m *fault, srv *testServer) { srv.OnServerSide("e", func() { m.act() }) }},
		{name: "server-side event with an error", install: func(m *fault, srv *testServer) {
			srv.OnServerSide("e", func() error { return &badError{m, "Unwrap"} })
		}},
		{name: "server-side event with a result", install: func(m *fault, srv *testServer) { srv.OnServerSide("e", func() any { return badJSON{m} }) }},
		{name: "OnAnyOutgoing of another server's event", install: func(m *fault, srv *testServer) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
		}},
		{name: "OnJoin by another server", install: func(m *fault, srv *testServer) { srv.OnJoin(func(*socketio.Socket, string) { m.act() }) }},
		{name: "value of a socket, for another server", install: func(m *fault, srv *testServer) {
			srv.OnConnect(func(s *socketio.Socket) { socketio.Key[any]("value").Set(s, badJSON{m}) })
		}},
		{name: "OnError about another server's message", quiet: true, options: func(m *fault, o *socketio.Options) {
			o.OnError = func(*socketio.Socket, error) { m.act() }
		}, install: func(_ *fault, srv *testServer) { srv.OnServerSide("e", func() error { return errors.New("x") }) }},
	} {
		inner := p.options
		p.options = func(m *fault, o *socketio.Options) {
			bus := adaptertest.NewBus(1, adaptertest.Faults{})
			o.Adapter = bus.Server()
			m.other = socketio.NewServer(&socketio.Options{Adapter: bus.Server()})
			if inner != nil {
				inner(m, o)
			}
		}
		p.trigger = func(srv *testServer, _ *client) {
			other := otherOf(srv)
			defer other.Close()
			other.Of("/") // which hears the others
			_ = other.Emit("x")
			_ = other.Broadcast().Join(context.Background(), "room")
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			go other.Broadcast().Sockets(ctx)
			_, _ = other.ServerSideEmitWithAck(ctx, "e")
		}
		add(p)
	}
	return list
}

// others are the servers beside those under test, by these.
var others sync.Map

func otherOf(srv *testServer) *socketio.Server {
	other, _ := others.Load(srv)
	return other.(*socketio.Server)
}

// getting is a trigger: another request, beside the client.
func getting(path string) func(*testServer, *client) {
	return func(srv *testServer, _ *client) {
		if resp, err := srv.http.Get(srv.url + path); err == nil {
			resp.Body.Close()
		}
	}
}

// Nothing that a function or a value of the application does ends the process,
// or is felt by another client.
func TestApplicationCannotEndTheProcess(t *testing.T) {
	if os.Getenv("SOCKETIO_FAULTS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestApplicationCannotEndTheProcess$", "-test.v", "-test.timeout=5m", "-test.parallel=48")
		cmd.Env = append(os.Environ(), "SOCKETIO_FAULTS=1")
		out, err := cmd.CombinedOutput()
		counted := regexp.MustCompile(`cells: (\d+)`).FindSubmatch(out)
		if err != nil || counted == nil {
			t.Fatalf("the process ended with %v:\n%s", err, out)
		}
		for _, line := range regexp.MustCompile(`(?m)^left out: .*$`).FindAll(out, -1) {
			t.Logf("%s", line)
		}
		t.Logf("%s cells", counted[1])
		if n, _ := strconv.Atoi(string(counted[1])); n < 300 {
			t.Errorf("only %d cells", n)
		}
		return
	}
	var cells atomic.Int32
	t.Cleanup(func() { fmt.Println("cells:", cells.Load()) })
	for _, p := range places() {
		for _, kind := range faultKinds {
			if why, never := p.not[kind]; never {
				fmt.Printf("left out: %s/%s: %s\n", p.name, kind, why)
				continue
			}
			t.Run(p.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				cells.Add(1)
				testFault(t, p, kind)
			})
		}
	}
}

func testFault(t *testing.T, p place, kind string) {
	m := &fault{kind: kind, done: make(chan struct{}), release: make(chan struct{})}
	opts := &socketio.Options{AckTimeout: 100 * time.Millisecond}
	if p.options != nil {
		p.options(m, opts)
	}
	srv := serve(t, opts)
	m.srv = srv
	if m.other != nil {
		others.Store(srv, m.other)
	}
	srv.Use(func(_ context.Context, s *socketio.Socket) error { m.socket.CompareAndSwap(nil, s); return nil })
	if p.install != nil {
		p.install(m, srv)
	}
	released := false
	free := func() {
		if !released {
			released = true
			close(m.release)
		}
	}
	t.Cleanup(free)
	victim := srv.open(t, webSocket)
	trigger := p.trigger
	if p.early {
		m.armed.Store(true)
		victim.write("40")
	} else {
		victim.write("40")
		victim.wantJoined("/")
		victim.wantNothing()
		m.armed.Store(true)
		if trigger == nil {
			trigger = says(`421["e",1]`)
		}
	}
	triggered := make(chan struct{})
	go func() {
		defer close(triggered)
		if trigger != nil {
			trigger(srv, victim)
		}
	}()
	select {
	case <-m.done:
	case <-time.After(patience):
		t.Fatal("the place was not reached")
	}
	c := srv.open(t, webSocket)
	c.write("40", `421["echo",1]`)
	for packet := c.read(); packet != `431[1]`; { // what the fault emits may come before
		packet = c.read()
	}
	switch kind {
	case "panic", "Goexit", "typed nil":
		if !p.quiet {
			wantPanicError(t, srv)
		}
	case "block":
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := srv.Shutdown(ctx); err == nil && !p.own {
			t.Error("Shutdown returned no error")
		}
		free()
	}
	<-triggered
}

// wantPanicError waits until OnError is called with a PanicError.
func wantPanicError(t *testing.T, srv *testServer) {
	t.Helper()
	for {
		var p *socketio.PanicError
		if errors.As(receive(t, srv.errors), &p) {
			return
		}
	}
}
