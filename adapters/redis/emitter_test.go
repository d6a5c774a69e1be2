package redis

import (
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/emitter"
	"github.com/socketio-go/socketio/internal/redistest"
)

// The messages of Node's emitters for the same calls. The order of keys in options and,
// in streams, the namespace in packets may differ.
func TestEmitterSendsWhatNodeSends(t *testing.T) {
	t.Parallel()
	client := clientOf(t, redistest.Start(t).Addr())
	var got string
	sender := func(encode format) emitter.Emitter { // it keeps the command that is sent
		return emitter.New(externalSender{client, func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
			cmd, err := encode(namespace, m)
			got = strings.Join(cmd.Commands(), " ")
			return cmd, err
		}})
	}
	classic, sharded, streams := sender(classicFormat(client, nil)), sender(shardedFormat(client, nil)), sender(streamsFormat(client, nil))
	for _, test := range []struct {
		name string
		e    emitter.Emitter
		do   func(emitter.Emitter) error
		want string
	}{
		{name: "classic emit", e: classic, do: func(e emitter.Emitter) error { return e.Emit("e1", 1) },
			want: "PUBLISH socket.io#/# " + text(t, `93a7656d697474657283a47479706502a46461746192a2653101a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380`)},
		{name: "classic emit, with everything", e: classic, do: func(e emitter.Emitter) error {
			return e.To("room1").Except("room9").Volatile().Compress(false).Emit("e2", []byte{5})
		},
			want: "PUBLISH socket.io#/#room1# " + text(t, `93a7656d697474657283a47479706502a46461746192a26532c40105a36e7370a12f83a5726f6f6d7391a5726f6f6d31
				a665786365707491a5726f6f6d39a5666c61677382a8636f6d7072657373c2a8766f6c6174696c65c3`)},
		{name: "classic join", e: classic, do: func(e emitter.Emitter) error { return e.To("room1").Join(t.Context(), "room7") },
			want: `PUBLISH socket.io-request#/# {"type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["room7"]}`},
		{name: "classic leave", e: classic, do: func(e emitter.Emitter) error { return e.Of("chat").Leave(t.Context(), "room7") },
			want: `PUBLISH socket.io-request#/chat# {"type":3,"opts":{"rooms":[],"except":[]},"rooms":["room7"]}`},
		{name: "classic close", e: classic, do: func(e emitter.Emitter) error { return e.To("none").CloseConnections(t.Context()) },
			want: `PUBLISH socket.io-request#/# {"type":4,"opts":{"rooms":["none"],"except":[]},"close":true}`},
		{name: "classic server-side emit", e: classic, do: func(e emitter.Emitter) error { return e.ServerSideEmit("evt", 1) },
			want: `PUBLISH socket.io-request#/# {"uid":"emitter","type":6,"data":["evt",1]}`},

		{name: "streams emit", e: streams, do: func(e emitter.Emitter) error {
			return e.To("room1").Except("r2").Volatile().Emit("e1", 1, nil)
		},
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 3 data ` +
				`{"packet":{"type":2,"data":["e1",1,null]},"opts":{"rooms":["room1"],"except":["r2"],"flags":{"volatile":true}}}`},
		{name: "streams emit of binary data", e: streams, do: func(e emitter.Emitter) error { return e.Of("/chat").Emit("bin", []byte{1}) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp /chat type 3 data ` +
				`gqZwYWNrZXSCpHR5cGUCpGRhdGGSo2JpbsQBAaRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4A=`},
		{name: "streams join", e: streams, do: func(e emitter.Emitter) error { return e.To("a").Join(t.Context(), "b") },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 4 data {"opts":{"rooms":["a"],"except":[],"flags":{}},"rooms":["b"]}`},
		{name: "streams disconnect", e: streams, do: func(e emitter.Emitter) error { return e.To("a").Disconnect(t.Context()) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 6 data {"opts":{"rooms":["a"],"except":[],"flags":{}},"close":false}`},
		{name: "streams server-side emit", e: streams, do: func(e emitter.Emitter) error { return e.ServerSideEmit("evt", 1) },
			want: `XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 9 data {"packet":["evt",1]}`},

		{name: "sharded emit", e: sharded, do: func(e emitter.Emitter) error { return e.To("room1").Compress(true).Emit("e") },
			want: `SPUBLISH socket.io#/#room1# {"type":3,"data":{"packet":{"type":2,"data":["e"]},` +
				`"opts":{"rooms":["room1"],"except":[],"flags":{"compress":true}}},"uid":"emitter","nsp":"/"}`},
	} {
		if err := test.do(test.e); err != nil || got != test.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", test.name, err, got, test.want)
		}
	}
}

func text(t *testing.T, digits string) string { return string(hexBytes(t, digits)) }

// Servers receive what an emitter sends.
func TestEmitter(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := clientOf(t, server.Addr())
	for name, test := range map[string]struct {
		adapter *Adapter
		emitter emitter.Emitter
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
				eventually(t, "the room is received", func() bool {
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
				got.From = strings.TrimPrefix(got.From, adapter.ExternalSender) // not all messages carry it
				sameMessage(t, &got, &want)
			}
			type person struct {
				Name string `json:"name"`
				Face []byte `json:"face"`
			}
			check(e.To("r").Emit("one", 1, person{"Ann", []byte{1, 2}}, "two", []byte{3}), adapter.Message{
				Kind: adapter.Broadcast, Rooms: []string{"r"}, Binary: [][]byte{{1, 2}, {3}},
				Data: []byte(`["one",1,{"name":"Ann","face":{"_placeholder":true,"num":0}},"two",{"_placeholder":true,"num":1}]`),
			})
			check(e.To("r", "x").To("s").Except("t").Volatile().Compress(true).Emit("many"), adapter.Message{
				Kind: adapter.Broadcast, Rooms: []string{"r", "x", "s"}, Except: []string{"t"}, Volatile: true,
				Compress: adapter.CompressAlways, Data: []byte(`["many"]`),
			})
			check(e.Join(ctx, "a", "b"), adapter.Message{Kind: adapter.Join, Targets: []string{"a", "b"}})
			check(e.To("r").Leave(ctx, "a"), adapter.Message{Kind: adapter.Leave, Rooms: []string{"r"}, Targets: []string{"a"}})
			check(e.Disconnect(ctx), adapter.Message{Kind: adapter.Disconnect})
			check(e.Except("r").CloseConnections(ctx), adapter.Message{Kind: adapter.Disconnect, Close: true, Except: []string{"r"}})
			check(e.ServerSideEmit("news", "x"), adapter.Message{Kind: adapter.Emit, Data: []byte(`["news","x"]`)})
			check(e.ServerSideEmit("news", []byte{7}), adapter.Message{Kind: adapter.Emit,
				Data: []byte(`["news",{"_placeholder":true,"num":0}]`), Binary: [][]byte{{7}}})

			none(t, h.messages)
			none(t, h.malformed)
		})
	}
	server.Kill()
	if err := NewEmitter(client, nil).Emit("e"); err == nil {
		t.Error("emitted without Redis")
	}
}
