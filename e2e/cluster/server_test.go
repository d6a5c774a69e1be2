package cluster_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/emitter"
)

// A server is the Go server of a mixed cluster. It executes the same orders as
// server.mjs, which it receives in events "do" in any of its namespaces.
type server struct {
	io   *socketio.Server
	http *httptest.Server
	name string

	emitter emitter.Emitter // of a program outside the cluster
}

// The same as in shared.mjs.
var (
	namespaces = []string{"/", "/control", "/chat", "/chat#lobby", "/ä b#*c?\"世界"}
	patterns   = []*regexp.Regexp{regexp.MustCompile(`^/dynamic-\w+$`)}
)

// serve starts a server that runs until the end of the test.
func serve(t *testing.T, name string, in *cluster, recovery *socketio.Recovery) *server {
	t.Helper()
	bus, external := in.join(t)
	io := socketio.NewServer(&socketio.Options{
		Adapter: bus, Recovery: recovery, AckTimeout: 5 * time.Second,
		OnError: func(_ *socketio.Socket, err error) { t.Logf("Go server: %v", err) },
	})
	srv := &server{io: io, name: name, emitter: external}
	for _, name := range namespaces {
		srv.serve(io.Of(name))
	}
	for _, pattern := range patterns {
		srv.serve(io.OfMatch(pattern.MatchString))
	}
	srv.http = httptest.NewServer(io)
	t.Cleanup(func() {
		if err := io.Close(); err != nil {
			t.Error(err)
		}
		srv.http.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := io.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return srv
}

// An order says what a server has to do.
type order struct {
	Op       string   `json:"op"`
	Nsp      string   `json:"nsp"`
	Socket   bool     `json:"socket"` // by the socket, in place of the server
	To       []string `json:"to"`
	Except   []string `json:"except"`
	Local    bool     `json:"local"`
	Volatile bool     `json:"volatile"`
	Compress *bool    `json:"compress"`
	Timeout  int      `json:"timeout"` // in milliseconds
	Event    string   `json:"event"`
	Specimen string   `json:"specimen"`
	Rooms    []string `json:"rooms"`
	Close    bool     `json:"close"`
	Verb     string   `json:"verb"`
}

func (srv *server) serve(n *socketio.Namespace) {
	n.Use(func(_ context.Context, s *socketio.Socket) error {
		var auth struct {
			Data map[string]any `json:"data"`
		}
		if err := s.Handshake().Auth.Decode(&auth); err != nil {
			return nil // there was none
		}
		for name, v := range auth.Data {
			socketio.Key[any](name).Set(s, v)
		}
		return nil
	})
	n.On("do", func(ctx context.Context, s *socketio.Socket, o order, args socketio.Args, ack socketio.AckFunc) error {
		results, err := srv.perform(ctx, s, o, args)
		return ack(append([]any{textOf(err)}, results...)...)
	})
	n.On("enter", func(s *socketio.Socket, rooms ...string) error { return s.Join(rooms...) })
	n.On("rooms", func(s *socketio.Socket) []string {
		rooms := []string{}
		for _, room := range s.Rooms() {
			if room != s.ID() {
				rooms = append(rooms, room)
			}
		}
		return rooms
	})
	n.On("recovered", func(s *socketio.Socket) bool { return s.Recovered() })

	n.OnServerSide("note", func(args socketio.Args) error {
		return srv.io.Of("/control").Local().Emit("noted", n.Name(), "note", args)
	})
	n.OnServerSide("name?", func() string { return srv.name })
	n.OnServerSide("echo", func(args socketio.Args) socketio.Args { return args })
	n.OnServerSide("nothing", func() {})
}

// textOf returns an error as tests expect it.
func textOf(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}

// addressed returns the emitter with the receivers and modifiers of an order.
func (srv *server) addressed(s *socketio.Socket, n *socketio.Namespace, o order) socketio.Emitter {
	e := n.Broadcast()
	if o.Socket {
		e = s.Broadcast()
	}
	if len(o.To) > 0 {
		e = e.To(o.To...)
	}
	e = e.Except(o.Except...)
	if o.Local {
		e = e.Local()
	}
	if o.Volatile {
		e = e.Volatile()
	}
	if o.Compress != nil {
		e = e.Compress(*o.Compress)
	}
	return e
}

func (srv *server) perform(ctx context.Context, s *socketio.Socket, o order, args socketio.Args) ([]any, error) {
	n := s.Namespace()
	if o.Nsp != "" {
		n = srv.io.Of(o.Nsp)
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(o.Timeout)*time.Millisecond)
		defer cancel()
	}
	values := []any{args}
	if o.Specimen != "" {
		values = specimens[o.Specimen]
	}
	e := srv.addressed(s, n, o)
	switch o.Op {
	case "emit":
		return nil, e.Emit(o.Event, values...)
	case "ask":
		return firstArgs(e.EmitWithAck(ctx, o.Event, values...))
	case "fetch":
		sockets, err := e.Sockets(ctx)
		details := []detail{}
		for _, r := range sockets {
			details = append(details, detailOf(r))
		}
		return []any{details}, err
	case "count":
		count, err := e.Count(ctx)
		return []any{count}, err
	case "join":
		return nil, e.Join(ctx, o.Rooms...)
	case "leave":
		return nil, e.Leave(ctx, o.Rooms...)
	case "disconnect":
		if o.Close {
			return nil, e.CloseConnections(ctx)
		}
		return nil, e.Disconnect(ctx)
	case "each":
		return srv.each(ctx, n, e, o, values)
	case "stats":
		return []any{srv.io.Stats().Cluster}, nil
	case "outside":
		return nil, srv.outside(ctx, n.Name(), o, values)
	case "notify":
		return nil, n.ServerSideEmit(o.Event, values...)
	case "consult":
		return firstArgs(n.ServerSideEmitWithAck(ctx, o.Event, values...))
	}
	return nil, errors.New("no such order: " + o.Op)
}

// outside executes an order with the external emitter.
func (srv *server) outside(ctx context.Context, namespace string, o order, values []any) error {
	e := srv.emitter.WithContext(ctx).Of(namespace).Except(o.Except...)
	if len(o.To) > 0 {
		e = e.To(o.To...)
	}
	if o.Volatile {
		e = e.Volatile()
	}
	if o.Compress != nil {
		e = e.Compress(*o.Compress)
	}
	switch o.Verb {
	case "emit":
		return e.Emit(o.Event, values...)
	case "notify":
		return e.ServerSideEmit(o.Event, values...)
	case "join":
		return e.Join(ctx, o.Rooms...)
	case "leave":
		return e.Leave(ctx, o.Rooms...)
	case "disconnect":
		if o.Close {
			return e.CloseConnections(ctx)
		}
		return e.Disconnect(ctx)
	}
	return errors.New("no such verb: " + o.Verb)
}

// each does with every matching socket what Node does with remote sockets.
func (srv *server) each(ctx context.Context, n *socketio.Namespace, e socketio.Emitter, o order, values []any) (results []any, err error) {
	sockets, err := e.Sockets(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range sockets {
		one := n.To(r.ID)
		var result any
		switch o.Verb {
		case "emit":
			err = one.Emit(o.Event, values...)
		case "ask":
			var replies []any
			if replies, err = firstArgs(one.EmitWithAck(ctx, o.Event, values...)); len(replies) > 0 {
				result = replies[0]
			}
		case "join":
			err = one.Join(ctx, o.Rooms...)
		case "leave":
			err = one.Leave(ctx, o.Rooms...)
		case "disconnect":
			err = one.Disconnect(ctx)
		}
		if err != nil {
			return results, err
		}
		results = append(results, result)
	}
	return results, nil
}

// firstArgs returns the first argument of each reply that has one.
func firstArgs(replies []socketio.Reply, err error) ([]any, error) {
	var list []any
	for _, r := range replies {
		if r.Err != nil {
			continue
		}
		var first any
		if r.Args.Len() > 0 {
			if err := r.Args.Decode(&first); err != nil {
				return list, err
			}
		}
		list = append(list, first)
	}
	return list, err
}

// A detail is a remote socket as Node describes it.
type detail struct {
	ID        string         `json:"id"`
	Rooms     []string       `json:"rooms"`
	Data      map[string]any `json:"data"`
	Handshake struct {
		Headers map[string]string `json:"headers"`
		Query   map[string]string `json:"query"`
		Auth    any               `json:"auth"`
		Address string            `json:"address"`
		URL     string            `json:"url"`
		Secure  bool              `json:"secure"`
		Issued  int64             `json:"issued"`
	} `json:"handshake"`
}

func detailOf(r socketio.RemoteSocket) (d detail) {
	d.ID, d.Rooms, d.Data = r.ID, r.Rooms, map[string]any{}
	for _, name := range []string{"name", "deep"} {
		if v, ok := socketio.Key[any](name).Get(r); ok {
			d.Data[name] = v
		}
	}
	h := &d.Handshake
	h.Headers, h.Query = map[string]string{}, map[string]string{}
	for name := range maps.Keys(r.Handshake.Header) {
		h.Headers[strings.ToLower(name)] = r.Handshake.Header.Get(name)
	}
	h.Headers["host"] = r.Handshake.Host
	for name := range maps.Keys(r.Handshake.URL.Query()) {
		h.Query[name] = r.Handshake.URL.Query().Get(name)
	}
	if r.Handshake.Auth.Len() > 0 {
		_ = r.Handshake.Auth.Decode(&h.Auth) // the test sees that it is missing
	}
	h.Address, h.URL, h.Secure = r.Handshake.RemoteAddr, r.Handshake.URL.RequestURI(), r.Handshake.Secure
	h.Issued = r.Handshake.Time.UnixMilli()
	return d
}

// specimens are values that no client can send: the same as in shared.mjs, as
// far as Go has them.
var specimens = map[string][]any{
	"dates": {time.UnixMilli(1700000000000).UTC(), map[string]any{"at": []any{time.UnixMilli(1700000000123).UTC(), time.UnixMilli(-1).UTC()}}},
	"absent": {nil, (*int)(nil), []any{nil, nil}, struct {
		Gone *int `json:"gone,omitempty"`
		Kept *int `json:"kept"`
	}{}},
	"bytes": {
		[]byte{1, 2},
		struct {
			Deep [][]byte `json:"deep"`
		}{[][]byte{{3}, {}}},
		[]byte(strings.Repeat("\x07", 70_000)),
	},
	"deep":   {deep(400)},
	"broken": {"\xffx\xc3", strings.Repeat("x", 1_000_000)},
	"huge":   {1e21, 1e300, -1e300, int64(math.MinInt64), uint64(math.MaxUint64)},
	"numbers": {
		0, int8(-1), uint8(127), 128, 65536, -32769, int64(1) << 32, uint64(1) << 53, -(int64(1) << 53), 0.5, -1e-7, nil, nil,
	},
}

// deep nests a value.
func deep(levels int) any {
	var v any = 1
	for i := range levels {
		if i%2 == 0 {
			v = map[string]any{"deep": v}
		} else {
			v = []any{v}
		}
	}
	return v
}
