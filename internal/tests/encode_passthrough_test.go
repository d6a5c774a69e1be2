package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Values that a client sends in a text event, as data. Those that are marked
// clients would take for a placeholder beside binary data.
var sentValues = []struct {
	name   string
	json   string
	marked bool
}{
	{"a placeholder of no attachment", `{"_placeholder":true,"num":7}`, true},
	{"a placeholder of an attachment", `{"_placeholder":true,"num":0}`, true},
	{"a placeholder without a number", `{"_placeholder":true}`, true},
	{"a placeholder with more keys", `{"a":{"b":1},"num":0,"_placeholder":true,"c":[]}`, true},
	{"a placeholder inside", `{"a":{"_placeholder":true,"num":0}}`, true},
	{"a placeholder inside a placeholder", `{"_placeholder":true,"a":{"_placeholder":true,"num":0},"num":0}`, true},
	{"a placeholder with escapes", `{"\u005fplacehold\u0065r":true,"n\u0075m":0}`, true},
	{"a placeholder of several marks", `{"_placeholder":false,"num":1,"_placeholder":true}`, true},
	{"a number with a fraction", `{"_placeholder":true,"num":0.5}`, true},

	{"a mark that is taken back", `{"_placeholder":true,"num":0,"_placeholder":false}`, false},
	{"a mark that is taken back with escapes", `{"_placeholder":true,"num":0,"\u005fplaceholder":false}`, false},
	{"a false mark", `{"_placeholder":false,"num":7}`, false},
	{"a mark that is a number", `{"_placeholder":1,"num":0}`, false},
	{"a mark that is a text", `{"_placeholder":"true","num":0}`, false},
	{"a placeholder in a text", `{"a":"{\"_placeholder\":true,\"num\":7}"}`, false},
	{"a key in a text", `{"a":"_placeholder","b":"\"_placeholder\"","c":"\u0000"}`, false},
	{"another key", `{"_Placeholder":true,"__placeholder":true,"num":0}`, false},
}

// custom is a value with a MarshalJSON.
type custom struct{ raw []byte }

func (c custom) MarshalJSON() ([]byte, error) { return c.raw, nil }

// sentForms are what an application may have of a value.
var sentForms = []struct {
	name string
	take func(socketio.Args) (any, error)
}{
	{"any", func(a socketio.Args) (v any, err error) { return v, a.Decode(&v) }},
	{"Args", func(a socketio.Args) (any, error) { return a, nil }},
	{"RawMessage", func(a socketio.Args) (any, error) { return a.Raw(0), nil }},
	{"map of any", func(a socketio.Args) (any, error) { v := map[string]any{}; return v, a.Decode(&v) }},
	{"map of RawMessage", func(a socketio.Args) (any, error) { v := map[string]json.RawMessage{}; return v, a.Decode(&v) }},
	{"struct", func(a socketio.Args) (any, error) {
		var v struct {
			Placeholder any `json:"_placeholder,omitempty"`
			Num         any `json:"num,omitempty"`
			A           any `json:"a,omitempty"`
			B           any `json:"b,omitempty"`
			C           any `json:"c,omitempty"`
			Other       any `json:"_Placeholder,omitempty"`
			Third       any `json:"__placeholder,omitempty"`
		}
		return &v, a.Decode(&v)
	}},
	{"MarshalJSON", func(a socketio.Args) (any, error) { return custom{bytes.Clone(a.Raw(0))}, nil }},
	{"inside", func(a socketio.Args) (any, error) { var v any; err := a.Decode(&v); return []any{[]any{v}}, err }},
}

var avatar = []byte{1, 2, 3}

// A passing is a test of what a client sent and the application sends on.
type passing struct {
	srv     *siotest.Server
	seat    *stageSeat
	socket  *socketio.Socket // of the client that is sent to
	results chan []any       // what is answered
	given   chan error       // what an AckFunc has returned
}

// sentRoutes are the ways for arguments to leave the server. The events are called
// "v"; where the receiver is to answer, it does so.
var sentRoutes = []struct {
	name string
	send func(p *passing, args []any) error
	bus  bool // the receiver is another server
}{
	{"Socket.Emit", func(p *passing, args []any) error { return p.socket.Emit("v", args...) }, false},
	{"Socket.Emit with a callback", func(p *passing, args []any) error {
		return p.socket.Emit("v", append(args, func(socketio.Args, error) {})...)
	}, false},
	{"Socket.EmitWithAck", func(p *passing, args []any) error {
		return p.withoutWaiting(func(ctx context.Context) error { _, err := p.socket.EmitWithAck(ctx, "v", args...); return err })
	}, false},
	{"Emitter.EmitWithAck", func(p *passing, args []any) error {
		return p.withoutWaiting(func(ctx context.Context) error {
			_, err := p.srv.Local().EmitWithAck(ctx, "v", args...)
			return err
		})
	}, false},
	{"Socket.Compress", func(p *passing, args []any) error { return p.socket.Compress(true).Emit("v", args...) }, false},
	{"Server.Emit", func(p *passing, args []any) error { return p.srv.Emit("v", args...) }, false},
	{"Room.Emit", func(p *passing, args []any) error { return p.srv.To(p.socket.ID()).Emit("v", args...) }, false},
	{"Emitter.Local", func(p *passing, args []any) error { return p.srv.Local().Emit("v", args...) }, false},
	{"Emit with a callback for many", func(p *passing, args []any) error {
		return p.srv.Local().Emit("v", append(args, func([]socketio.Reply, error) {})...)
	}, false},
	{"EncodeArgs", func(p *passing, args []any) error {
		whole, err := socketio.EncodeArgs(args...)
		return errors.Join(err, p.emitIf(err, whole))
	}, false},
	{"EncodeArgs and more", func(p *passing, args []any) error {
		whole, err := socketio.EncodeArgs(args[0])
		return errors.Join(err, p.emitIf(err, append([]any{whole}, args[1:]...)...))
	}, false},
	{"ServerSideEmit", func(p *passing, args []any) error { return p.srv.ServerSideEmit("v", args...) }, true},
	{"broadcast over the bus", func(p *passing, args []any) error { return p.srv.To("a room elsewhere").Emit("v", args...) }, true},
	{"broadcast over the bus, and here", func(p *passing, args []any) error { return p.srv.Except("x").Emit("v", args...) }, false},
	{"ServerSideEmitWithAck", func(p *passing, args []any) error {
		return p.withoutWaiting(func(ctx context.Context) error { _, err := p.srv.ServerSideEmitWithAck(ctx, "v", args...); return err })
	}, true},
}

func (p *passing) emitIf(err error, args ...any) error {
	if err != nil {
		return nil
	}
	return p.socket.Emit("v", args...)
}

// withoutWaiting calls what waits for an answer that does not come.
func (p *passing) withoutWaiting(fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fn(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// meantBy is what a receiver is to get for arguments.
func meantBy(t *testing.T, args []any) (meant []any) {
	t.Helper()
	for _, arg := range args {
		var v any
		switch a := arg.(type) {
		case []byte:
			v = a
		case []any:
			v = meantBy(t, a)
		case socketio.Args:
			if err := json.Unmarshal(a.Raw(0), &v); err != nil {
				t.Fatal(err)
			}
		default:
			raw, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
		}
		meant = append(meant, v)
	}
	return meant
}

// What a client sent as data reaches everybody as data, whatever the application
// had it decoded into and by whatever way it leaves; or its sender hears that it
// can't, and nothing has left.
func TestPassingOnWhatLooksLikeAPlaceholder(t *testing.T) {
	t.Parallel()
	p := &passing{results: make(chan []any, 1), given: make(chan error, 1)}
	bus := newStage("other")
	p.srv = siotest.Serve(t, &socketio.Options{Adapter: bus})
	p.seat = bus.seat("/")
	taken := make(chan socketio.Args, 1)
	p.srv.On("take", func(args socketio.Args) { taken <- args })
	p.srv.Intercept(func(ctx context.Context, s *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
		if m.Event == "give" {
			return <-p.results, nil
		}
		return next(ctx, m)
	})
	p.srv.On("ack", func(ack socketio.AckFunc) { p.given <- ack(<-p.results...) })
	var seen int
	p.srv.OnAnyOutgoing(func(_ *socketio.Socket, m socketio.Message) { seen++ })
	c, s := p.srv.JoinSocket(t, siotest.WebSocket)
	p.socket = s

	cells, refused := 0, 0
	for _, value := range sentValues {
		c.Write(`42["take",` + value.json + `]`)
		sent := siotest.Receive(t, taken)
		for _, form := range sentForms {
			v, err := form.take(sent)
			if err != nil {
				t.Fatalf("%s as %s: %v", value.name, form.name, err)
			}
			for _, args := range [][]any{{v}, {v, avatar}, {avatar, v}, {"text", v, 1}, {[]any{avatar}, v, v}} {
				binary := len(meantBinary(args)) > 0
				meant := meantBy(t, args)
				marked := binary && hasMark(meant)
				if marked && !value.marked {
					t.Fatalf("%s as %s is marked", value.name, form.name)
				}
				where := func(route string) string {
					return fmt.Sprintf("%s as %s by %s, binary: %t", value.name, form.name, route, binary)
				}
				for _, route := range sentRoutes {
					cells++
					before := seen
					err := route.send(p, append([]any{}, args...))
					if (err != nil) != marked || err != nil && !strings.Contains(err.Error(), "_placeholder") {
						t.Fatalf("%s: %v", where(route.name), err)
					}
					if err != nil {
						refused++
						if len(p.seat.published) > 0 || seen != before {
							t.Fatalf("%s: refused, but published or seen", where(route.name))
						}
						continue
					}
					if !route.bus {
						if text, got := c.ReadArgs(); !reflect.DeepEqual(got, append([]any{"v"}, meant...)) {
							t.Fatalf("%s: %s is %v, want %v", where(route.name), text, got, meant)
						}
					}
					for len(p.seat.published) > 0 {
						m := <-p.seat.published
						if got := passedOnBy(t, m); !reflect.DeepEqual(got, append([]any{"v"}, meant...)) {
							t.Fatalf("%s: %s is %v, want %v", where(route.name), m.Data, got, meant)
						}
					}
				}
				for i, event := range []string{"give", "ack"} {
					cells++
					p.results <- args
					c.Write(`42` + fmt.Sprint(i) + `["` + event + `"]`)
					var given error
					if event == "ack" {
						given = siotest.Receive(t, p.given)
					}
					if event == "ack" && marked {
						refused++
						if given == nil {
							t.Fatalf("%s: no error", where(event))
						}
						c.WantNothing() // the answer can still be given
						continue
					}
					text, got := c.ReadArgs()
					if marked {
						refused++
						siotest.WantEqual(t, where(event), text, `430[{"error":{"message":"internal error"}}]`)
						if err := siotest.Receive(t, p.srv.Errors); !strings.Contains(err.Error(), "_placeholder") {
							t.Fatalf("%s: told %v", where(event), err)
						}
						continue
					}
					if !reflect.DeepEqual(got, meant) || given != nil {
						t.Fatalf("%s: %s is %v, want %v; %v", where(event), text, got, meant, given)
					}
				}
			}
		}
	}
	c.WantNothing()
	t.Logf("%d cells, %d of them refused", cells, refused)
	if want := len(sentValues) * len(sentForms) * 5 * (len(sentRoutes) + 2); cells != want || refused == 0 {
		t.Errorf("%d cells, want %d", cells, want)
	}
}

func meantBinary(args []any) (bin [][]byte) {
	for _, arg := range args {
		switch v := arg.(type) {
		case []byte:
			bin = append(bin, v)
		case []any:
			bin = append(bin, meantBinary(v)...)
		}
	}
	return bin
}

func hasMark(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if hasMark(e) {
				return true
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			return true
		}
		for _, e := range v {
			if hasMark(e) {
				return true
			}
		}
	}
	return false
}

// passedOnBy is what another server makes of a message.
func passedOnBy(t *testing.T, m *adapter.Message) []any {
	t.Helper()
	got, err := siotest.Reconstruct(string(m.Data), m.Binary)
	if err != nil {
		t.Fatalf("%s: %v", m.Data, err)
	}
	return got
}

// What is refused is in no log either: a client that comes back gets what was sent,
// and nothing that would make it leave again.
func TestRefusedEventsAreNotReplayed(t *testing.T) {
	t.Parallel()
	for name, bus := range map[string]bool{"alone": false, "with a bus that records": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := &socketio.Options{Recovery: &socketio.Recovery{}}
				if bus {
					opts.Adapter = newLogBus()
				}
				srv := siotest.ServeInMemory(t, opts)
				synctest.Wait()
				c := srv.JoinRecovering(t, siotest.WebSocket)
				mark := map[string]any{"_placeholder": true, "num": 0}
				srv.Emit("one")
				c.WantEvents("one")
				c.MemConn().Cut()
				synctest.Wait()
				if err := srv.Emit("refused", mark, avatar); err == nil {
					t.Error("no error")
				}
				siotest.WantEqual(t, "text", srv.Emit("text", mark), nil)
				siotest.WantEqual(t, "binary", srv.Emit("binary", avatar, []any{avatar}), nil)
				synctest.Wait()
				const zero = `{"_placeholder":true,"num":0}`
				c.WantMissed(`text `+zero, `binary `+zero+` [`+zero+`] 010203`)
				siotest.WantEqual(t, "recovered", c.Recovered, true)
			})
		})
	}
}

// What is attached to sockets is data for other servers, whatever a client has
// chosen for it, and also beside the binary data of other sockets.
func TestValuesOfSocketsAreDataElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bus := adaptertest.NewBus(1, adaptertest.Faults{})
		a := siotest.ServeInMemory(t, &socketio.Options{Adapter: bus.Server()})
		b := siotest.ServeInMemory(t, &socketio.Options{Adapter: bus.Server()})
		for i, auth := range []string{`{"_placeholder":true,"num":0}`, `{"\u005fplaceholder":true,"num":1}`} {
			c := a.Open(t, siotest.WebSocket)
			s := a.Socket(t, c, c.Join("/", auth))
			anyKey.Set(s, map[string]any{"_placeholder": true, "num": float64(i)})
			secretKey.Set(s, []byte{byte(i)})
		}
		list, err := b.Broadcast().Sockets(t.Context())
		siotest.WantEqual(t, "sockets", fmt.Sprint(len(list), err), "2 <nil>")
		for _, remote := range list {
			secret, _ := secretKey.Get(remote)
			v, ok := anyKey.Get(remote)
			want := map[string]any{"_placeholder": true, "num": float64(secret[0])}
			if !ok || !reflect.DeepEqual(v, want) {
				t.Errorf("%v, %t; want %v", v, ok, want)
			}
			var auth any
			if err := remote.Handshake.Auth.Decode(&auth); err != nil || !reflect.DeepEqual(auth, want) {
				t.Errorf("auth %v, %v; want %v", auth, err, want)
			}
		}
	})
}

const anyKey socketio.Key[any] = "any"

// What other servers send as data beside binary data, clients of the protocol's own
// format can't be sent.
func TestDataOfOtherServersIsRefused(t *testing.T) {
	t.Parallel()
	srv, seat := onStage(t)
	received := make(chan socketio.Args, 1)
	srv.OnServerSide("v", func(args socketio.Args) { received <- args })
	c := srv.Join(t, siotest.WebSocket)
	data := []byte(`["v",{"\u005fplaceholder":true,"num":0},{"_placeholder":true,"num":0}]`)
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "other", Data: data, Binary: [][]byte{avatar}})
	if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), "_placeholder") {
		t.Errorf("told %v", err)
	}
	siotest.WantEqual(t, "garbage", srv.Stats().Cluster.Malformed, 1)
	c.WantNothing()
	seat.host.Deliver(&adapter.Message{Kind: adapter.Broadcast, From: "other", Data: []byte(`["v"]`), Binary: make([][]byte, 11)})
	if err := siotest.Receive(t, srv.Errors); !strings.Contains(err.Error(), "11 attachments") {
		t.Errorf("told %v", err)
	}
	c.WantNothing()
	seat.host.Deliver(&adapter.Message{Kind: adapter.Emit, From: "other", Data: data, Binary: [][]byte{avatar}})
	args := siotest.Receive(t, received)
	var v, b any
	if err := args.Decode(&v, &b); err != nil || !reflect.DeepEqual([]any{v, b}, []any{map[string]any{"_placeholder": true, "num": 0.0}, avatar}) {
		t.Errorf("%v, %v, %v", v, b, err)
	}
	if err := srv.Emit("v", args); err == nil || !strings.Contains(err.Error(), "_placeholder") {
		t.Errorf("passed on: %v", err)
	}
	if again, err := socketio.EncodeArgs(args, "more"); err != nil || srv.Emit("v", again) == nil {
		t.Errorf("passed on: %v", err)
	}
	c.WantNothing()
}

// One attachment that a client names often is one when it is passed on.
func TestPassingOnOneAttachmentOften(t *testing.T) {
	t.Parallel()
	const n = 2000
	srv := siotest.Serve(t, nil)
	srv.On("any", func(s *socketio.Socket, v any) error { return s.Emit("out", v, []any{v}) })
	srv.On("args", func(s *socketio.Socket, v socketio.Args) error { return s.Emit("out", v, v) })
	srv.On("bytes", func(s *socketio.Socket, v [][]byte) error { return s.Emit("out", v, v) })
	srv.On("photos", func(s *socketio.Socket, v []blob) error { return s.Emit("out", v, v) })
	srv.On("again", func(s *socketio.Socket, v socketio.Args) error {
		again, err := socketio.EncodeArgs(v, v)
		return errors.Join(err, s.Emit("out", again))
	})
	srv.On("answer", func(v any) any { return v })
	c := srv.Join(t, siotest.WebSocket)
	data := bytes.Repeat([]byte("x"), 100_000)
	list := `[` + strings.Repeat(`{"_placeholder":true,"num":0},`, n-1) + `{"_placeholder":true,"num":0}]`
	for _, event := range []string{"any", "args", "bytes", "photos", "again"} {
		c.Write(`451-["`+event+`",`+list+`]`, data)
		text, args := c.ReadArgs()
		siotest.WantEqual(t, event, strings.HasPrefix(text, `451-["out"`), true)
		siotest.WantEqual(t, event, strings.Count(text, `{"_placeholder":true,"num":0}`), 2*n)
		siotest.WantEqual(t, event, len(args), 3)
	}
	c.Write(`451-1["answer",`+list+`]`, data)
	c.Want(`461-1[`+list+`]`, data)
}

// What goes out is bounded in number, and where a format repeats what occurs again,
// in bytes.
func TestAttachmentsThatGoOutAreBounded(t *testing.T) {
	t.Parallel()
	many := func(n int) (list [][]byte) {
		for i := range n {
			list = append(list, []byte{byte(i), byte(i >> 8)})
		}
		return list
	}
	for _, test := range []struct {
		name    string
		opts    socketio.Options
		arg     any
		problem string
	}{
		{"ten", socketio.Options{}, many(10), ""},
		{"ten, where fewer are taken", socketio.Options{MaxAttachments: 1}, many(10), ""},
		{"eleven", socketio.Options{}, many(11), "11 attachments, where clients accept 10: see Options.MaxAttachments"},
		{"as many as are taken", socketio.Options{MaxAttachments: 100}, many(100), ""},
		{"one more", socketio.Options{MaxAttachments: 100}, many(101), "101 attachments, where clients accept 100: see Options.MaxAttachments"},
		{"many, with a codec", socketio.Options{Codec: envelopeCodec{}}, many(5000), ""},
		{"one, often", socketio.Options{}, slices.Repeat([][]byte{make([]byte, 1<<20)}, 1000), ""},
		{"one, often, with a codec", socketio.Options{Codec: envelopeCodec{}}, slices.Repeat([][]byte{make([]byte, 1<<20)}, 5), ""},
		{"one, too often, with a codec", socketio.Options{Codec: envelopeCodec{}}, slices.Repeat([][]byte{make([]byte, 1<<20)}, 6), "exceeds 4194304 bytes in total"},
		{"one, often, with a bus", socketio.Options{Adapter: newStage()}, slices.Repeat([][]byte{make([]byte, 1<<20)}, 5), ""},
		{"one, too often, with a bus", socketio.Options{Adapter: newStage()}, slices.Repeat([][]byte{make([]byte, 1<<20)}, 6), "exceeds 4194304 bytes in total"},
	} {
		srv := siotest.Serve(t, &test.opts)
		for name, err := range map[string]error{
			"Emit":  srv.Emit("v", test.arg),
			"Local": srv.Local().Emit("v", test.arg),
			"room":  srv.To("r").Emit("v", []any{test.arg}),
		} {
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("%s, %s: %v, want %s", test.name, name, err, test.problem)
			}
		}
		if b, ok := test.opts.Adapter.(*stage); ok {
			if n := len(b.seat("/").published); (n > 0) != (test.problem == "") {
				t.Errorf("%s: %d published", test.name, n)
			}
		}
	}
}

// Work on what clients send grows with its size and no faster. Each of these takes
// minutes if every bracket, quote or escape has the rest looked at again.
func TestWorkGrowsWithTheInput(t *testing.T) {
	t.Parallel()
	const n = 1 << 16
	const zero = `{"_placeholder":true,"num":0}`
	repeat := func(s string) string { return strings.Repeat(s, n) }
	for name, arg := range map[string]string{
		"texts before an object":      `[` + repeat(`"",`) + `{}]`,
		"objects":                     `[` + repeat(`{},`) + `{}]`,
		"objects with texts":          `[` + repeat(`{"":""},`) + `{}]`,
		"objects in objects":          strings.Repeat(`{"a":`, 500) + `1` + strings.Repeat(`}`, 500),
		"texts before deep objects":   strings.Repeat(`{"a":["",`+strings.Repeat(`"",`, 500), 250) + `1` + strings.Repeat(`]}`, 250),
		"brackets in a text":          `"` + repeat(`{\"`) + `"`,
		"escapes":                     `"` + repeat(`\\`) + `"`,
		"escaped letters":             `"` + repeat(`\u005f`) + `"`,
		"keys that may be hidden":     `[` + repeat(`{"\u005f":1},`) + `1]`,
		"placeholders":                `[` + repeat(zero+`,`) + zero + `]`,
		"marks without a number":      `"` + repeat(`\"_placeholder\"`) + `"`,
		"one placeholder, many keys":  `{` + repeat(`"a":{},`) + `"_placeholder":true,"num":0}`,
		"placeholders in one another": strings.Repeat(`{"_placeholder":true,"num":0,"a":`, 500) + zero + strings.Repeat(`}`, 500),
		"white space":                 `[` + repeat(` `) + zero + repeat(` `) + `]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := []byte("own")
			p := &sio.Packet{}
			text := []byte(`51-["v",` + arg + `,` + zero + `]`)
			if err := p.Decode(text, sio.Limits{Literal: true}); err != nil {
				t.Fatal(err)
			}
			bin := [][]byte{[]byte("bin")}
			args := socketio.ArgsFromWire(p.Args, bin)
			for _, raw := range p.Args {
				sio.Literal(raw)
			}
			passed, err := socketio.EncodeArgs(own, args, own, args)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := passed.Decode(&v, &v); err != nil {
				t.Fatal(err)
			}
			var raw json.RawMessage
			if err := args.Decode(&raw); err != nil {
				t.Fatal(err)
			}
			if _, err := socketio.EncodeArgs(raw, custom{raw}); err != nil {
				t.Fatal(err)
			}
			if _, err := socketio.EncodeArgs(own, v); err != nil {
				t.Fatal(err)
			}
			packed, err := msgpack.AppendJSON(nil, p.Data, bin)
			if err != nil {
				t.Fatal(err)
			}
			d := msgpack.Decoder{Data: packed, Depth: sio.DefaultDepth}
			if _, err := d.ToJSON(nil); err != nil && !errors.Is(err, msgpack.ErrAttachments) {
				t.Fatal(err)
			}
		})
	}
}
