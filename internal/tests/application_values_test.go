package tests_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

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
		e.strike()
	}
}

type badJSON struct{ m *fault }

func (v badJSON) MarshalJSON() ([]byte, error) { v.m.strike(); return []byte("1"), nil }

type badText struct{ m *fault }

func (v badText) MarshalText() ([]byte, error) { v.m.strike(); return []byte("1"), nil }

// decoding holds the faults of values that decode themselves, by what they decode.
var decoding sync.Map

// key names a fault in what a client sends.
func (m *fault) key() string { return fmt.Sprintf("%p", m) }

func decodeFault(text string) {
	if m, ok := decoding.Load(strings.Trim(text, `"`)); ok {
		m.(*fault).strike()
	}
}

type badUnJSON struct{}

func (*badUnJSON) UnmarshalJSON(text []byte) error { decodeFault(string(text)); return nil }

type badUnText string

func (*badUnText) UnmarshalText(text []byte) error { decodeFault(string(text)); return nil }

// decodes is a trigger for a value that decodes itself.
func decodes(m *fault, c *siotest.Client) {
	c.Write(fmt.Sprintf(`421["e",%q]`, m.key()))
}

type badCodec struct {
	m  *fault
	in string // where it misbehaves: in which method, for which packet
}

func (c badCodec) Encode(packet []byte, _ [][]byte) ([]byte, bool, error) {
	switch c.in {
	case "Encode " + string(packet[:1]):
		c.m.strike()
	case "carried":
		c.m.strikeCarried()
	}
	return bytes.Clone(packet), false, nil
}

func (c badCodec) Decode(message []byte, _ bool) ([]byte, [][]byte, error) {
	if c.in == "Decode" {
		c.m.strike()
	}
	return message, nil, nil
}

type badLog struct {
	m       *fault
	carried bool // it strikes only when the place has been reached
}

// badLogger is the Logger that carries a fault.
func badLogger(m *fault) *slog.Logger { return slog.New(badLog{m, true}) }

var discard = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})) //nolint:sloglint // DiscardHandler formats nothing

func (h badLog) Enabled(context.Context, slog.Level) bool { return true }
func (h badLog) Handle(context.Context, slog.Record) error {
	if h.carried {
		h.m.strikeCarried()
	} else {
		h.m.act()
	}
	return nil
}
func (h badLog) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h badLog) WithGroup(string) slog.Handler      { return h }

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
	switch c.in {
	case method:
		c.m.strike()
	case "carried " + method:
		c.m.strikeCarried()
	}
}
func (c badContext) Done() <-chan struct{}       { c.at("Done"); return c.Context.Done() }
func (c badContext) Err() error                  { c.at("Err"); return c.Context.Err() }
func (c badContext) Value(key any) any           { c.at("Value"); return c.Context.Value(key) }
func (c badContext) Deadline() (time.Time, bool) { c.at("Deadline"); return c.Context.Deadline() }

// nilMarshaler is encoded by a method that needs more than a nil pointer.
type nilMarshaler struct{ text string }

func (v *nilMarshaler) MarshalJSON() ([]byte, error) { return []byte(v.text), nil }

// nilValue says that a value that is a nil pointer is used: its methods panic, and can't
// say so.
func (m *fault) nilValue() {
	if m.armed.CompareAndSwap(true, false) {
		close(m.done)
	}
}

// onlyNil leaves out all kinds but that of nil pointers.
var onlyNil = map[string]string{"panic": isNil, "Goexit": isNil, "block": isNil, "re-enter": isNil}

const isNil = "a nil pointer does nothing else"

// valuePlaces are the places that call methods of values.
func valuePlaces() (list []place) {
	add := func(more ...place) { list = append(list, more...) }
	for _, method := range []string{"Error", "Unwrap", "As"} {
		bad := func(m *fault) error { return &badError{m, method} }
		add(
			place{name: "error of a handler: " + method, install: func(m *fault, srv *siotest.Server) { srv.On("e", func() error { return bad(m) }) }},
			place{name: "error of a second handler: " + method, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func() int { return 1 })
				srv.On("e", func() error { return bad(m) })
			}},
			place{name: "error of an interceptor: " + method, install: func(m *fault, srv *siotest.Server) {
				srv.Intercept(func(ctx context.Context, _ *socketio.Socket, msg *socketio.Message, next socketio.Next) ([]any, error) {
					if m.armed.Load() {
						return nil, bad(m)
					}
					return next(ctx, msg)
				})
			}},
			place{name: "error of middleware: " + method, early: true, install: func(m *fault, srv *siotest.Server) {
				srv.Use(func(_ context.Context, s *socketio.Socket) error {
					if m.armed.Load() {
						return bad(m)
					}
					return nil
				})
			}},
			place{name: "error as an answer: " + method, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func(ack socketio.AckFunc) { ack(bad(m)) })
			}},
			place{name: "error as a result: " + method, install: func(m *fault, srv *siotest.Server) { srv.On("e", func() any { return bad(m) }) }},
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
			place{name: name + " as a result", install: func(m *fault, srv *siotest.Server) { srv.On("e", func() any { return value(m) }) }},
			place{name: name + " as an answer", quiet: true, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func(ack socketio.AckFunc) { ack(value(m)) })
			}},
			place{name: name + " in Emit", quiet: true, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func(s *socketio.Socket) { s.Emit("x", value(m)) })
			}},
			place{name: name + " in a broadcast", quiet: true, install: func(m *fault, srv *siotest.Server) { srv.On("e", func() { srv.Emit("x", value(m)) }) }},
			place{name: name + " in EmitWithAck", quiet: true, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func(s *socketio.Socket) { s.EmitWithAck(context.Background(), "x", value(m)) })
			}},
			place{name: name + " with Recovery", quiet: true, options: func(_ *fault, o *socketio.Options) { o.Recovery = new(socketio.Recovery) },
				install: func(m *fault, srv *siotest.Server) { srv.On("e", func() { srv.Emit("x", value(m)) }) }},
		)
	}
	add(
		place{name: "Unmarshaler", trigger: decodes, install: func(m *fault, srv *siotest.Server) {
			decoding.Store(m.key(), m)
			srv.On("e", func(badUnJSON) {})
		}},
		place{name: "TextUnmarshaler", trigger: decodes, install: func(m *fault, srv *siotest.Server) {
			decoding.Store(m.key(), m)
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
			place{name: "context of EmitWithAck: " + method, quiet: true, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func(s *socketio.Socket) {
					ctx, cancel := with(m)
					defer cancel()
					s.EmitWithAck(ctx, "x")
				})
			}},
			place{name: "context of a broadcast: " + method, quiet: true, install: func(m *fault, srv *siotest.Server) {
				srv.On("e", func() { ctx, cancel := with(m); defer cancel(); srv.EmitWithAck(ctx, "x") })
			}},
		)
	}
	// Where a server is alone only Err is called.
	for name, call := range map[string]func(srv *siotest.Server, ctx context.Context){
		"Count":                 func(srv *siotest.Server, ctx context.Context) { _, _ = srv.Broadcast().Count(ctx) },
		"Sockets":               func(srv *siotest.Server, ctx context.Context) { _, _ = srv.Broadcast().Sockets(ctx) },
		"Join":                  func(srv *siotest.Server, ctx context.Context) { _ = srv.Broadcast().Join(ctx, "room") },
		"Leave":                 func(srv *siotest.Server, ctx context.Context) { _ = srv.Broadcast().Leave(ctx, "room") },
		"Disconnect":            func(srv *siotest.Server, ctx context.Context) { _ = srv.To("nobody").Disconnect(ctx) },
		"Close":                 func(srv *siotest.Server, ctx context.Context) { _ = srv.To("nobody").CloseConnections(ctx) },
		"Reconnect":             func(srv *siotest.Server, ctx context.Context) { _ = srv.To("nobody").Reconnect(ctx) },
		"ServerSideEmitWithAck": func(srv *siotest.Server, ctx context.Context) { _, _ = srv.ServerSideEmitWithAck(ctx, "e") },
		"Ready":                 func(srv *siotest.Server, ctx context.Context) { _ = srv.Ready(ctx) },
	} {
		add(place{name: "context of " + name + ": Err", quiet: true, install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func() { call(srv, badContext{context.Background(), m, "Err"}) })
		}})
	}
	for _, method := range []string{"Done", "Err", "Deadline"} {
		add(place{name: "context of Shutdown: " + method, quiet: true, own: true, closes: true, trigger: func(m *fault, _ *siotest.Client) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			ended := make(chan struct{})
			go func() { // which Goexit ends
				defer close(ended)
				_ = m.srv.Shutdown(badContext{ctx, m, method})
			}()
			<-ended
		}, install: func(m *fault, srv *siotest.Server) {
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) {
				<-time.After(30 * time.Millisecond) //nolint:forbidigo // the context of Shutdown ends meanwhile
			})
		}, options: func(_ *fault, o *socketio.Options) { o.ShutdownSpread = 20 * time.Millisecond }})
	}
	add(
		place{name: "nil *Error of a handler", install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func() error { m.nilValue(); return (*socketio.Error)(nil) })
		}, not: onlyNil},
		place{name: "nil error of the application's own type", install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func() error { m.nilValue(); return (*badError)(nil) })
		}, not: onlyNil},
		place{name: "nil error as an answer", install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func(ack socketio.AckFunc) { m.nilValue(); ack((*badError)(nil)) })
		}, not: onlyNil},
		place{name: "nil error of middleware", early: true, install: func(m *fault, srv *siotest.Server) {
			srv.Use(func(context.Context, *socketio.Socket) error {
				if !m.armed.Load() {
					return nil
				}
				m.nilValue()
				return (*badError)(nil)
			})
		}, not: onlyNil},
		place{name: "nil Marshaler", quiet: true, install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func(s *socketio.Socket) { m.nilValue(); s.Emit("x", (*nilMarshaler)(nil), []any{(*nilMarshaler)(nil)}) })
		}, not: onlyNil, harmless: true},
		place{name: "nil context", quiet: true, install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func(s *socketio.Socket) { m.nilValue(); s.EmitWithAck((*badContext)(nil), "x") })
		}, not: onlyNil},
	)
	for _, in := range []string{"Decode", "Encode 0", "Encode 1", "Encode 2", "Encode 3", "Encode 4"} {
		for _, recovery := range []*socketio.Recovery{nil, {}} {
			name := "Codec: " + in
			if recovery != nil {
				name += ", with Recovery"
			}
			p := place{name: name, quiet: in == "Encode 2", early: in == "Encode 0", options: func(m *fault, o *socketio.Options) {
				o.Codec, o.Recovery = badCodec{m, in}, recovery
			}, install: func(_ *fault, srv *siotest.Server) {
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
	return list
}
