package tests_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

type point struct {
	X, Y int
	Note *string `json:"note,omitempty"`
}

// Defined function types have accepted shapes too, but none of them is a type
// that the compiler of handlers knows: they are called by reflection.
type (
	reflectedArgs   func(*socketio.Socket, socketio.Args)
	reflectedString func(*socketio.Socket, string)
	reflectedBytes  func(*socketio.Socket, []byte)
	reflectedInt    func(*socketio.Socket, int)
	reflectedFloat  func(*socketio.Socket, float64)
	reflectedRaw    func(*socketio.Socket, json.RawMessage)
	reflectedText   func(*socketio.Socket, string) string
	reflectedJSON   func(*socketio.Socket, json.RawMessage) json.RawMessage
)

type room struct{ greeting string }

func (r room) greet(name string) string { return r.greeting + " " + name }

func TestHandlerShapes(t *testing.T) {
	t.Parallel()
	show := func(v any) string { return strings.ReplaceAll(fmt.Sprintf("%+v", v), `"`, `'`) }
	tests := []struct {
		name    string
		handler any
		args    string // as the client sends them
		answer  string
	}{
		{"nothing taken, nothing returned", func() {}, `1,2`, `[]`},
		{"the socket", func(*socketio.Socket) {}, ``, `[]`},
		{"the context", func(ctx context.Context) bool { return ctx.Err() == nil }, ``, `[true]`},
		{"context and socket", func(ctx context.Context, s *socketio.Socket) bool { return ctx == s.Context() }, ``, `[true]`},
		{"one argument", func(n int) int { return n + 1 }, `41`, `[42]`},
		{"context and arguments", func(_ context.Context, a, b int) int { return a + b }, `1,2`, `[3]`},
		{"socket and arguments", func(_ *socketio.Socket, a, b string) string { return a + b }, `"x","y"`, `["xy"]`},
		{"everything", func(_ context.Context, _ *socketio.Socket, n int, rest socketio.Args, ack socketio.AckFunc) error {
			return ack(n, rest)
		}, `1,2,3`, `[1,2,3]`},

		{"a struct", func(p point) string { return show(p) }, `{"X":1,"y":2,"z":3}`, `["{X:1 Y:2 Note:<nil>}"]`},
		{"a pointer", func(p *point) point { return *p }, `{"X":1,"note":"n"}`, `[{"X":1,"Y":0,"note":"n"}]`},
		{"null for a pointer", func(p *point) bool { return p == nil }, `null`, `[true]`},
		{"null for a struct", func(p point) point { return p }, `null`, `[{"X":0,"Y":0}]`},
		{"a slice", func(l []int) int { return len(l) }, `[1,2,3]`, `[3]`},
		{"an array", func(l [2]int) int { return l[1] }, `[1,2]`, `[2]`},
		{"a map", func(m map[string]int) int { return m["b"] }, `{"a":1,"b":2}`, `[2]`},
		{"any number", func(v any) string { return fmt.Sprintf("%T %v", v, v) }, `1.5`, `["float64 1.5"]`},
		{"any object", func(v any) string { return show(v) }, `{"a":[1,"b",null,true]}`, `["map[a:[1 b <nil> true]]"]`},
		{"raw JSON", func(v json.RawMessage) string { return show(string(v)) }, `{"a": 1}`, `["{'a': 1}"]`},
		{"a time", func(v time.Time) int { return v.Year() }, `"2026-01-02T03:04:05Z"`, `[2026]`},
		{"a bool", func(v bool) bool { return !v }, `false`, `[true]`},
		{"an unsigned integer", func(v uint8) uint8 { return v }, `255`, `[255]`},
		{"a float", func(v float32) float32 { return v }, `0.25`, `[0.25]`},
		{"base64 for bytes", func(v []byte) string { return string(v) }, `"aGk="`, `["hi"]`},

		{"missing arguments are zero values", func(a int, b string, c *point) string { return fmt.Sprint(a, b == "", c == nil) }, `7`, `["7 true true"]`},
		{"extra arguments are ignored", func(a int) int { return a }, `7,8,9`, `[7]`},
		{"a variadic parameter", func(a int, more ...string) string { return fmt.Sprint(a, more) }, `1,"b","c"`, `["1 [b c]"]`},
		{"a variadic parameter without arguments", func(a int, more ...string) int { return a + len(more) }, `1`, `[1]`},
		{"a variadic parameter with fewer arguments still", func(a int, more ...string) int { return a + len(more) }, ``, `[0]`},
		{"a variadic parameter of another type", func(a int, more ...string) int { return a + len(more) }, `1,"b",2`, `[{"error":{"message":"bad arguments"}}]`},
		{"any number of anything", func(more ...any) string { return fmt.Sprint(more...) }, `1,"b",null`, `["1b<nil>"]`},
		{"Args take all", func(args socketio.Args) socketio.Args { return args }, `1,{"a":2}`, `[1,{"a":2}]`},
		{"Args take what is left", func(_ int, rest socketio.Args) int { return rest.Len() }, `1,2,3`, `[2]`},
		{"Args take nothing", func(_ int, rest socketio.Args) int { return rest.Len() }, ``, `[0]`},

		{"no result", func(*socketio.Socket, int) {}, `1`, `[]`},
		{"a nil error", func() error { return nil }, ``, `[]`},
		{"a result and a nil error", func() (string, error) { return "ok", nil }, ``, `["ok"]`},
		{"a result with an error", func() (string, error) { return "ok", socketio.Errorf("no") }, ``, `[{"error":{"message":"no"}}]`},
		{"several results at once", func() (socketio.Args, error) { return socketio.Args{}, nil }, ``, `[]`},
		{"a list is one result", func() []any { return []any{1, "b"} }, ``, `[[1,"b"]]`},
		{"a nil result", func() *point { return nil }, ``, `[null]`},
		{"any result", func() any { return map[string]int{"a": 1} }, ``, `[{"a":1}]`},
		{"an AckFunc", func(ack socketio.AckFunc) { ack(1, "b") }, ``, `[1,"b"]`},
		{"an AckFunc after arguments", func(a int, ack socketio.AckFunc) { ack(a) }, `3`, `[3]`},
		{"an AckFunc and an error", func(ack socketio.AckFunc) error { return socketio.Errorf("no") }, ``, `[{"error":{"message":"no"}}]`},

		{"a method", room{"hello"}.greet, `"you"`, `["hello you"]`},
		{"a defined type", reflectedText(func(_ *socketio.Socket, s string) string { return s }), `"x"`, `["x"]`},
	}
	srv := siotest.Serve(t, nil)
	for _, tt := range tests {
		srv.On(tt.name, tt.handler)
	}
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		for _, tt := range tests {
			event := fmt.Sprintf("[%q", tt.name)
			if tt.args != "" {
				event += "," + tt.args
			}
			siotest.WantEqual(t, tt.name, c.Ask(event+"]"), tt.answer)
		}
	})
}

// Shapes that are called without reflection behave as all others do.
func TestFastAndReflectedHandlersAgree(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	seen := make(chan string, 1)
	saw := func(v any) { seen <- fmt.Sprintf("%T %#v", v, v) }
	both := func(name string, fast, reflected any) {
		siotest.WantEqual(t, name+": reflected shape is another type", reflect.TypeOf(fast) == reflect.TypeOf(reflected), false)
		srv.On("fast "+name, fast)
		srv.On("reflected "+name, reflected)
	}
	args := func(_ *socketio.Socket, v socketio.Args) { saw(v.String()) }
	text := func(_ *socketio.Socket, v string) { saw(v) }
	bytes := func(_ *socketio.Socket, v []byte) { saw(v) }
	integer := func(_ *socketio.Socket, v int) { saw(v) }
	float := func(_ *socketio.Socket, v float64) { saw(v) }
	raw := func(_ *socketio.Socket, v json.RawMessage) { saw(v) }
	upper := func(_ *socketio.Socket, v string) string { saw(v); return strings.ToUpper(v) }
	same := func(_ *socketio.Socket, v json.RawMessage) json.RawMessage { saw(v); return v }
	both("args", args, reflectedArgs(args))
	both("string", text, reflectedString(text))
	both("bytes", bytes, reflectedBytes(bytes))
	both("int", integer, reflectedInt(integer))
	both("float", float, reflectedFloat(float))
	both("raw", raw, reflectedRaw(raw))
	both("string answered", upper, reflectedText(upper))
	both("raw answered", same, reflectedJSON(same))

	inputs := []string{
		``, `,null`, `,true`, `,0`, `,-0`, `,1`, `,-17`, `,1.5`, `,1.0`, `,1e3`, `,1e400`, `,9223372036854775807`,
		`,9223372036854775808`, `,""`, `,"x"`, `,"é漢😀"`, `,"a\"b\\c\n\u00e9\ud83d\ude00"`, `,"\ud800"`, `,"aGk="`, `,"a"`,
		`,[]`, `,[1,2]`, `,["a"]`, `,{}`, `,{"a":1}`, `, "space" , 2`, `,1,2`,
	}
	c := srv.Join(t, siotest.WebSocket)
	try := func(handler, input string) string {
		answer := c.Ask(fmt.Sprintf("[%q%s]", handler, input))
		if strings.Contains(answer, "bad arguments") {
			err := siotest.WantError[*socketio.DecodeError](t, srv)
			return answer + " " + fmt.Sprint(err.Arg)
		}
		return answer + " " + siotest.Receive(t, seen)
	}
	for _, name := range []string{"args", "string", "bytes", "int", "float", "raw", "string answered", "raw answered"} {
		for _, input := range inputs {
			siotest.WantEqual(t, name+" of "+input, try("fast "+name, input), try("reflected "+name, input))
		}
	}
}

func TestRefusedHandlerShapes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler any
		panics  string
	}{
		{"nil", nil, `<nil> is not a function of the shape`},
		{"no function", 7, `int is not a function of the shape`},
		{"a nil function", (func(int))(nil), `is not a function of the shape`},
		{"a nil function of a common shape", (func(*socketio.Socket))(nil), `is not a function of the shape`},
		{"two results", func() (int, int) { return 0, 0 }, `more than one result beside an error`},
		{"an error that is not last", func() (error, int) { return nil, 0 }, `more than one result beside an error`}, //nolint:staticcheck // it is what is refused
		{"a result and an AckFunc", func(socketio.AckFunc) int { return 0 }, `a result as well as an AckFunc`},
		{"an *Error as the result", func() *socketio.Error { return nil }, `*socketio.Error is an error: declare the result as error`},
		{"the context behind the socket", func(*socketio.Socket, context.Context) {}, `context.Context out of place`},
		{"the socket behind an argument", func(int, *socketio.Socket) {}, `*socketio.Socket out of place`},
		{"Args before an argument", func(socketio.Args, int) {}, `socketio.Args out of place`},
		{"the AckFunc before an argument", func(socketio.AckFunc, int) {}, `socketio.AckFunc out of place`},
		{"the AckFunc before Args", func(socketio.AckFunc, socketio.Args) {}, `socketio.AckFunc out of place`},
		{"two AckFuncs", func(_, _ socketio.AckFunc) {}, `socketio.AckFunc out of place`},
		{"a variadic parameter behind an AckFunc", func(socketio.AckFunc, ...int) {}, `a variadic parameter as well as Args or an AckFunc`},
		{"a variadic parameter behind Args", func(socketio.Args, ...int) {}, `a variadic parameter as well as Args or an AckFunc`},
		{"variadic AckFuncs", func(...socketio.AckFunc) {}, `socketio.AckFunc out of place`},
		{"variadic Args", func(...socketio.Args) {}, `socketio.Args out of place`},
		{"variadic sockets", func(...*socketio.Socket) {}, `*socketio.Socket out of place`},
		{"a channel", func(chan int) {}, `a chan int can't be decoded`},
		{"a function", func(func()) {}, `a func() can't be decoded`},
		{"variadic channels", func(...chan int) {}, `a chan int can't be decoded`},
		{"an interface with methods", func(io.Reader) {}, `a io.Reader can't be decoded`},
		{"a complex number", func(complex128) {}, `a complex128 can't be decoded`},
		{"an unsafe pointer", func(unsafe.Pointer) {}, `a unsafe.Pointer can't be decoded`},
		{"a socket by value", taking[socketio.Socket](), `a socketio.Socket can't be decoded`},
		{"a socket by value behind the socket", takingSocketAnd[socketio.Socket](), `a socketio.Socket can't be decoded`},
		{"a namespace", func(*socketio.Namespace) {}, `a *socketio.Namespace can't be decoded: it holds a socketio.Namespace`},
		{"a server", func(*socketio.Server) {}, `can't be decoded`},
		{"a server by value", taking[socketio.Server](), `a socketio.Server can't be decoded`},
		{"a room", func(socketio.Room) {}, `a socketio.Room can't be decoded`},
		{"an emitter", func(socketio.Emitter) {}, `a socketio.Emitter can't be decoded`},
		{"a message", func(*socketio.Message) {}, `can't be decoded`},
		{"a handshake", func(*socketio.Handshake) {}, `can't be decoded`},
		{"a pointer to a channel", func(*chan int) {}, `a *chan int can't be decoded: it holds a chan int`},
		{"functions in a list of a map", func(map[string][]func()) {}, `it holds a func()`},
		{"a list of interfaces", func([]error) {}, `it holds a error`},
		{"an array of complex numbers", func([2]complex64) {}, `it holds a complex64`},
		{"a map with keys of structs", func(map[struct{ X int }]int) {}, `it holds a struct { X int }`},
		{"a field", func(struct{ Done chan bool }) {}, `Done is a chan bool; a field that clients do not send has the tag`},
		{"a field of a field", func(struct {
			A []struct{ B *socketio.Socket }
		}) {
		}, `A.B is a socketio.Socket`},
		{"a field of an embedded struct", func(struct{ withChannel }) {}, `withChannel.C is a chan int`},
		{"Args in a field", func(struct{ Rest socketio.Args }) {}, `Rest is a socketio.Args`},
	}
	io := socketio.NewServer(nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []socketio.Registrar{io, io.Of("/other")} {
				siotest.WantPanic(t, func() { r.On("event", tt.handler) }, `socketio: On("event"): `, tt.panics,
					`func([context.Context,] [*socketio.Socket,] args… [, socketio.Args] [, socketio.AckFunc]) [result] [error]`)
			}
		})
	}
}

// taking returns a handler with a parameter that vet would not have passed by value.
func taking[T any]() any { return func(T) {} }

func takingSocketAnd[T any]() any { return func(*socketio.Socket, T) {} }

type withChannel struct{ C chan int }

// Types that look like those that are refused, and can be decoded.
func TestDecodableShapes(t *testing.T) {
	t.Parallel()
	type tree struct {
		Children []*tree
		Parent   *tree
	}
	io := socketio.NewServer(nil)
	for _, fn := range []any{
		func(struct {
			Done  chan int `json:"-"`
			inner func()
		}) {
		},
		func(struct{ Err error }) {}, func(tree) {}, func(any, *any, []any, map[string]any) {},
		func(map[int]string, map[netip.Addr]bool) {}, func(decodesItself) {}, func([]*decodesItself) {},
		func(time.Time, *url.URL, big.Int, http.Header) {}, func(socketio.Error) {}, func(struct{}) {}, taking[sync.Mutex](),
		func(socketio.Transport, socketio.Reason) {},
	} {
		io.On("event", fn)
		io.OnServerSide("event", fn)
	}
	socketio.Event[socketio.Args]("event").On(io, func(context.Context, *socketio.Socket, socketio.Args) error { return nil })
}

// A decodesItself is a type of a kind that JSON does not have.
type decodesItself func()

func (*decodesItself) UnmarshalJSON([]byte) error { return nil }

// What can't be received is refused wherever a receiver is registered.
func TestRefusedReceiversOfTypedEvents(t *testing.T) {
	t.Parallel()
	io := socketio.NewServer(nil)
	siotest.WantPanic(t, func() {
		socketio.Event[chan int]("e").On(io, func(context.Context, *socketio.Socket, chan int) error { return nil })
	}, `socketio: On("e"): a chan int can't be decoded`)
	siotest.WantPanic(t, func() {
		socketio.Event[*socketio.Socket]("e").On(io, func(context.Context, *socketio.Socket, *socketio.Socket) error { return nil })
	}, `it holds a socketio.Socket`)
	siotest.WantPanic(t, func() {
		socketio.Event[socketio.AckFunc]("e").On(io, func(context.Context, *socketio.Socket, socketio.AckFunc) error { return nil })
	}, `a socketio.AckFunc can't be decoded`)
	siotest.WantPanic(t, func() {
		socketio.Call[[]func(), int]("c").On(io, func(context.Context, *socketio.Socket, []func()) (int, error) { return 0, nil })
	}, `it holds a func()`)
	siotest.WantPanic(t, func() {
		socketio.Call[int, *socketio.Error]("c").On(io, func(context.Context, *socketio.Socket, int) (*socketio.Error, error) { return nil, nil })
	}, `*socketio.Error is an error: return it beside the answer`)
	siotest.WantPanic(t, func() { socketio.Event[int]("e").On(io, nil) }, `On("e"): the function is nil`)
	siotest.WantPanic(t, func() { socketio.Call[int, int]("c").On(io, nil) }, `On("c"): the function is nil`)
	siotest.WantPanic(t, func() { io.OnServerSide("e", func(socketio.Room) {}) }, `a socketio.Room can't be decoded`)
	siotest.WantPanic(t, func() { io.OnServerSide("e", func(struct{ C chan int }) {}) }, `C is a chan int`)
	for name, register := range map[string]func(){
		"Intercept": func() { io.Intercept(nil) }, "Use": func() { io.Use(nil) }, "OnConnect": func() { io.OnConnect(nil) },
		"OnDisconnect": func() { io.OnDisconnect(nil) }, "OnAny": func() { io.OnAny(nil) }, "OnAnyOutgoing": func() { io.OnAnyOutgoing(nil) },
		"OnJoin": func() { io.OnJoin(nil) }, "OnLeave": func() { io.OnLeave(nil) }, "OfMatch": func() { io.OfMatch(nil) },
	} {
		siotest.WantPanic(t, register, "socketio: "+name+": the function is nil")
	}
}

func TestReservedNamesCannotBeHandled(t *testing.T) {
	t.Parallel()
	io := socketio.NewServer(nil)
	for _, name := range []string{"connect_error", "newListener", "removeListener"} {
		reserved := fmt.Sprintf("socketio: On(%q): the name is reserved", name)
		siotest.WantPanic(t, func() { io.On(name, func() {}) }, reserved)
		siotest.WantPanic(t, func() {
			socketio.Event[int](name).On(io, func(context.Context, *socketio.Socket, int) error { return nil })
		}, reserved)
		siotest.WantPanic(t, func() {
			socketio.Call[int, int](name).On(io, func(context.Context, *socketio.Socket, int) (int, error) { return 0, nil })
		}, reserved)
	}
}

func TestArgumentOfTheWrongType(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, nil)
		ran := make(chan string, 10)
		srv.On("add", func(a, b int) int { ran <- "first"; return a + b })
		srv.On("add", func(_, _ any) { ran <- "second" })
		c := srv.Join(t, transport)
		siotest.WantEqual(t, "answer", c.Ask(`["add",1,"2"]`), `[{"error":{"message":"bad arguments"}}]`)
		err := siotest.WantError[*socketio.DecodeError](t, srv)
		siotest.WantEqual(t, "event", err.Event, "add")
		siotest.WantEqual(t, "argument", err.Arg, 1)
		if !strings.HasPrefix(err.Error(), `socketio: event "add", argument 1: `) || errors.Unwrap(err) == nil {
			t.Errorf("error is %q", err)
		}
		siotest.WantEqual(t, "other handlers", siotest.Receive(t, ran), "second")
		c.Write(`42["add",{}]`) // nobody asks for an answer
		siotest.WantEqual(t, "argument", siotest.WantError[*socketio.DecodeError](t, srv).Arg, 0)
		siotest.WantEqual(t, "other handlers", siotest.Receive(t, ran), "second")
		c.WantNothing()
	})
}

// What a decoder says of an argument stays true when its buffer is used again.
func TestDecodeErrorOutlivesItsEvent(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("add", func(int) {})
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`42["add","first"]`)
	err := siotest.WantError[*socketio.DecodeError](t, srv)
	text := err.Error()
	for range 10 {
		c.Ask(`["echo","XXXXXXXXXXXX"]`)
	}
	siotest.WantEqual(t, "text", err.Error(), text)
}

func TestErrorsOfHandlers(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	secret := errors.New("password is 1234")
	srv.On("refuse", func() error { return socketio.Errorf("not %s", "you") })
	srv.On("refuse with data", func() error {
		return &socketio.Error{Message: "no", Data: json.RawMessage(`{"retry":5}`)}
	})
	srv.On("refuse, wrapped", func() error { return fmt.Errorf("%w because %w", socketio.Errorf("no"), secret) })
	srv.On("refuse with garbage", func() error { return &socketio.Error{Message: "no", Data: json.RawMessage(`{`)} })
	srv.On("fail", func() (int, error) { return 1, secret })
	c := srv.Join(t, siotest.WebSocket)

	siotest.WantEqual(t, "an *Error", c.Ask(`["refuse"]`), `[{"error":{"message":"not you"}}]`)
	siotest.WantEqual(t, "with data", c.Ask(`["refuse with data"]`), `[{"error":{"message":"no","data":{"retry":5}}}]`)
	siotest.WantEqual(t, "only the *Error shows", c.Ask(`["refuse, wrapped"]`), `[{"error":{"message":"no"}}]`)
	select {
	case err := <-srv.Errors:
		t.Errorf("OnError was told %v, which is no fault", err)
	default:
	}
	siotest.WantEqual(t, "another error does not show", c.Ask(`["fail"]`), `[{"error":{"message":"internal error"}}]`)
	siotest.WantEqual(t, "but is told", siotest.Receive(t, srv.Errors), secret)
	siotest.WantEqual(t, "data that is no JSON", c.Ask(`["refuse with garbage"]`), `[{"error":{"message":"internal error"}}]`)
	siotest.Receive(t, srv.Errors)
	c.Write(`42["refuse"]`, `42["fail"]`)
	siotest.WantEqual(t, "told without an ack", siotest.Receive(t, srv.Errors), secret)
	c.WantNothing()
}

func TestResultThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("chan", func() any { return make(chan int) })
	srv.On("ack", func(ack socketio.AckFunc) {
		if err := ack(make(chan int)); err == nil {
			t.Error("a channel was encoded")
		}
		ack("second try")
	})
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["chan"]`), `[{"error":{"message":"internal error"}}]`)
	siotest.Receive(t, srv.Errors)
	siotest.WantEqual(t, "answer", c.Ask(`["ack"]`), `["second try"]`)
}

type failingError struct{}

func (failingError) Error() string { panic("no text") }

func TestPanicsOfHandlers(t *testing.T) {
	t.Parallel()
	var nobody map[string]int
	boom := errors.New("boom")
	tests := []struct {
		name  string
		fn    func()
		value func(v any) bool
	}{
		{"an error", func() { panic(boom) }, func(v any) bool { return v == boom }},
		{"a string", func() { panic("boom") }, func(v any) bool { return v == "boom" }},
		{"nil", func() { panic(nil) }, func(v any) bool { _, ok := v.(*runtime.PanicNilError); return ok }},
		{"a runtime error", func() { nobody["x"] = 1 }, func(v any) bool { _, ok := v.(runtime.Error); return ok }},
		{"a value that panics itself", func() { panic(failingError{}) }, func(v any) bool { _, ok := v.(failingError); return ok }},
		{"Goexit", runtime.Goexit, func(v any) bool { return v != nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			siotest.OnEachTransport(t, func(t *testing.T, transport string) {
				srv := siotest.Serve(t, nil)
				srv.On("panic", func(*socketio.Socket) { tt.fn() })
				srv.On("panic", func(s *socketio.Socket) { s.Emit("another handler") })
				c := srv.Join(t, transport)

				c.Write(`427["panic",1]`)
				if tt.name != "Goexit" { // which takes the other handlers along
					c.Want(`42["another handler"]`)
				}
				c.Want(`437[{"error":{"message":"internal error"}}]`)
				err := siotest.WantError[*socketio.PanicError](t, srv)
				siotest.WantEqual(t, "event", err.Event, "panic")
				if !tt.value(err.Value) {
					t.Errorf("the panic's value is %#v", err.Value)
				}
				if !strings.Contains(string(err.Stack), "TestPanicsOfHandlers") || !strings.HasPrefix(err.Error(), `socketio: event "panic": panic: `) {
					t.Errorf("error is %q with stack %s", err, err.Stack)
				}
				siotest.WantEqual(t, "panics counted", srv.Stats().Panics, 1)
				for i := range 100 { // the socket lives on
					siotest.WantEqual(t, "echo", c.Ask(fmt.Sprintf(`["echo",%d]`, i)), fmt.Sprintf("[%d]", i))
				}
			})
		})
	}
}

// Errors come from applications, and so do their methods.
func TestErrorWhoseTextPanics(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{
		Logger:  slog.New(slog.DiscardHandler),
		OnError: func(_ *socketio.Socket, err error) { _ = err.Error() },
	})
	srv.On("fail", func() error { return failingError{} })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["fail"]`), `[{"error":{"message":"internal error"}}]`)
	c.WantNothing()
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// withoutPorts removes what differs each time from a line of a log.
func withoutPorts(line string) string { return port.ReplaceAllString(line, "127.0.0.1") }

func TestLogger(t *testing.T) {
	t.Parallel()
	log := make(lines, 10)
	srv := siotest.Serve(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))})
	srv.On("fail", func() error { return errors.New("some text") })
	srv.On("refuse", func() error { return socketio.Errorf("not you") })
	c := srv.Open(t, siotest.WebSocket)
	id := c.Join("/", "")
	c.Write(`42["refuse"]`, `42["fail"]`, `4abc`)
	siotest.WantEqual(t, "an error of a handler", withoutPorts(siotest.Receive(t, log)), `level=WARN msg="socketio: handler failed" socket.id=`+id+` socket.namespace=/ socket.transport=websocket socket.remote=127.0.0.1 event=fail error="some text"`+"\n")
	if line := siotest.Receive(t, log); !regexp.MustCompile(`^level=INFO msg="socketio: connection closed for a bad packet" remote=127\.0\.0\.1:\d+ error="socket\.io: unknown packet type"\n$`).MatchString(line) {
		t.Errorf("a bad packet is logged as %s", line)
	}
}

// A lines takes what is written to it, call by call.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestOnErrorMayPanic(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{OnError: func(*socketio.Socket, error) { panic("again") }})
	srv.On("fail", func() error { return errors.New("no") })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "answer", c.Ask(`["fail"]`), `[{"error":{"message":"internal error"}}]`)
	c.WantNothing()
}

func TestOnErrorIsToldWhoseErrorItIs(t *testing.T) {
	t.Parallel()
	sockets := make(chan *socketio.Socket, 10)
	srv := siotest.Serve(t, &socketio.Options{OnError: func(s *socketio.Socket, _ error) { sockets <- s }})
	srv.On("fail", func() error { return errors.New("no") })
	c := srv.Open(t, siotest.WebSocket)
	id := c.Join("/", "")
	c.Write(`42["fail"]`)
	siotest.WantEqual(t, "socket", siotest.Receive(t, sockets).ID(), id)
	c.Write(`4abc`)
	siotest.WantEqual(t, "socket of a bad packet", siotest.Receive(t, sockets), nil)
}

func TestSeveralHandlersRunInOrder(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	log := func(what string) func(*socketio.Socket) {
		return func(s *socketio.Socket) { s.Emit("ran", what) }
	}
	srv.On("event", log("namespace 1"))
	srv.OnConnect(func(s *socketio.Socket) {
		s.On("event", log("socket 1"))
		s.On("event", log("socket 2"))
	})
	srv.On("event", log("namespace 2"))
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`42["event"]`)
	c.Want(`42["ran","socket 1"]`, `42["ran","socket 2"]`, `42["ran","namespace 1"]`, `42["ran","namespace 2"]`)
	c.WantNothing()
}

func TestFirstResultAnswers(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	srv.On("event", func() {})
	srv.On("event", func() int { return 1 })
	srv.On("event", func() int { return 2 })
	srv.On("event", func() error { return socketio.Errorf("too late") })
	srv.On("error first", func() error { return socketio.Errorf("no") })
	srv.On("error first", func() int { return 1 })
	srv.On("ack first", func(ack socketio.AckFunc) { ack("ack") })
	srv.On("ack first", func() int { return 1 })
	srv.On("ack later", func(s *socketio.Socket, ack socketio.AckFunc) {
		s.On("now", func() { s.Emit("acked", fmt.Sprint(ack("late"))) })
	})
	srv.On("ack later", func() {})
	srv.On("own first", func() string { return "namespace" })
	srv.OnConnect(func(s *socketio.Socket) { s.On("own first", func() string { return "socket" }) })
	c := srv.Join(t, siotest.WebSocket)
	siotest.WantEqual(t, "first result", c.Ask(`["event"]`), `[1]`)
	siotest.WantEqual(t, "an error is one", c.Ask(`["error first"]`), `[{"error":{"message":"no"}}]`)
	siotest.WantEqual(t, "an AckFunc called", c.Ask(`["ack first"]`), `["ack"]`)
	siotest.WantEqual(t, "socket's own", c.Ask(`["own first"]`), `["socket"]`)
	c.Write(`427["ack later"]`)
	c.WantNothing() // a handler with an AckFunc answers later
	c.Write(`42["now"]`)
	c.Want(`437["late"]`, `42["acked","<nil>"]`)
}

func TestHandlersCanBeRemoved(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	emit := func(what string) func(*socketio.Socket) {
		return func(s *socketio.Socket) { s.Emit(what) }
	}
	off1 := srv.On("event", emit("1"))
	off2 := srv.On("event", emit("2"))
	off3 := srv.On("event", emit("3"))
	offOwn := make(chan func(), 1)
	srv.OnConnect(func(s *socketio.Socket) { offOwn <- s.On("event", emit("own")) })
	c := srv.Join(t, siotest.WebSocket)
	run := func(want ...any) {
		t.Helper()
		c.Write(`42["event"]`)
		c.Want(want...)
		c.WantNothing()
	}
	run(`42["own"]`, `42["1"]`, `42["2"]`, `42["3"]`)
	off2()
	run(`42["own"]`, `42["1"]`, `42["3"]`)
	off2() // again
	(<-offOwn)()
	run(`42["1"]`, `42["3"]`)
	off1()
	off3()
	run()
	c.Write(`425["event"]`) // nobody handles it, so nobody answers
	c.WantNothing()
	off := socketio.Event[int]("event").On(srv, func(_ context.Context, s *socketio.Socket, _ int) error { return s.Emit("typed") })
	run(`42["typed"]`)
	off()
	run()
}

func TestHandlerMayRemoveItself(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	var off func()
	off = srv.On("once", func(s *socketio.Socket) { off(); s.Emit("once") })
	srv.On("once", func(s *socketio.Socket) { s.Emit("always") })
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`42["once"]`, `42["once"]`)
	c.Want(`42["once"]`, `42["always"]`, `42["always"]`)
}

func TestHandlersChangeWhileServing(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				off := srv.On("count", func() int { return 1 })
				select {
				case <-stop:
					off()
					return
				default:
				}
				off()
			}
		})
	}
	c := srv.Join(t, siotest.WebSocket)
	for range 200 {
		c.Write(`42["count"]`)
		c.Ask(`["sync"]`)
	}
	close(stop)
	wg.Wait()
	c.Write(`427["count"]`)
	c.WantNothing()
}

func TestEventsNobodyHandlesAreNotAnswered(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c := srv.Join(t, siotest.WebSocket)
	c.Write(`421["nobody"]`, `42[""]`, `42["error",1]`, `42["__proto__"]`)
	c.WantNothing()
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	names := []string{"", "error", "1", "__proto__", "constructor", "toString", "a b", "é漢😀", "\u2028", `quote " and \`, "\x01"}
	srv.OnConnect(func(s *socketio.Socket) {
		for _, name := range names {
			s.On(name, func(v []byte) string { return name + string(v) })
		}
	})
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		c := srv.Join(t, transport)
		for _, name := range names {
			quoted, _ := json.Marshal(name)
			var got [1]string
			if err := json.Unmarshal([]byte(c.Ask("["+string(quoted)+"]")), &got); err != nil || got[0] != name {
				t.Errorf("event %q was answered with %q", name, got[0])
			}
			answer := c.Ask("["+string(quoted)+`,{"_placeholder":true,"num":0}]`, []byte("!"))
			if err := json.Unmarshal([]byte(answer), &got); err != nil || got[0] != name+"!" {
				t.Errorf("event %q with an attachment was answered with %q", name, got[0])
			}
		}
		siotest.WantEqual(t, "a number as name", c.Ask(`[1]`), `["1"]`)
	})
}
