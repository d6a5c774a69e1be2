package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

const classicNode = "CFJN3g"

// classicCaptures are messages that Node servers have sent.
var classicCaptures = []struct {
	name string
	wire string // JSON, or hexadecimal digits
	m    adapter.Message
	// What Go servers send instead, where JSON has no undefined or dates.
	instead string
}{
	{
		name: "broadcast to a room",
		wire: `93a643464a4e3367 83a47479706502 a46461746192a568656c6c6fa172 a36e7370a12f
			83a5726f6f6d7391a5726f6f6d31 a665786365707490a5666c61677380`,
		m: adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"room1"}, Data: []byte(`["hello","r"]`)},
	},
	{
		name: "broadcast with rooms, exception and flags",
		wire: `93a643464a4e336783a47479706502a46461746191a568656c6c6fa36e7370a12f83a5726f6f6d7392a5726f6f6d31a5726f6f6d32
			a665786365707491a5726f6f6d33a5666c61677382a8636f6d7072657373c2a8766f6c6174696c65c3`,
		m: adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"room1", "room2"}, Except: []string{"room3"},
			Compress: adapter.CompressNever, Volatile: true, Data: []byte(`["hello"]`)},
	},
	{
		name: "broadcast of values",
		wire: `93a643464a4e336783a47479706502a4646174619ba568656c6c6fa5776f726c6401c3c0c0cb3ff8000000000000fdcd012cce00011170
			81a16101a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380`,
		m: adapter.Message{Kind: adapter.Broadcast, Data: []byte(`["hello","world",1,true,null,null,1.5,-3,300,70000,{"a":1}]`)},
	},
	{
		name: "broadcast of binary data and dates",
		wire: `93a643464a4e336783a47479706502 a46461746195a362696ec403010203c4020908d6ff6553f100d7ff1d5353006553f100a36e7370a12f
			83a5726f6f6d7390a665786365707490a5666c61677380`,
		m: adapter.Message{Kind: adapter.Broadcast, Binary: [][]byte{{1, 2, 3}, {9, 8}},
			Data: []byte(`["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},` +
				`"2023-11-14T22:13:20.000Z","2023-11-14T22:13:20.123Z"]`)},
		instead: `93a643464a4e336783a47479706502 a46461746195a362696ec403010203c4020908
			b8323032332d31312d31345432323a31333a32302e3030305a b8323032332d31312d31345432323a31333a32302e3132335a a36e7370a12f
			83a5726f6f6d7390a665786365707490a5666c61677380`,
	},
	{
		name: "broadcast with acks",
		wire: `85a3756964a643464a4e3367a9726571756573744964a6335853546443a47479706507a67061636b6574
			83a47479706502a46461746192a171a176a36e7370a12fa46f70747383a5726f6f6d7391a5726f6f6d31a665786365707490
			a5666c61677381a774696d656f7574cd03e8`,
		m: adapter.Message{Kind: adapter.Broadcast, ID: "3XSTdC", Rooms: []string{"room1"}, Timeout: time.Second, Data: []byte(`["q","v"]`)},
	},
	{
		name: "join",
		wire: `{"uid":"CFJN3g","type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["room4","room5"]}`,
		m:    adapter.Message{Kind: adapter.Join, Rooms: []string{"room1"}, Targets: []string{"room4", "room5"}},
	},
	{
		name: "leave",
		wire: `{"uid":"CFJN3g","type":3,"opts":{"rooms":[],"except":["roomZ"]},"rooms":["room4"]}`,
		m:    adapter.Message{Kind: adapter.Leave, Except: []string{"roomZ"}, Targets: []string{"room4"}},
	},
	{
		name: "disconnect",
		wire: `{"uid":"CFJN3g","type":4,"opts":{"rooms":["room5"],"except":[]},"close":true}`,
		m:    adapter.Message{Kind: adapter.Disconnect, Rooms: []string{"room5"}, Close: true},
	},
	{
		name: "fetch",
		wire: `{"uid":"CFJN3g","requestId":"t-Kj_2","type":5,"opts":{"rooms":["room1"],"except":["nope"]}}`,
		m:    adapter.Message{Kind: adapter.Fetch, ID: "t-Kj_2", Rooms: []string{"room1"}, Except: []string{"nope"}},
	},
	{
		name: "server-side emit",
		wire: `{"uid":"CFJN3g","type":6,"data":["evt","a",1]}`,
		m:    adapter.Message{Kind: adapter.Emit, Data: []byte(`["evt","a",1]`)},
	},
	{
		name: "server-side emit with an ack",
		wire: `{"uid":"CFJN3g","requestId":"tSSZrE","type":6,"data":["ping2",5]}`,
		m:    adapter.Message{Kind: adapter.Emit, ID: "tSSZrE", Data: []byte(`["ping2",5]`)},
	},
	{
		name: "answer to a server-side emit",
		wire: `{"type":6,"requestId":"tSSZrE","data":"pong-B"}`,
		m:    adapter.Message{Kind: adapter.Emitted, ID: "tSSZrE", Data: []byte(`["pong-B"]`)},
	},
	{
		name: "number of clients",
		wire: `{"type":8,"requestId":"3XSTdC","clientCount":1}`,
		m:    adapter.Message{Kind: adapter.Clients, ID: "3XSTdC", Count: 1},
	},
	{
		name: "ack",
		wire: `83a47479706509a9726571756573744964a6335853546443a67061636b6574a46f6b2d76`,
		m:    adapter.Message{Kind: adapter.Acked, ID: "3XSTdC", Data: []byte(`["ok-v"]`)},
	},
	{
		name: "ack with binary data",
		wire: `83a47479706509a9726571756573744964a6766d57744159a67061636b6574c403010203`,
		m: adapter.Message{Kind: adapter.Acked, ID: "vmWtAY", Binary: [][]byte{{1, 2, 3}},
			Data: []byte(`[{"_placeholder":true,"num":0}]`)},
	},
	{
		name: "ack without an argument",
		wire: `82a47479706509a9726571756573744964a64a524e647845`,
		m:    adapter.Message{Kind: adapter.Acked, ID: "JRNdxE", Data: []byte(`[]`)},
	},
	{
		name: "fetched",
		wire: `{"requestId":"aO0T0i","sockets":[{"id":"qN44eS1fJI3_RtvQAAAB","rooms":["room1"],"data":{"name":"bob"}}]}`,
		m: adapter.Message{Kind: adapter.Fetched, ID: "aO0T0i",
			Data: []byte(`[{"id":"qN44eS1fJI3_RtvQAAAB","rooms":["room1"],"data":{"name":"bob"}}]`)},
	},
}

// decodeClassic decodes a message as one of the channel for such messages. Responses are
// for the server that is named in them.
func decodeClassic(kind adapter.Kind, id bool, raw []byte) (*adapter.Message, error) {
	d := decoder{uid: "own---", nsp: "/", wants: anyRoom}
	switch {
	case kind.IsResponse():
		d.uid = ""
		return d.classicResponse(raw)
	case kind == adapter.Broadcast && !id:
		return d.classicEvent(raw)
	default:
		return d.classicRequest(raw)
	}
}

func TestClassicOfNode(t *testing.T) {
	t.Parallel()
	for _, test := range classicCaptures {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw := wire(t, test.wire)
			m, err := decodeClassic(test.m.Kind, test.m.ID != "", raw)
			if err != nil {
				t.Fatal(err)
			}
			want := test.m
			if !want.Kind.IsResponse() {
				want.From = classicNode
			}
			sameMessage(t, m, &want)

			w := newWriter(&test.m, classicPacks(&test.m))
			w.classic(&test.m, classicNode, test.m.ID, "/")
			if test.instead != "" {
				raw = hexBytes(t, test.instead)
			}
			if w.err != nil || string(w.b) != string(raw) {
				t.Errorf("sends %q, %v; want %q", w.b, w.err, raw)
			}
			for n := range raw {
				if m, err := decodeClassic(test.m.Kind, test.m.ID != "", raw[:n:n]); err == nil && m != nil {
					t.Errorf("%q is %v", raw[:n], m)
				}
			}
		})
	}
}

func TestClassicIsReadLiberally(t *testing.T) {
	t.Parallel()
	event := adapter.Message{Kind: adapter.Broadcast, From: "go", Data: []byte(`["min"]`)}
	for _, test := range []struct {
		name, wire string
		m          adapter.Message
	}{
		{"the least that Node accepts", "93a2676f82a47479706502a46461746191a36d696e80", event},
		{"MessagePack for a request", "83 a3756964 a2676f a474797065 cb4018000000000000 a464617461 91 a36d696e",
			adapter.Message{Kind: adapter.Emit, From: "go", Data: []byte(`["min"]`)}},
		{"no sender", `{"type":4,"opts":{"rooms":[42]}}`, adapter.Message{Kind: adapter.Disconnect, Rooms: []string{"42"}}},
		{"binary data in JSON", `{"type":6,"data":["evt",{"type":"Buffer","data":[1,2]}]}`,
			adapter.Message{Kind: adapter.Emit, Data: []byte(`["evt",{"type":"Buffer","data":[1,2]}]`)}},
	} {
		m, err := decodeClassic(test.m.Kind, false, wire(t, test.wire))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		sameMessage(t, m, &test.m)
	}
}

func TestClassicMessagesThatAreIgnored(t *testing.T) {
	t.Parallel()
	d := decoder{uid: "own---", nsp: "/chat", wants: func(rooms ...string) bool { return len(rooms) > 0 && rooms[0] == "here" }}
	for name, raw := range map[string]string{
		"one's own":               `["own---",{"type":2,"data":["e"],"nsp":"/chat"},{"rooms":["here"]}]`,
		"another namespace":       `["x",{"type":2,"data":["e"],"nsp":"/"},{"rooms":["here"]}]`,
		"no namespace":            `["x",{"type":2,"data":["e"]},{"rooms":["here"]}]`,
		"a room without a socket": `["x",17,{"rooms":["there"]}]`,
	} {
		if m, err := d.classicEvent([]byte(raw)); m != nil || err != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for name, raw := range map[string]string{
		"one's own":            `{"uid":"own---","type":4,"opts":{},"close":true}`,
		"another namespace":    `{"uid":"x","requestId":"1","type":7,"opts":{},"packet":{"type":2,"data":["e"],"nsp":"/"}}`,
		"a type of the future": `{"uid":"x","type":10}`,
		"ids of sockets":       `{"requestId":"1","type":0,"rooms":[]}`,
	} {
		if m, err := d.classicRequest([]byte(raw)); m != nil || err != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for name, raw := range map[string]string{
		"for another server": `{"type":8,"requestId":"x","clientCount":1}`,
		"without an ID":      `{"type":8,"clientCount":1}`,
		"rooms":              `{"requestId":"own---1","rooms":[]}`,
	} {
		if m, err := d.classicResponse([]byte(raw)); m != nil || err != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestMalformedClassicMessages(t *testing.T) {
	t.Parallel()
	d := decoder{uid: "own---", nsp: "/", wants: anyRoom}
	for _, raw := range []string{
		"", "malformed", "{}", "[]", `["x"]`, `["x",{"type":2,"data":["e"]}]`, `["x",{"type":2,"data":["e"]},[]]`,
		`["x",{"type":2,"data":["e"]},{}]more`, `["x",{"type":2,"data":[]},{}]`, `["x",{"type":2,"data":[1]},{}]`,
		`["x",{"type":2},{}]`, `["x",{"type":3,"data":["e"]},{}]`, `["x",null,{}]`, `[1,{"type":2,"data":["e"]},{}]`,
		"\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa3min\x80\x00", "\x93\xa1x\x82\xa4type\x02\xa4data\xdd\xff\xff\xff\xff\x80",
	} {
		if m, err := d.classicEvent([]byte(raw)); err == nil {
			t.Errorf("event %q: %v", raw, m)
		}
	}
	for _, raw := range []string{
		"", "malformed", "[]", `{"type":`, `{"type":2}`, `{"type":2,"opts":{}}`, `{"type":2,"opts":{},"rooms":[{}]}`,
		`{"type":4}`, `{"type":4,"opts":[]}`, `{"type":5,"opts":{}}`, `{"type":5,"requestId":"1"}`, `{"type":1}`,
		`{"type":6}`, `{"type":6,"data":{}}`, `{"type":7,"requestId":"1","opts":{}}`, `{"type":7,"opts":{},"packet":{"data":["e"]}}`,
		`{"type":"7"}`, `{"type":4,"opts":{},"close":"yes"}`, "\x81\xa4type", "\x00",
	} {
		if m, err := d.classicRequest([]byte(raw)); err == nil {
			t.Errorf("request %q: %v", raw, m)
		}
	}
	for _, raw := range []string{
		"", "malformed", `{"requestId":1}`, `{"requestId":"own---1","type":8,"clientCount":-1}`,
		`{"requestId":"own---1","type":9,"packet":}`, `{"requestId":"own---1","sockets":{}}`, `{"requestId":"own---1","type":6,"data":tru}`,
	} {
		if m, err := d.classicResponse([]byte(raw)); err == nil {
			t.Errorf("response %q: %v", raw, m)
		}
	}
}

// Nothing that is received does harm, and what is understood can be encoded again.
func FuzzClassic(f *testing.F) {
	for _, test := range classicCaptures {
		f.Add(wire(f, test.wire))
	}
	f.Add([]byte(`["x",{"type":2,"data":["e"],"nsp":"/"},{"rooms":[42],"flags":{"timeout":1.5}}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := decoder{uid: "own---", nsp: "/", wants: anyRoom}
		for _, decode := range []func([]byte) (*adapter.Message, error){d.classicEvent, d.classicRequest, d.classicResponse} {
			m, err := decode(raw)
			if err != nil || m == nil || m.Kind == 0 {
				continue
			}
			first := *m
			w := newWriter(m, classicPacks(m))
			if w.classic(m, "x", m.ID, "/"); w.err != nil {
				t.Fatalf("%+v: %v", m, w.err)
			}
			if m, err = decodeClassic(first.Kind, first.ID != "", w.b); m == nil || err != nil {
				t.Fatalf("%q became %q: %v", raw, w.b, err)
			}
			if m.Kind != first.Kind || m.ID != first.ID {
				t.Fatalf("%q became %q", raw, w.b)
			}
		}
	})
}

func TestClassicEveryKind(t *testing.T) {
	t.Parallel()
	for _, specific := range []bool{false, true} {
		server := redistest.Start(t)
		hosts := []*fakeHost{newHost("r"), newHost("r"), newHost("r")}
		var members []adapter.Member
		for _, h := range hosts {
			a := New(clientOf(t, server.Addr()), &Options{PublishOnSpecificResponseChannel: specific})
			t.Cleanup(a.Close)
			members = append(members, a.Join("/chat[1]", h))
		}
		ready(t, members...)
		text, binary := []byte(`["e",1,{"a":[null]}]`), []byte(`["e",{"_placeholder":true,"num":0}]`)
		first := []byte(`[{"_placeholder":true,"num":0}]`)
		blob := [][]byte{{0, 1, 2, 255}}
		var id string // by which the others know the last request
		for _, m := range []adapter.Message{
			{Kind: adapter.Broadcast, Data: text},
			{Kind: adapter.Broadcast, Data: binary, Binary: blob, Rooms: []string{"r"}, Except: []string{"s"}, Volatile: true},
			{Kind: adapter.Broadcast, Data: text, ID: "1", Rooms: []string{"empty"}, Timeout: time.Second, Compress: adapter.CompressNever},
			{Kind: adapter.Join, Rooms: []string{"r"}, Targets: []string{"s", "t"}},
			{Kind: adapter.Leave, Except: []string{"r"}, Targets: []string{"s"}},
			{Kind: adapter.Disconnect, Rooms: []string{"r", "s"}},
			{Kind: adapter.Disconnect, Close: true},
			{Kind: adapter.Count, ID: "1", Rooms: []string{"r"}},
			{Kind: adapter.Emit, Data: text},
			{Kind: adapter.Emit, Data: binary, Binary: blob, ID: "1"},
			{Kind: adapter.Broadcast, Data: binary, Binary: blob, ID: "1", Compress: adapter.CompressAlways},
		} {
			if err := members[0].Publish(&m); err != nil {
				t.Fatal(err)
			}
			m.From = members[0].ID()
			if m.Kind == adapter.Count {
				m.Kind = adapter.Fetch
			}
			for _, h := range hosts[1:] {
				got := next(t, h.messages)
				id = got.ID
				if m.ID != "" {
					m.ID = got.ID
				}
				sameMessage(t, &got, &m)
			}
		}
		for _, m := range []adapter.Message{
			{Kind: adapter.Clients, Count: 3},
			{Kind: adapter.Clients},
			{Kind: adapter.Acked, Data: []byte(`["yes"]`)},
			{Kind: adapter.Acked, Data: []byte(`[]`)},
			{Kind: adapter.Acked, Data: first, Binary: blob},
			{Kind: adapter.Fetched, Data: []byte(`[{"id":"x"}]`)},
			{Kind: adapter.Fetched, Data: []byte(`[]`)},
			{Kind: adapter.Emitted, Data: []byte(`[{"a":1}]`)},
			{Kind: adapter.Emitted, Data: first, Binary: blob},
		} {
			m.ID, m.To = id, members[0].ID()
			if err := members[1].Publish(&m); err != nil {
				t.Fatal(err)
			}
			m.ID, m.To = "1", ""
			got := next(t, hosts[0].messages)
			sameMessage(t, &got, &m)
		}
		if err := members[0].Publish(&adapter.Message{}); err == nil {
			t.Error("no message is sent")
		}
		if err := members[0].Publish(&adapter.Message{Kind: adapter.Acked, ID: "1", Failed: true}); err != nil {
			t.Error(err)
		}
		for i, m := range members {
			if peers, err := m.Peers(t.Context()); err != nil || peers.Count != len(members)-1 {
				t.Errorf("peers: %+v, %v", peers, err)
			}
			if err := m.Publish(&adapter.Message{Kind: adapter.Emit, Data: []byte(`["end"]`)}); err != nil {
				t.Fatal(err)
			}
			for j, h := range hosts {
				if j != i && nameOf(next(t, h.messages)) != "end" {
					t.Errorf("server %d got something else before", j)
				}
			}
		}
		for i, m := range members {
			next(t, m.Leave())
			if err := m.Publish(event("late")); err != adapter.ErrLeft {
				t.Error(err)
			}
			none(t, hosts[i].messages)
			none(t, hosts[i].losses)
			none(t, hosts[i].malformed)
		}
	}
}

// A listingHost knows its rooms.
type listingHost struct{ *fakeHost }

func (h listingHost) Rooms() []string { return []string{"a", `"b"`} }

func TestClassicRooms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := clientOf(t, server.Addr())
	for _, test := range []struct {
		host adapter.Host
		want string
	}{
		{newHost("r"), `{"requestId":"KoJxNX","rooms":[]}`},
		{listingHost{newHost("r")}, `{"requestId":"KoJxNX","rooms":["a","\"b\""]}`},
	} {
		a := New(client, &Options{PublishOnSpecificResponseChannel: true})
		ready(t, a.Join("/", test.host))
		answers := make(chan string, 1)
		node, release := client.Dedicate()
		node.SetPubSubHooks(hooks(answers))
		if err := node.Do(t.Context(), client.B().Subscribe().Channel("socket.io-response#/#CFJN3g#").Build()).Error(); err != nil {
			t.Fatal(err)
		}
		server.Do("PUBLISH", "socket.io-request#/#", `{"uid":"CFJN3g","requestId":"KoJxNX","type":1}`)
		if got := next(t, answers); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
		node.Close()
		release()
		a.Close()
	}
}

func TestClassicOrder(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := New(clientOf(t, server.Addr()), nil), New(clientOf(t, server.Addr()), nil)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	hosts := []*fakeHost{}
	join := func(h adapter.Host) adapter.Member {
		if hosts = append(hosts, h.(*fakeHost)); len(hosts) == 1 {
			return a.Join("/", h)
		}
		return b.Join("/", h)
	}
	testOrder(t, false, join)
	none(t, hosts[1].losses)
}

// A malformed message on a channel is counted, and the next message is received.
func TestClassicAfterMalformedMessages(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := New(clientOf(t, server.Addr()), nil)
	t.Cleanup(a.Close)
	h := newHost("r")
	m := a.Join("/", h)
	ready(t, m)
	for _, channel := range []string{
		"socket.io#/#", "socket.io#/#r#", "socket.io-request#/#", "socket.io-response#/#", "socket.io-response#/#" + m.ID() + "#",
	} {
		for _, payload := range []string{"", "malformed", "{", "[", "\x93\xa1x", strings.Repeat("\x91", 100_000)} {
			server.Do("PUBLISH", channel, payload)
			if err := next(t, h.malformed); !strings.Contains(err.Error(), channel) {
				t.Error(err)
			}
		}
	}
	server.Do("PUBLISH", "socket.io#/#not here#", "malformed and ignored")
	server.Do("PUBLISH", "socket.io#/#r#", "\x93\xa2go\x82\xa4type\x02\xa4data\x91\xa3min\x80")
	if got := next(t, h.messages); string(got.Data) != `["min"]` {
		t.Error(got)
	}
	none(t, h.malformed)
}
