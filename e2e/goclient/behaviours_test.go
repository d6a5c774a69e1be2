package goclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// A behaviour is one that the tests of socket.io-client show, as far as it has a
// meaning in Go, or one that the documentation of package client promises.
type behaviour struct {
	name string
	run  func(e *env)
	on   func(s server, way string) bool // which servers and transports have it; nil means all
}

func recovers(s server, _ string) bool { return s.recovers }

// A server that is polled may notice a lost connection later than the client.
func recoversAtOnce(s server, way string) bool { return s.recovers && way == "websocket" }

// Node drops events that are followed by DISCONNECT in what it reads at once.
func handlesAll(s server, _ string) bool { return !s.node }

// python-engineio with aiohttp reads only what has arrived of the body of a POST.
func takesLargePosts(s server, way string) bool { return !s.python || way == "websocket" }

func dynamic(s server, _ string) bool   { return s.dynamic }
func upgrading(_ server, w string) bool { return w == "upgrading" }

const (
	said  socketio.Event[message]         = "again"
	twice socketio.Call[message, message] = "echo"
)

type message struct {
	Text string
	Data []byte
}

// echoes compares what the server sends back, by both ways.
func echoes(want string, args ...any) func(e *env) {
	return func(e *env) {
		c := e.connected()
		e.call(c.Of("/"), want, "echo", args...)
		got := events[socketio.Args](c.Of("/"), "again")
		e.must(c.Emit("again", args...))
		same(e, e.without(next(e, got)), want)
	}
}

func token(value string) func(*client.Options) {
	return func(o *client.Options) {
		o.Auth = func(context.Context, string) (any, error) { return map[string]string{"token": value}, nil }
	}
}

var behaviours = []behaviour{
	// Connecting.
	{name: "connects and has an id", run: func(e *env) {
		c := e.client()
		same(e, c.ID(), "")
		e.must(c.Connect(e.ctx))
		if c.ID() == "" || !c.Connected() || c.State() != client.Connected || c.Recovered() {
			e.Error(c.ID(), c.State())
		}
	}},
	{name: "tells of every change of state", run: func(e *env) {
		c := e.client()
		states := pipe(c.OnState)
		e.must(c.Connect(e.ctx))
		same(e, next(e, states).To, client.Connecting)
		same(e, next(e, states).To, client.Connected)
		c.Disconnect()
		same(e, next(e, states).To, client.Idle)
		c.Close()
		same(e, next(e, states).To, client.Closed)
	}},
	{name: "Connect while connected is nothing", run: func(e *env) {
		c := e.connected()
		id := c.ID()
		e.must(c.Connect(e.ctx))
		same(e, c.ID(), id)
	}},
	{name: "namespaces share a connection", run: func(e *env) {
		c := e.connected()
		dials := e.net.dials
		e.must(c.Of("/other").Connect(e.ctx))
		e.call(c.Of("/other"), `[1]`, "echo", 1)
		e.call(c.Of("/"), `[2]`, "echo", 2)
		if e.opts.Transports[0] == socketio.WebSocket {
			same(e, e.net.dials, dials)
		}
		if c.Of("other") != c.Of("/other") {
			e.Error("two sockets for a namespace")
		}
	}},
	{name: "a namespace without /", run: func(e *env) {
		c := e.client()
		e.must(c.Of("/other").Connect(e.ctx))
		e.call(c.Of("/other"), `["x"]`, "echo", "x")
		same(e, c.Connected(), false)
	}},
	{name: "a namespace that matches a pattern", on: dynamic, run: func(e *env) {
		c := e.client()
		e.must(c.Of("/dynamic-101").Connect(e.ctx))
		e.call(c.Of("/dynamic-101"), `["x"]`, "echo", "x")
	}},
	{name: "an unknown namespace is refused", run: func(e *env) {
		c := e.connected()
		var refused *client.RefusedError
		if err := c.Of("/unknown").Connect(e.ctx); !errors.As(err, &refused) || refused.Namespace != "/unknown" {
			e.Error(err)
		}
		e.call(c.Of("/"), `[]`, "echo")
	}},
	{name: "refused with data", run: func(e *env) {
		c := e.client()
		var refused *client.RefusedError
		if err := c.Of("/auth").Connect(e.ctx); !errors.As(err, &refused) || refused.Err.Message != "not authorized" {
			e.Fatal(err)
		}
		if data := string(refused.Err.Data); !strings.Contains(data, "42") {
			e.Error(data)
		}
		same(e, c.State(), client.Idle)
	}},
	{name: "a refusal may be tried again", run: func(e *env) {
		var asked atomic.Int32
		c := e.client(func(o *client.Options) {
			o.RetryRefused = func(*client.RefusedError) bool { return true }
			o.Auth = func(context.Context, string) (any, error) {
				if asked.Add(1) < 3 {
					return nil, nil
				}
				return map[string]string{"token": "secret"}, nil
			}
		})
		e.must(c.Of("/auth").Connect(e.ctx))
		same(e, asked.Load(), 3)
	}},
	{name: "connects after a refusal", run: func(e *env) {
		secret := ""
		c := e.client(func(o *client.Options) {
			o.Auth = func(context.Context, string) (any, error) { return map[string]string{"token": secret}, nil }
		})
		if c.Of("/auth").Connect(e.ctx) == nil {
			e.Error("not refused")
		}
		secret = "secret"
		e.must(c.Of("/auth").Connect(e.ctx))
	}},
	{name: "auth", run: func(e *env) {
		c := e.connected(token("a"))
		e.call(c.Of("/"), `[{"token":"a"}]`, "auth")
	}},
	{name: "auth is asked at each attempt", run: func(e *env) {
		var n atomic.Int32
		c := e.connected(func(o *client.Options) {
			o.Auth = func(context.Context, string) (any, error) { return map[string]int32{"n": n.Add(1)}, nil }
		})
		joined := pipe(c.OnConnect)
		e.lose(c)
		e.net.heal()
		next(e, joined)
		got := e.call(c.Of("/"), "", "auth").String()
		if !strings.Contains(got, `"n":2`) && !strings.Contains(got, `"n":1`) { // a recovered session keeps its handshake
			e.Error(got)
		}
		if n.Load() < 2 {
			e.Error("asked once")
		}
	}},
	{name: "an error of auth is tried again", run: func(e *env) {
		var n atomic.Int32
		e.connected(func(o *client.Options) {
			o.Auth = func(context.Context, string) (any, error) {
				if n.Add(1) < 3 {
					return nil, errors.New("not yet")
				}
				return nil, nil
			}
		})
	}},
	{name: "headers", run: func(e *env) {
		c := e.connected(func(o *client.Options) { o.Header = header("X-Test", "value") })
		e.call(c.Of("/"), `["value"]`, "header", "x-test")
	}},
	{name: "headers are asked for at each attempt", run: func(e *env) {
		var n atomic.Int32
		c := e.connected(func(o *client.Options) {
			o.Header = func(context.Context) (http.Header, error) {
				return http.Header{"X-Test": {fmt.Sprint(n.Add(1))}}, nil
			}
		})
		e.call(c.Of("/"), `["1"]`, "header", "x-test")
		joined := pipe(c.OnConnect)
		e.lose(c)
		e.net.heal()
		next(e, joined)
		if n.Load() < 2 {
			e.Error("asked once")
		}
	}},
	{name: "query", run: func(e *env) {
		e.url += "/?a=b"
		e.call(e.connected().Of("/"), `["b"]`, "query", "a")
	}},
	{name: "path", run: func(e *env) {
		e.url += "/socket.io/"
		e.connected()
	}},
	{name: "cookies", run: func(e *env) {
		jar, _ := cookiejar.New(nil)
		u, _ := url.Parse(e.url)
		jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: "b"}})
		c := e.connected(func(o *client.Options) {
			o.HTTPClient = &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
		})
		e.call(c.Of("/"), `["a=b"]`, "header", "cookie")
	}},
	{name: "user and password of the URL", run: func(e *env) {
		e.url = strings.Replace(e.url, "//", "//me:secret@", 1)
		e.call(e.connected().Of("/"), `["Basic bWU6c2VjcmV0"]`, "header", "authorization")
	}},
	{name: "a wrong path", run: func(e *env) {
		e.url += "/wrong/"
		c := e.client(func(o *client.Options) { o.MaxAttempts = 1 })
		var failed *client.HandshakeError
		if err := c.Connect(e.ctx); !errors.As(err, &failed) || failed.Status != http.StatusNotFound && failed.Status != http.StatusBadRequest && failed.Status != 0 {
			e.Error(err)
		}
	}},
	{name: "no server", run: func(e *env) {
		e.url = "http://127.0.0.1:1"
		c := e.client(func(o *client.Options) { o.MaxAttempts = 3 })
		states := pipe(c.OnState)
		var failed *client.AttemptsError
		if err := c.Connect(e.ctx); !errors.As(err, &failed) || failed.Attempts != 3 {
			e.Error(err)
		}
		for range 3 {
			same(e, next(e, states).To, client.Connecting)
			if ch := next(e, states); ch.Err == nil || ch.To != client.Waiting && ch.To != client.Idle {
				e.Error(ch)
			}
		}
	}},
	{name: "a context ends connecting", run: func(e *env) {
		e.net.cut()
		c := e.client()
		ctx, cancel := context.WithTimeout(e.ctx, 100*time.Millisecond)
		defer cancel()
		if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) {
			e.Error(err)
		}
		same(e, c.State() == client.Connected, false)
	}},
	{name: "Disconnect ends connecting", run: func(e *env) {
		e.net.cut()
		c := e.client()
		done := make(chan error, 1)
		states := pipe(c.OnState)
		go func() { done <- c.Connect(e.ctx) }()
		next(e, states)
		c.Disconnect()
		same(e, next(e, done), client.ErrDisconnected)
	}},
	{name: "URL is asked for at each attempt", run: func(e *env) {
		c := e.connected(func(o *client.Options) {
			o.URL = func(_ context.Context, attempt int) (string, error) {
				if attempt == 0 {
					return "http://127.0.0.1:1", nil
				}
				return e.url, nil
			}
		})
		e.call(c.Of("/"), `[]`, "echo")
	}},

	// Values.
	{name: "no arguments", run: echoes(`[]`)},
	{name: "text", run: echoes(`["text"]`, "text")},
	{name: "several arguments", run: echoes(`[1,"2",[3],{"four":5}]`, 1, "2", []int{3}, map[string]int{"four": 5})},
	{name: "null and booleans", run: echoes(`[null,true,false]`, nil, true, false)},
	{name: "an empty string", run: echoes(`[""]`, "")},
	{name: "unicode", run: echoes(`["ウェブ 🚀 "]`, "ウェブ 🚀 ")},
	{name: "numbers", run: echoes(`[0,-1,1.5,1234567890123]`, 0, -1, 1.5, 1234567890123)},
	{name: "a line break", run: echoes(`["a\nb\u001ec"]`, "a\nb\x1ec")},
	{name: "deep JSON", run: echoes(`[[[[[{"a":{"b":[{"c":null}]}}]]]]]`, []any{[]any{[]any{[]any{map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": nil}}}}}}}})},
	{name: "large text", on: takesLargePosts, run: echoes(`["`+strings.Repeat("x", 300000)+`"]`, strings.Repeat("x", 300000))},
	{name: "binary", run: func(e *env) {
		got := e.call(e.connected().Of("/"), "", "echo", []byte{0, 1, 255, 30})
		var b []byte
		e.must(got.Decode(&b))
		same(e, string(b), "\x00\x01\xff\x1e")
	}},
	{name: "empty binary", run: func(e *env) {
		got := e.call(e.connected().Of("/"), "", "echo", []byte{}, "x")
		var b []byte
		e.must(got.Decode(&b))
		same(e, len(b), 0)
		same(e, len(got.Binary()), 1)
	}},
	{name: "binary at depth", run: func(e *env) {
		type deep struct {
			A struct{ B [][]byte }
			C map[string]any
		}
		var in, out deep
		in.A.B = [][]byte{{1}, {2, 3}}
		in.C = map[string]any{"d": []byte("four")}
		got := e.call(e.connected().Of("/"), "", "echo", "x", in, []byte("five"))
		var x string
		var five []byte
		e.must(got.Decode(&x, &out, &five))
		same(e, fmt.Sprint(out.A.B, string(out.C["d"].([]byte)), string(five)), "[[1] [2 3]]fourfive")
	}},
	{name: "large binary", on: takesLargePosts, run: func(e *env) {
		want := bytes.Repeat([]byte{1, 2, 3}, 100000)
		var b []byte
		e.must(e.call(e.connected().Of("/"), "", "echo", want).Decode(&b))
		same(e, bytes.Equal(b, want), true)
	}},
	{name: "many attachments", run: func(e *env) {
		var list []any
		for i := range 9 {
			list = append(list, []byte{byte(i)})
		}
		got := e.call(e.connected().Of("/"), "", "echo", list...)
		for i, b := range got.Binary() {
			same(e, b[0], byte(i))
		}
		same(e, len(got.Binary()), 9)
	}},
	{name: "binary in events", run: func(e *env) {
		c := e.connected()
		got := make(chan string, 1)
		c.On("again", func(a []byte, text string, b []byte) { got <- string(a) + text + string(b) })
		e.must(c.Emit("again", []byte("a"), "-", []byte("b")))
		same(e, next(e, got), "a-b")
	}},
	{name: "a value that cannot be encoded", run: func(e *env) {
		c := e.connected()
		if c.Emit("again", func() {}) == nil || c.Emit("again", make(chan int)) == nil {
			e.Error("no error")
		}
		e.call(c.Of("/"), `[]`, "echo")
	}},
	{name: "a reserved name", run: func(e *env) {
		if err := e.connected().Emit("disconnect"); !errors.Is(err, socketio.ErrReserved) {
			e.Error(err)
		}
	}},
	{name: "unusual names", run: func(e *env) {
		c := e.connected()
		for _, name := range []string{"", `a "b" \`, "ウ", "message", "error"} {
			got := events[int](c.Of("/"), name)
			e.must(c.Emit("ask", name, []int{7}))
			same(e, next(e, got), 7)
		}
	}},

	// Events.
	{name: "a burst arrives in order", run: func(e *env) {
		c := e.connected()
		got := events[int](c.Of("/"), "n")
		e.must(c.Emit("burst", 500))
		for i := range 500 {
			same(e, next(e, got), i)
		}
	}},
	{name: "a burst is sent in order", run: func(e *env) {
		c := e.connected()
		for i := range 500 {
			e.must(c.Emit("record", e.name, i))
		}
		e.call(c.Of("/"), "["+numbers(500)+"]", "recorded", e.name)
	}},
	{name: "text and binary stay in order", run: func(e *env) {
		c := e.connected()
		got := make(chan int, 1000)
		c.On("again", func(n int, _ socketio.Args) { got <- n })
		for i := range 200 {
			if i%3 == 0 {
				e.must(c.Emit("again", i, []byte("binary")))
			} else {
				e.must(c.Emit("again", i, "text"))
			}
		}
		for i := range 200 {
			same(e, next(e, got), i)
		}
	}},
	{name: "the order holds across the upgrade", on: upgrading, run: func(e *env) {
		c := e.connected()
		got := events[int](c.Of("/"), "again")
		upgraded := func() bool {
			e.call(c.Of("/"), `[]`, "echo")
			return c.Transport() == socketio.WebSocket
		}
		n := 0
		for n < 100 || !upgraded() {
			for range 10 {
				e.must(c.Emit("again", n))
				n++
			}
		}
		for i := range n {
			same(e, next(e, got), i)
		}
	}},
	{name: "OnAny", run: func(e *env) {
		c := e.connected()
		got := make(chan string, 10)
		off := c.OnAny(func(event string, args socketio.Args) { got <- event + e.without(args) })
		e.must(c.Emit("again", 1))
		same(e, next(e, got), "again[1]")
		off()
		e.must(c.Emit("again", 2))
		e.call(c.Of("/"), `[]`, "echo")
		same(e, len(got), 0)
	}},
	{name: "a handler that was removed", run: func(e *env) {
		c := e.connected()
		got := make(chan int, 10)
		off := c.On("again", func(n int) { got <- n })
		other := events[int](c.Of("/"), "again")
		off()
		off()
		e.must(c.Emit("again", 1))
		next(e, other)
		same(e, len(got), 0)
	}},
	{name: "handlers run in the order of On", run: func(e *env) {
		c := e.connected()
		got := make(chan int, 10)
		c.On("again", func() { got <- 1 })
		c.On("again", func() { got <- 2 })
		e.must(c.Emit("again"))
		same(e, next(e, got), 1)
		same(e, next(e, got), 2)
	}},
	{name: "typed events and calls", run: func(e *env) {
		c := e.connected()
		got := make(chan message, 1)
		client.On(c, said, func(_ context.Context, m message) error { got <- m; return nil })
		e.must(said.Emit(c, message{"a", []byte("b")}))
		m := next(e, got)
		same(e, m.Text+string(m.Data), "ab")
		m, err := twice.Do(e.ctx, c, message{"c", []byte("d")})
		e.must(err)
		same(e, m.Text+string(m.Data), "cd")
	}},
	{name: "Recv", run: func(e *env) {
		c := e.connected()
		time.AfterFunc(10*time.Millisecond, func() { c.Emit("again", "x") })
		got, err := client.Recv(e.ctx, c, socketio.Event[string]("again"))
		e.must(err)
		same(e, got, "x")
	}},
	{name: "rooms", run: func(e *env) {
		a, b := e.connected(), e.connected()
		e.call(a.Of("/"), `[]`, "join", e.name)
		got := events[string](a.Of("/"), "hello")
		none := events[string](b.Of("/"), "hello")
		e.must(b.Emit("to", e.name, "hello", "room"))
		same(e, next(e, got), "room")
		e.call(b.Of("/"), `[]`, "echo")
		same(e, len(none), 0)
	}},
	{name: "a volatile event of a connected client", run: func(e *env) {
		c := e.connected()
		got := events[int](c.Of("/"), "again")
		for len(got) == 0 { // it may be dropped, in which case the next one may not
			e.must(c.Volatile().Emit("again", 1))
			e.call(c.Of("/"), `[]`, "echo")
		}
	}},

	// Answers.
	{name: "several values and binary answer", run: func(e *env) {
		var n int
		var b []byte
		e.must(e.call(e.connected().Of("/"), "", "echo", 1, []byte("x")).Decode(&n, &b))
		same(e, fmt.Sprint(n, string(b)), "1x")
	}},
	{name: "a callback", run: func(e *env) {
		c := e.connected()
		got := make(chan string, 1)
		e.must(c.Emit("echo", "x", func(args socketio.Args, err error) { got <- fmt.Sprint(args, err) }))
		same(e, next(e, got), `["x"] <nil>`)
	}},
	{name: "a timeout and a late answer", run: func(e *env) {
		c := e.connected()
		ctx, cancel := context.WithTimeout(e.ctx, 20*time.Millisecond)
		defer cancel()
		if _, err := c.EmitWithAck(ctx, "late", 100); !errors.Is(err, context.DeadlineExceeded) {
			e.Error(err)
		}
		got := e.call(c.Of("/"), "", "late", 150)
		same(e, got.String(), `["late"]`)
		for e.ctx.Err() == nil && c.Stats().Dropped.LateAnswers == 0 { // a busy machine may delay the first answer
			<-time.After(10 * time.Millisecond)
		}
		same(e, c.Stats().Dropped.LateAnswers, 1)
		same(e, c.Stats().PendingAcks, 0)
	}},
	{name: "AckTimeout of a callback", run: func(e *env) {
		c := e.connected(func(o *client.Options) { o.AckTimeout = 20 * time.Millisecond })
		got := make(chan error, 1)
		e.must(c.Emit("late", 200, func(_ socketio.Args, err error) { got <- err }))
		same(e, next(e, got), context.DeadlineExceeded)
	}},
	{name: "an answer is lost with the connection", run: func(e *env) {
		c := e.connected()
		got := make(chan error, 1)
		e.must(c.Emit("late", 10000, func(_ socketio.Args, err error) { got <- err }))
		e.call(c.Of("/"), `[]`, "echo")
		e.net.cut()
		var lost *client.LostError
		if err := next(e, got); !errors.As(err, &lost) {
			e.Error(err)
		}
	}, on: func(s server, _ string) bool { return s.dynamic }}, // python-socketio handles one event at a time
	{name: "many answers at a time", run: func(e *env) {
		c := e.connected()
		var wait sync.WaitGroup
		for i := range 100 {
			wait.Go(func() {
				if got, err := c.EmitWithAck(e.ctx, "echo", i); err != nil || got.String() != fmt.Sprintf("[%d]", i) {
					e.Error(i, got, err)
				}
			})
		}
		wait.Wait()
	}},
	{name: "the server's call", run: func(e *env) {
		c := e.connected()
		c.On("multiply", func(a, b int) int { return a * b })
		got := events[int](c.Of("/"), "asked")
		e.must(c.Emit("ask", "multiply", []int{6, 7}))
		same(e, next(e, got), 42)
	}},
	{name: "the server's call is answered with binary", run: func(e *env) {
		c := e.connected()
		c.On("binary", func() ([]byte, error) { return []byte("x"), nil })
		got := events[[]byte](c.Of("/"), "asked")
		e.must(c.Emit("ask", "binary", []int{}))
		same(e, string(next(e, got)), "x")
	}},
	{name: "the server's call is answered later", run: func(e *env) {
		c := e.connected()
		c.On("later", func(ack socketio.AckFunc) { time.AfterFunc(30*time.Millisecond, func() { ack("done", 2) }) })
		got := events[socketio.Args](c.Of("/"), "asked")
		e.must(c.Emit("ask", "later", []int{}))
		same(e, e.without(next(e, got)), `["done",2]`)
	}},
	{name: "the server's call is answered with an error", run: func(e *env) {
		c := e.connected()
		c.On("fail", func() error { return socketio.Errorf("no") })
		got := events[socketio.Args](c.Of("/"), "asked")
		e.must(c.Emit("ask", "fail", []int{}))
		if answer := next(e, got).String(); !strings.Contains(answer, `"message":"no"`) {
			e.Error(answer)
		}
	}},
	{name: "the server's call with wrong arguments", run: func(e *env) {
		c := e.connected()
		c.On("wrong", func(n int) int { return n })
		got := events[socketio.Args](c.Of("/"), "asked")
		e.must(c.Emit("ask", "wrong", []string{"x"}))
		if answer := next(e, got).String(); !strings.Contains(answer, `bad arguments`) {
			e.Error(answer)
		}
	}},
	{name: "a handler waits for an answer", run: func(e *env) {
		c := e.connected()
		done := make(chan string, 1)
		c.On("again", func(ctx context.Context) {
			got, err := c.EmitWithAck(ctx, "echo", "inner")
			done <- fmt.Sprint(got, err)
		})
		e.must(c.Emit("again"))
		same(e, next(e, done), `["inner"] <nil>`)
	}},

	// Offline.
	{name: "events before Connect are sent in order", run: func(e *env) {
		c := e.client()
		for i := range 20 {
			e.must(c.Emit("record", e.name, i))
		}
		same(e, c.Stats().Buffered, 20)
		e.must(c.Connect(e.ctx))
		e.call(c.Of("/"), "["+numbers(20)+"]", "recorded", e.name)
	}},
	{name: "events while offline are sent in order", run: func(e *env) {
		c := e.connected()
		lost := pipe(c.OnDisconnect)
		joined := pipe(c.OnConnect)
		e.net.cut()
		next(e, lost)
		for i := range 20 {
			e.must(c.Emit("record", e.name, i))
		}
		e.net.heal()
		next(e, joined)
		e.call(c.Of("/"), "["+numbers(20)+"]", "recorded", e.name)
	}},
	{name: "volatile events while offline are dropped", run: func(e *env) {
		c := e.client()
		e.must(c.Volatile().Emit("record", e.name, 1))
		e.must(c.Connect(e.ctx))
		e.call(c.Of("/"), "[[]]", "recorded", e.name)
		same(e, c.Stats().Volatile, 1)
	}},
	{name: "Refuse", run: func(e *env) {
		c := e.client(func(o *client.Options) { o.Offline = client.Refuse })
		same(e, c.Emit("record", e.name, 1), client.ErrOffline)
		_, err := c.EmitWithAck(e.ctx, "echo")
		same(e, err, client.ErrOffline)
	}},
	{name: "Drop", run: func(e *env) {
		c := e.client(func(o *client.Options) { o.Offline = client.Drop })
		e.must(c.Emit("record", e.name, 1))
		e.must(c.Connect(e.ctx))
		e.call(c.Of("/"), "[[]]", "recorded", e.name)
	}},
	{name: "MaxBuffer", run: func(e *env) {
		c := e.client(func(o *client.Options) { o.MaxBuffer = 1000 })
		for range 10 {
			if err := c.Emit("x", strings.Repeat("y", 200)); err == client.ErrBufferFull {
				return
			}
		}
		e.Error("no bound")
	}},
	{name: "MaxBufferAge", run: func(e *env) {
		c := e.client(func(o *client.Options) { o.MaxBufferAge = time.Nanosecond })
		e.must(c.Emit("record", e.name, 1))
		e.must(c.Connect(e.ctx))
		e.call(c.Of("/"), "[[]]", "recorded", e.name)
		same(e, c.Stats().Dropped.Expired, 1)
	}},
	{name: "a call waits for the connection", run: func(e *env) {
		c := e.client()
		time.AfterFunc(20*time.Millisecond, func() { c.Connect(e.ctx) })
		e.call(c.Of("/"), `["x"]`, "echo", "x")
	}},
	{name: "a call that is not awaited is not sent", run: func(e *env) {
		c := e.client()
		ctx, cancel := context.WithTimeout(e.ctx, 10*time.Millisecond)
		defer cancel()
		if _, err := c.EmitWithAck(ctx, "record", e.name, 1); !errors.Is(err, context.DeadlineExceeded) {
			e.Error(err)
		}
		e.must(c.Connect(e.ctx))
		e.call(c.Of("/"), "[[]]", "recorded", e.name)
	}},

	// Reconnection.
	{name: "comes back with all namespaces", run: func(e *env) {
		c := e.connected()
		other := c.Of("/other")
		e.must(other.Connect(e.ctx))
		joined, joinedOther := pipe(c.OnConnect), pipe(other.OnConnect)
		lost := pipe(c.OnDisconnect)
		life := c.Context()
		e.net.cut()
		if r := next(e, lost); r != client.ReasonTransport && r != client.ReasonError {
			e.Error(r)
		}
		next(e, life.Done())
		e.net.heal()
		if j := next(e, joined); j.First || j.ID == "" {
			e.Error(j)
		}
		next(e, joinedOther)
		e.call(c.Of("/"), `[1]`, "echo", 1)
		e.call(other, `[2]`, "echo", 2)
	}},
	{name: "tells of attempts", run: func(e *env) {
		c := e.connected()
		states := pipe(c.OnState)
		e.net.cut()
		for i := 1; i < 4; {
			ch := next(e, states)
			if ch.To == client.Connecting {
				same(e, ch.Attempt, i)
				i++
			} else if ch.To != client.Connected && (ch.To != client.Waiting || ch.Delay <= 0 || ch.Err == nil) {
				e.Error(ch)
			}
		}
		e.net.heal()
		for next(e, states).To != client.Connected {
		}
	}},
	{name: "gives up after MaxAttempts", run: func(e *env) {
		c := e.connected(func(o *client.Options) { o.MaxAttempts = 3 })
		states := pipe(c.OnState)
		e.net.cut()
		for {
			if ch := next(e, states); ch.To == client.Idle {
				var failed *client.AttemptsError
				if !errors.As(ch.Err, &failed) || failed.Attempts != 3 {
					e.Error(ch.Err)
				}
				break
			}
		}
		e.net.heal()
		e.must(c.Connect(e.ctx))
	}},
	{name: "Disconnect stays", run: func(e *env) {
		c := e.connected()
		lost := pipe(c.OnDisconnect)
		e.must(c.Disconnect())
		same(e, next(e, lost), client.ReasonClient)
		same(e, c.State(), client.Idle)
		id := c.ID()
		e.must(c.Connect(e.ctx))
		if c.ID() == id {
			e.Error(id)
		}
	}},
	{name: "Disconnect of one namespace", run: func(e *env) {
		c := e.connected()
		other := c.Of("/other")
		e.must(other.Connect(e.ctx))
		e.must(other.Disconnect())
		e.call(c.Of("/"), `[1]`, "echo", 1)
		same(e, other.Connected(), false)
		e.must(other.Connect(e.ctx))
		e.call(other, `[2]`, "echo", 2)
	}},
	{name: "the server disconnects a namespace", run: func(e *env) {
		c := e.connected()
		other := c.Of("/other")
		e.must(other.Connect(e.ctx))
		lost := pipe(other.OnDisconnect)
		e.must(other.Emit("leave"))
		same(e, next(e, lost), client.ReasonServer)
		e.call(c.Of("/"), `[1]`, "echo", 1)
		same(e, other.Connected(), false)
		e.must(other.Connect(e.ctx))
	}},
	{name: "the server disconnects the client", run: func(e *env) {
		c := e.connected()
		lost := pipe(c.OnDisconnect)
		e.must(c.Emit("leave"))
		same(e, next(e, lost), client.ReasonServer)
		for c.State() != client.Idle {
			time.Sleep(time.Millisecond) //nolint:forbidigo // the notification comes before the state
		}
		e.must(c.Connect(e.ctx))
	}},
	{name: "Deliver", run: func(e *env) {
		c := e.connected()
		got, err := c.Deliver(e.ctx, "echo", 1, []byte("x"))
		e.must(err)
		same(e, got.Len(), 2)
	}},
	{name: "Deliver before Connect and across a lost connection", run: func(e *env) {
		c := e.client()
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := c.Deliver(e.ctx, "record", e.name, 0)
			e.must(err)
		})
		time.AfterFunc(10*time.Millisecond, func() { c.Connect(e.ctx) })
		wait.Wait()
		e.net.cut()
		time.AfterFunc(50*time.Millisecond, e.net.heal)
		_, err := c.Deliver(e.ctx, "record", e.name, 1)
		e.must(err)
		e.call(c.Of("/"), "[[0,1]]", "recorded", e.name)
	}},

	// The heartbeat.
	{name: "answers pings", run: func(e *env) {
		c := e.connected()
		lost := pipe(c.OnDisconnect)
		select {
		case r := <-lost:
			e.Error(r)
		case <-time.After(2200 * time.Millisecond):
		}
		e.call(c.Of("/"), `[]`, "echo")
	}},

	// Recovery.
	{name: "recovers what was missed", on: recoversAtOnce, run: func(e *env) {
		a, b := e.connected(), e.client(func(o *client.Options) { o.Dial = nil })
		e.must(b.Connect(e.ctx))
		e.call(a.Of("/"), `[]`, "join", e.name)
		got := events[int](a.Of("/"), "hello")
		id := a.ID()
		e.must(b.Emit("to", e.name, "hello", 0))
		same(e, next(e, got), 0)
		joined, lost := pipe(a.OnConnect), pipe(a.OnDisconnect)
		e.net.cut()
		next(e, lost)
		for i := 1; i < 5; i++ {
			e.must(b.Emit("to", e.name, "hello", i))
		}
		e.call(b.Of("/"), `[]`, "echo")
		e.net.heal()
		if j := next(e, joined); !j.Recovered || j.ID != id || !a.Recovered() {
			e.Error(j, id)
		}
		for i := 1; i < 5; i++ {
			same(e, next(e, got), i)
		}
		e.must(b.Emit("to", e.name, "hello", 5)) // the room is kept
		same(e, next(e, got), 5)
	}},
	{name: "does not recover after Disconnect", on: recovers, run: func(e *env) {
		c := e.connected()
		c.Disconnect()
		e.must(c.Connect(e.ctx))
		same(e, c.Recovered(), false)
	}},

	// The end.
	{name: "Shutdown sends what is queued", on: handlesAll, run: func(e *env) {
		c := e.connected()
		for i := range 100 {
			e.must(c.Emit("record", e.name, i))
		}
		e.must(c.Shutdown(e.ctx))
		same(e, c.Emit("record", e.name, 101), client.ErrClosed)
		other := e.connected()
		for e.ctx.Err() == nil { // which may overtake it
			if e.call(other.Of("/"), "", "recorded", e.name).String() == "["+numbers(100)+"]" {
				return
			}
		}
		e.Error("not sent")
	}},
	{name: "Shutdown says what was not sent", run: func(e *env) {
		e.net.cut()
		c, err := client.New(e.url, &client.Options{Dial: e.net.dial, Logger: quiet})
		e.must(err)
		e.must(c.Emit("x"))
		go c.Connect(e.ctx)
		for c.State() == client.Idle {
			time.Sleep(time.Millisecond) //nolint:forbidigo // until Connect has begun
		}
		ctx, cancel := context.WithTimeout(e.ctx, 10*time.Millisecond)
		defer cancel()
		var unsent *client.UnsentError
		if err := c.Shutdown(ctx); !errors.As(err, &unsent) || unsent.Events != 1 {
			e.Error(err)
		}
	}},
	{name: "Close ends every wait", run: func(e *env) {
		c := e.connected()
		done := make(chan error, 2)
		go func() { _, err := c.EmitWithAck(e.ctx, "late", 10000); done <- err }()
		go func() { _, err := c.Deliver(e.ctx, "late", 10000); done <- err }()
		for c.Stats().PendingAcks == 0 {
			time.Sleep(time.Millisecond) //nolint:forbidigo // until it waits
		}
		e.must(c.Close())
		for range 2 {
			if err := next(e, done); err == nil {
				e.Error("no error")
			}
		}
	}},
}

// numbers returns the list from 0 to n-1 as JSON.
func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return "[" + strings.Join(list, ",") + "]"
}
