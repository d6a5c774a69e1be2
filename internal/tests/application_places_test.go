package tests_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

func handles(name string, handler func(m *fault) any) place {
	return place{name: name, install: func(m *fault, srv *siotest.Server) { srv.On("e", handler(m)) }}
}

func says(text string) func(*fault, *siotest.Client) {
	return func(_ *fault, c *siotest.Client) { c.Write(text) }
}

// What OnError and the Logger can't carry.
var (
	notOnError = map[string]string{"OnError": "its own panic is logged, and it is not called for that"}
	notLogger  = map[string]string{
		"the Logger":                   "its own panic is not logged",
		"the Error of a panic's value": "its own panic is not logged",
	}
)

// places returns all places. First come those of functions.
func places() (list []place) {
	add := func(more ...place) { list = append(list, more...) }
	install := func(name string, fn func(m *fault, srv *siotest.Server)) place { return place{name: name, install: fn} }
	hook := func(name string, early bool, trigger func(*fault, *siotest.Client), set func(m *fault, h *socketio.Hooks)) place {
		return place{name: "Hooks." + name, early: early, trigger: trigger, options: func(m *fault, o *socketio.Options) {
			o.Hooks = new(socketio.Hooks)
			set(m, o.Hooks)
		}, install: func(_ *fault, srv *siotest.Server) {
			srv.On("e", func(s *socketio.Socket) { s.Emit("x", func(socketio.Args, error) {}) })
		}}
	}
	add(
		handles("handler", func(m *fault) any { return func(*socketio.Socket) { m.act() } }),
		handles("handler by reflection", func(m *fault) any { return func(int) (int, error) { m.act(); return 1, nil } }),
		install("second handler", func(m *fault, srv *siotest.Server) {
			srv.On("e", func() {})
			srv.On("e", func() { m.act() })
		}),
		install("handler of a socket", func(m *fault, srv *siotest.Server) {
			srv.OnConnect(func(s *socketio.Socket) { s.On("e", func() { m.act() }) })
		}),
		install("typed event", func(m *fault, srv *siotest.Server) {
			socketio.Event[int]("e").On(srv, func(context.Context, *socketio.Socket, int) error { m.act(); return nil })
		}),
		install("typed call", func(m *fault, srv *siotest.Server) {
			socketio.Call[int, int]("e").On(srv, func(context.Context, *socketio.Socket, int) (int, error) { m.act(); return 1, nil })
		}),
		install("interceptor", func(m *fault, srv *siotest.Server) {
			srv.Intercept(func(ctx context.Context, _ *socketio.Socket, msg *socketio.Message, next socketio.Next) ([]any, error) {
				m.act()
				return next(ctx, msg)
			})
		}),
		install("OnAny", func(m *fault, srv *siotest.Server) { srv.OnAny(func(*socketio.Socket, socketio.Message) { m.act() }) }),
		install("OnAnyOutgoing", func(m *fault, srv *siotest.Server) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Emit("x") })
		}),
		install("OnAnyOutgoing of a broadcast", func(m *fault, srv *siotest.Server) {
			srv.OnAnyOutgoing(func(*socketio.Socket, socketio.Message) { m.act() })
			srv.On("e", func(s *socketio.Socket) { srv.Emit("x") })
		}),
		install("OnJoin", func(m *fault, srv *siotest.Server) {
			srv.OnJoin(func(*socketio.Socket, string) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Join("room") })
		}),
		install("OnLeave", func(m *fault, srv *siotest.Server) {
			srv.OnLeave(func(*socketio.Socket, string) { m.act() })
			srv.On("e", func(s *socketio.Socket) { s.Join("room"); s.Leave("room") })
		}),
		place{name: "OnLeave at the end", trigger: says("41"), install: func(m *fault, srv *siotest.Server) {
			srv.OnConnect(func(s *socketio.Socket) { s.Join("room") })
			srv.OnLeave(func(*socketio.Socket, string) { m.act() })
		}},
		place{name: "middleware", early: true, install: func(m *fault, srv *siotest.Server) {
			srv.Use(func(context.Context, *socketio.Socket) error { m.act(); return nil })
		}},
		place{name: "OnConnect", early: true, install: func(m *fault, srv *siotest.Server) { srv.OnConnect(func(*socketio.Socket) { m.act() }) }},
		place{name: "OnDisconnect", trigger: says("41"), install: func(m *fault, srv *siotest.Server) {
			srv.OnDisconnect(func(*socketio.Socket, socketio.Reason) { m.act() })
		}},
		place{name: "Socket.OnDisconnect", trigger: says("41"), install: func(m *fault, srv *siotest.Server) {
			srv.OnConnect(func(s *socketio.Socket) { s.OnDisconnect(func(socketio.Reason) { m.act() }) })
		}},
		place{name: "template's match", trigger: says("40/other,"), install: func(m *fault, srv *siotest.Server) {
			srv.OfMatch(func(string) bool { m.act(); return false })
		}},
		place{name: "callback of an answer", trigger: func(_ *fault, c *siotest.Client) {
			c.Write(`42["e"]`)
			c.Want(`420["x"]`)
			c.Write(`430[]`)
		}, install: func(m *fault, srv *siotest.Server) {
			srv.On("e", func(s *socketio.Socket) { s.Emit("x", func(socketio.Args, error) { m.act() }) })
		}},
		install("callback of a broadcast", func(m *fault, srv *siotest.Server) {
			srv.On("e", func(s *socketio.Socket) { srv.To("nobody").Emit("x", func([]socketio.Reply, error) { m.act() }) })
		}),
		place{name: "AllowRequest", early: true, options: func(m *fault, o *socketio.Options) {
			o.AllowRequest = func(*http.Request) error { m.act(); return nil }
		}, trigger: getting("?EIO=4&transport=polling")},
		place{name: "OnError", quiet: true, not: notOnError, options: func(m *fault, o *socketio.Options) {
			o.OnError = func(*socketio.Socket, error) { m.act() }
		}, install: func(_ *fault, srv *siotest.Server) { srv.On("e", func() error { return errors.New("x") }) }},
		place{name: "slog.Handler", options: func(m *fault, o *socketio.Options) { o.Logger = slog.New(badLog{m, false}) }, quiet: true, not: notLogger,
			install: func(_ *fault, srv *siotest.Server) { srv.On("e", func() error { return errors.New("x") }) }},
		place{name: "fs.FS", early: true, options: func(m *fault, o *socketio.Options) { o.ClientFS = badFS{m} }, trigger: getting("socket.io.js"), own: true},
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
		hook("Ack", false, func(_ *fault, c *siotest.Client) {
			c.Write(`42["e"]`)
			c.Want(`420["x"]`)
			c.Write(`430[]`)
		}, func(m *fault, h *socketio.Hooks) {
			h.Ack = func(*socketio.Socket, string, time.Duration, error) { m.act() }
		}),
		hook("Ack of a client that leaves", false, func(_ *fault, c *siotest.Client) {
			c.Write(`42["e"]`)
			c.Want(`420["x"]`)
			c.Wire.Close()
		}, func(m *fault, h *socketio.Hooks) {
			h.Ack = func(*socketio.Socket, string, time.Duration, error) { m.act() }
		}),
	)
	list = append(list, clusterPlaces()...)
	for _, p := range append(valuePlaces(), httpPlaces()...) {
		p.value = true
		list = append(list, p)
	}
	return list
}

// getting is a trigger: another request, beside the client.
func getting(path string) func(*fault, *siotest.Client) {
	return func(m *fault, _ *siotest.Client) {
		if resp, err := m.srv.HTTP.Get(m.srv.URL + path); err == nil {
			resp.Body.Close()
		}
	}
}
