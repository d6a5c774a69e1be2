package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

// What the emitters of Node have sent for the same calls, but for the order of
// keys in options and, in streams, the namespace in packets: neither matters.
func TestEmitterSendsWhatNodeSends(t *testing.T) {
	t.Parallel()
	client := clientOf(t, redistest.Start(t).Addr())
	classic := NewEmitter(client, nil)
	streams := NewStreamsEmitter(client, nil)
	sharded := NewShardedEmitter(client, nil)
	for _, test := range []struct {
		name string
		e    *Emitter
		do   func(Emitter) error
		want string
	}{
		{name: "classic emit", e: &classic, do: func(e Emitter) error { return e.Emit(t.Context(), "e1", 1) },
			want: "PUBLISH socket.io#/# " + text(t, `93a7656d697474657283a47479706502a46461746192a2653101a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380`)},
		{name: "classic emit, with everything", e: &classic, do: func(e Emitter) error {
			return e.To("room1").Except("room9").Volatile().Compress(false).Emit(t.Context(), "e2", []byte{5})
		},
			want: "PUBLISH socket.io#/#room1# " + text(t, `93a7656d697474657283a47479706502a46461746192a26532c40105a36e7370a12f83a5726f6f6d7391a5726f6f6d31
				a665786365707491a5726f6f6d39a5666c61677382a8636f6d7072657373c2a8766f6c6174696c65c3`)},
		{name: "classic join", e: &classic, do: func(e Emitter) error { return e.To("room1").Join(t.Context(), "room7") },
			want: `PUBLISH socket.io-request#/# {"type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["room7"]}`},
		{name: "classic leave", e: &classic, do: func(e Emitter) error { return e.Of("chat").Leave(t.Context(), "room7") },
			want: `PUBLISH socket.io-request#/chat# {"type":3,"opts":{"rooms":[],"except":[]},"rooms":["room7"]}`},
		{name: "classic close", e: &classic, do: func(e Emitter) error { return e.To("nobody").CloseConnections(t.Context()) },
			want: `PUBLISH socket.io-request#/# {"type":4,"opts":{"rooms":["nobody"],"except":[]},"close":true}`},
		{name: "classic server-side emit", e: &classic, do: func(e Emitter) error { return e.ServerSideEmit(t.Context(), "evt", 1) },
			want: `PUBLISH socket.io-request#/# {"uid":"emitter","type":6,"data":["evt",1]}`},

		{name: "streams emit", e: &streams, do: func(e Emitter) error {
			return e.To("room1").Except("r2").Volatile().Emit(t.Context(), "e1", 1, nil)
		},
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 3 data ` +
				`{"packet":{"type":2,"data":["e1",1,null]},"opts":{"rooms":["room1"],"except":["r2"],"flags":{"volatile":true}}}`},
		{name: "streams emit of binary data", e: &streams, do: func(e Emitter) error { return e.Of("/chat").Emit(t.Context(), "bin", []byte{1}) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp /chat type 3 data ` +
				`gqZwYWNrZXSCpHR5cGUCpGRhdGGSo2JpbsQBAaRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4A=`},
		{name: "streams join", e: &streams, do: func(e Emitter) error { return e.To("a").Join(t.Context(), "b") },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 4 data {"opts":{"rooms":["a"],"except":[],"flags":{}},"rooms":["b"]}`},
		{name: "streams disconnect", e: &streams, do: func(e Emitter) error { return e.To("a").Disconnect(t.Context()) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 6 data {"opts":{"rooms":["a"],"except":[],"flags":{}},"close":false}`},
		{name: "streams server-side emit", e: &streams, do: func(e Emitter) error { return e.ServerSideEmit(t.Context(), "evt", 1) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 9 data {"packet":["evt",1]}`},

		{name: "sharded emit", e: &sharded, do: func(e Emitter) error { return e.To("room1").Compress(true).Emit(t.Context(), "e") },
			want: `SPUBLISH socket.io#/#room1# {"type":3,"data":{"packet":{"type":2,"data":["e"]},` +
				`"opts":{"rooms":["room1"],"except":[],"flags":{"compress":true}}},"uid":"emitter","nsp":"/"}`},
	} {
		var got string
		e := *test.e
		encode := e.format
		e.format = func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
			cmd, err := encode(namespace, m)
			got = strings.Join(cmd.Commands(), " ")
			return cmd, err
		}
		if err := test.do(e); err != nil || got != test.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", test.name, err, got, test.want)
		}
	}
}

func text(t *testing.T, digits string) string { return string(hexBytes(t, digits)) }

// What an emitter says is what servers hear.
func TestEmitter(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := clientOf(t, server.Addr())
	for name, test := range map[string]struct {
		adapter *Adapter
		emitter Emitter
	}{
		"classic": {New(client, &Options{Prefix: "a"}), NewEmitter(client, &EmitterOptions{Prefix: "a"})},
		"sharded": {NewSharded(client, &ShardedOptions{Prefix: "b"}), NewShardedEmitter(client, &ShardedOptions{Prefix: "b"})},
		"streams": {NewStreams(client, &StreamsOptions{StreamName: "c", StreamCount: 3}), NewStreamsEmitter(client, &StreamsOptions{StreamName: "c", StreamCount: 3})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(test.adapter.Close)
			h := newHost("r", "s")
			m := test.adapter.Join("/chat", h)
			ready(t, m)
			if m, ok := m.(adapter.RoomWatcher); ok {
				m.RoomChanged("r")
				channel := channelsOf("b", "/chat").of("r")
				eventually(t, "the room is heard", func() bool {
					n, err := subscribersOf(t, test.adapter, channel), error(nil)
					return n == 1 && err == nil
				})
			}
			ctx, e := t.Context(), test.emitter.Of("chat")
			check := func(err error, want adapter.Message) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				got := next(t, h.messages)
				got.From = strings.TrimPrefix(got.From, adapter.ExternalSender) // not all messages have it
				sameMessage(t, &got, &want)
			}
			type person struct {
				Name string `json:"name"`
				Face []byte `json:"face"`
			}
			check(e.To("r").Emit(ctx, "one", 1, person{"Ann", []byte{1, 2}}, "two", []byte{3}), adapter.Message{
				Kind: adapter.Broadcast, Rooms: []string{"r"}, Binary: [][]byte{{1, 2}, {3}},
				Data: []byte(`["one",1,{"name":"Ann","face":{"_placeholder":true,"num":0}},"two",{"_placeholder":true,"num":1}]`),
			})
			check(e.To("r", "x").To("s").Except("t").Volatile().Compress(true).Emit(ctx, "many"), adapter.Message{
				Kind: adapter.Broadcast, Rooms: []string{"r", "x", "s"}, Except: []string{"t"}, Volatile: true,
				Compress: adapter.CompressAlways, Data: []byte(`["many"]`),
			})
			check(e.Join(ctx, "a", "b"), adapter.Message{Kind: adapter.Join, Targets: []string{"a", "b"}})
			check(e.To("r").Leave(ctx, "a"), adapter.Message{Kind: adapter.Leave, Rooms: []string{"r"}, Targets: []string{"a"}})
			check(e.Disconnect(ctx), adapter.Message{Kind: adapter.Disconnect})
			check(e.Except("r").CloseConnections(ctx), adapter.Message{Kind: adapter.Disconnect, Close: true, Except: []string{"r"}})
			check(e.ServerSideEmit(ctx, "news", "x"), adapter.Message{Kind: adapter.Emit, Data: []byte(`["news","x"]`)})
			check(e.ServerSideEmit(ctx, "news", []byte{7}), adapter.Message{Kind: adapter.Emit,
				Data: []byte(`["news",{"_placeholder":true,"num":0}]`), Binary: [][]byte{{7}}})

			// An empty list of rooms is no socket, not all of them.
			nobody := e.To()
			for _, err := range []error{nobody.Emit(ctx, "x"), nobody.Except("r").CloseConnections(ctx), nobody.Disconnect(ctx), nobody.Join(ctx, "a"), nobody.Leave(ctx, "a")} {
				if err != nil {
					t.Error(err)
				}
			}
			check(nobody.To("r").Emit(ctx, "r"), adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}, Data: []byte(`["r"]`)})
			check(e.To("r").To().Emit(ctx, "r"), adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"r"}, Data: []byte(`["r"]`)})
			check(nobody.ServerSideEmit(ctx, "news"), adapter.Message{Kind: adapter.Emit, Data: []byte(`["news"]`)})
			for _, err := range []error{e.Emit(ctx, "connect"), e.Emit(ctx, "disconnecting"), e.ServerSideEmit(ctx, "connection"), e.ServerSideEmit(ctx, "error")} {
				if !errors.Is(err, socketio.ErrReserved) {
					t.Error(err)
				}
			}
			if err := e.Emit(ctx, "e", make(chan int)); err == nil {
				t.Error("a channel is emitted")
			}
			none(t, h.messages)
			none(t, h.garbage)
		})
	}
	server.Kill()
	if err := NewEmitter(client, nil).Emit(t.Context(), "e"); err == nil {
		t.Error("emitted without Redis")
	}
}

// An Emitter is a value: what is made of it leaves it alone.
func TestEmittersAreImmutable(t *testing.T) {
	t.Parallel()
	base := Emitter{}.To("a", "b").Except("x")
	derived := []Emitter{base.To("c"), base.To("d"), base.Except("y").Volatile().Compress(true).Of("z")}
	if got := fmt.Sprint(base.m.Rooms, base.m.Except, base.m.Volatile, base.m.Compress, base.namespace); got != "[a b] [x] false 0" {
		t.Error(got)
	}
	if got := fmt.Sprint(derived[0].m.Rooms, derived[1].m.Rooms, derived[2].m.Except, derived[2].namespace); got != "[a b c] [a b d] [x y]/z" {
		t.Error(got)
	}
}

// Data that clients would take for binary data is refused before anything is sent.
func TestEmittersRefuseWhatLooksLikeAPlaceholder(t *testing.T) {
	t.Parallel()
	mark := map[string]any{"_placeholder": true, "num": 0}
	for name, e := range map[string]Emitter{
		"classic": NewEmitter(nil, nil), "sharded": NewShardedEmitter(nil, nil), "streams": NewStreamsEmitter(nil, nil),
	} {
		for route, err := range map[string]error{
			"Emit":           e.To("r").Emit(t.Context(), "e", mark, []byte{1}),
			"ServerSideEmit": e.ServerSideEmit(t.Context(), "e", []any{[]byte{1}}, []any{mark}),
		} {
			if err == nil || !strings.Contains(err.Error(), "_placeholder") {
				t.Errorf("%s: %s: %v", name, route, err)
			}
		}
	}
}
