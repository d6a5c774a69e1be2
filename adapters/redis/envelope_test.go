package redis

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

func anyRoom(...string) bool { return true }

const (
	nodeA = "13a19c40f8ffb8de"
	nodeB = "e639aa19d50bd249"
)

func hexBytes(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// captures are messages that Node servers have sent, and their meaning.
var captures = []struct {
	name string
	wire string // JSON, or hexadecimal digits
	m    adapter.Message
	// What Go servers send instead, where they do not have the same types.
	instead string
}{
	{
		name: "broadcast",
		wire: `{"type":3,"data":{"packet":{"type":2,"data":["hello","world",1,true,null,null,1.5,-3,300,70000,{"a":1}]},` +
			`"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA,
			Data: []byte(`["hello","world",1,true,null,null,1.5,-3,300,70000,{"a":1}]`)},
	},
	{
		name: "broadcast to a room",
		wire: `{"type":3,"data":{"packet":{"type":2,"data":["hello","r"]},"opts":{"rooms":["room1"],"except":[],"flags":{}}},` +
			`"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA, Rooms: []string{"room1"}, Data: []byte(`["hello","r"]`)},
	},
	{
		name: "broadcast to a socket",
		wire: `{"type":3,"data":{"packet":{"type":2,"data":["dm","x"]},"opts":{"rooms":["47nRARv-9IIwwTcQAAAB"],"except":[],"flags":{}}},` +
			`"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA, Rooms: []string{"47nRARv-9IIwwTcQAAAB"}, Data: []byte(`["dm","x"]`)},
	},
	{
		name: "broadcast with acks",
		wire: `{"type":3,"data":{"packet":{"type":2,"data":["q","v"]},"requestId":"2446be665e580e45","opts":{"rooms":["room1"],"except":[],` +
			`"flags":{"timeout":1000}}},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA, ID: "2446be665e580e45", Rooms: []string{"room1"},
			Timeout: time.Second, Data: []byte(`["q","v"]`)},
	},
	{
		name: "broadcast of binary data and Dates",
		wire: `84a47479706503a46461746182a67061636b657482a47479706502a46461746195a362696ec403010203c4020908d6ff6553f100
			d7ff1d5353006553f100a46f70747383a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380a3756964b0
			31336131396334306638666662386465a36e7370a12f`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA, Rooms: []string{"room1"},
			Data: []byte(`["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},` +
				`"2023-11-14T22:13:20.000Z","2023-11-14T22:13:20.123Z"]`),
			Binary: [][]byte{{1, 2, 3}, {9, 8}}},
		instead: `84a47479706503a46461746182a67061636b657482a47479706502a46461746195a362696ec403010203c4020908
			b8 323032332d31312d31345432323a31333a32302e3030305a b8 323032332d31312d31345432323a31333a32302e3132335a
			a46f70747383a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380a3756964b0
			31336131396334306638666662386465a36e7370a12f`,
	},
	{
		name: "broadcast of data that looks like binary data",
		wire: `84a47479706503a46461746182a67061636b657482a47479706502a46461746193a162c403010203
			82ac5f706c616365686f6c646572c3a36e756d00
			a46f70747383a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380a3756964b0
			31336131396334306638666662386465a36e7370a12f`,
		m: adapter.Message{Kind: adapter.Broadcast, From: nodeA, Rooms: []string{"room1"},
			Data: []byte(`["b",{"_placeholder":true,"num":0},{"\u005fplaceholder":true,"num":0}]`), Binary: [][]byte{{1, 2, 3}}},
	},
	{
		name: "number of clients",
		wire: `{"type":11,"data":{"requestId":"2446be665e580e45","clientCount":1},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Clients, From: nodeB, ID: "2446be665e580e45", Count: 1},
	},
	{
		name: "ack",
		wire: `{"type":12,"data":{"requestId":"2446be665e580e45","packet":"ok-v"},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Acked, From: nodeB, ID: "2446be665e580e45", Data: []byte(`["ok-v"]`)},
	},
	{
		name: "ack with nothing",
		wire: `{"type":12,"data":{"requestId":"f140a4612e642e4a"},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Acked, From: nodeB, ID: "f140a4612e642e4a", Data: []byte(`[]`)},
	},
	{
		name: "ack with null",
		wire: `{"type":12,"data":{"requestId":"f140a4612e642e4a","packet":null},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Acked, From: nodeB, ID: "f140a4612e642e4a", Data: []byte(`[null]`)},
	},
	{
		name: "ack with binary data",
		wire: `84a4747970650ca46461746182a9726571756573744964b038356337353331613333633233373933a67061636b6574c403010203a3756964b0
			65363339616131396435306264323439a36e7370a12f`,
		m: adapter.Message{Kind: adapter.Acked, From: nodeB, ID: "85c7531a33c23793",
			Data: []byte(`[{"_placeholder":true,"num":0}]`), Binary: [][]byte{{1, 2, 3}}},
	},
	{
		name: "server-side emit",
		wire: `{"type":9,"data":{"requestId":"d9aeb9946b01ad82","packet":["ping2",5]},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Emit, From: nodeA, ID: "d9aeb9946b01ad82", Data: []byte(`["ping2",5]`)},
	},
	{
		name: "answer to a server-side emit",
		wire: `{"type":10,"data":{"requestId":"d9aeb9946b01ad82","packet":"pong-B"},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Emitted, From: nodeB, ID: "d9aeb9946b01ad82", Data: []byte(`["pong-B"]`)},
	},
	{
		name: "fetch",
		wire: `{"type":7,"data":{"opts":{"rooms":["room1"],"except":["nope"],"flags":{}},"requestId":"8b5b78de9d95c220"},` +
			`"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Fetch, From: nodeA, ID: "8b5b78de9d95c220", Rooms: []string{"room1"}, Except: []string{"nope"}},
	},
	{
		name: "fetched",
		wire: `{"type":8,"data":{"requestId":"72c1e2b6f8029f10","sockets":[{"id":"x","rooms":[],"data":{}}]},"uid":"e639aa19d50bd249","nsp":"/"}`,
		m: adapter.Message{Kind: adapter.Fetched, From: nodeB, ID: "72c1e2b6f8029f10",
			Data: []byte(`[{"id":"x","rooms":[],"data":{}}]`)},
	},
	{
		name: "join",
		wire: `{"type":4,"data":{"opts":{"rooms":["room1"],"except":[],"flags":{}},"rooms":["room4","room5"]},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Join, From: nodeA, Rooms: []string{"room1"}, Targets: []string{"room4", "room5"}},
	},
	{
		name: "leave",
		wire: `{"type":5,"data":{"opts":{"rooms":[],"except":["roomZ"],"flags":{}},"rooms":["room4"]},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Leave, From: nodeA, Except: []string{"roomZ"}, Targets: []string{"room4"}},
	},
	{
		name: "disconnect",
		wire: `{"type":6,"data":{"opts":{"rooms":["room5"],"except":[],"flags":{}},"close":true},"uid":"13a19c40f8ffb8de","nsp":"/"}`,
		m:    adapter.Message{Kind: adapter.Disconnect, From: nodeA, Rooms: []string{"room5"}, Close: true},
	},
	{
		name: "streams: broadcast with acks",
		wire: `84a47479706503a46461746183a67061636b657482a47479706502a46461746192a171a176a9726571756573744964b0
			64656637363464333165376262373465a46f70747383a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677381
			a774696d656f7574cd03e8a3756964b038383536386331323833326165653238a36e7370a12f`,
		m: adapter.Message{Kind: adapter.Broadcast, From: "88568c12832aee28", ID: "def764d31e7bb74e", Rooms: []string{"room1"},
			Timeout: time.Second, Data: []byte(`["q","v"]`)},
	},
	{
		name: "streams: number of clients",
		wire: `84a4747970650ba46461746182a9726571756573744964b064656637363464333165376262373465ab636c69656e74436f756e7401
			a3756964b065393539396565323565343035613530a36e7370a12f`,
		m: adapter.Message{Kind: adapter.Clients, From: "e9599ee25e405a50", ID: "def764d31e7bb74e", Count: 1},
	},
}

func wire(t testing.TB, s string) []byte {
	if s[0] == '{' {
		return []byte(s)
	}
	return hexBytes(t, s)
}

func TestEnvelopesOfNode(t *testing.T) {
	t.Parallel()
	for _, test := range captures {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw := wire(t, test.wire)
			d := decoder{uid: "own", nsp: "/", wants: anyRoom}
			for range 2 { // a decoder is used again and again
				m, err := d.envelope(raw)
				if err != nil {
					t.Fatal(err)
				}
				sameMessage(t, m, &test.m)
			}

			w := writer{pack: raw[0] != '{'}
			w.envelope(&test.m, test.m.From, "/")
			want := raw
			if test.instead != "" {
				want = wire(t, test.instead)
			}
			if w.err != nil || string(w.b) != string(want) {
				t.Errorf("sends %q, %v; want %q", w.b, w.err, want)
			}

			// The meaning survives the other encoding too.
			w = writer{pack: raw[0] == '{'}
			if !w.pack && len(test.m.Binary) > 0 {
				return
			}
			w.envelope(&test.m, test.m.From, "/")
			m, err := d.envelope(w.b)
			if w.err != nil || err != nil {
				t.Fatal(w.err, err)
			}
			sameMessage(t, m, &test.m)

			// No part of it is a message, and it has the suffix of its sender.
			for n := range raw {
				if m, err := d.envelope(raw[:n:n]); err == nil {
					t.Errorf("%q is %v", raw[:n], m)
				}
			}
			w = writer{pack: raw[0] != '{'}
			if w.sender(test.m.From, "/"); !strings.HasSuffix(string(raw), string(w.b)) {
				t.Errorf("does not end with %q", w.b)
			}
			d.uid = test.m.From
			if m, err := d.envelope(raw); m != nil || err != nil {
				t.Errorf("one's own is %v, %v", m, err)
			}
		})
	}
}

// sameMessage compares messages, whether a list is nil or empty.
func sameMessage(t testing.TB, got, want *adapter.Message) {
	t.Helper()
	if got == nil {
		t.Fatal("no message")
	}
	normal := func(m adapter.Message) adapter.Message {
		for _, list := range []*[]string{&m.Rooms, &m.Except, &m.Targets} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		m.Position = 0
		if len(m.Data) == 0 {
			m.Data = nil
		}
		if len(m.Binary) == 0 {
			m.Binary = nil
		}
		return m
	}
	if g, w := normal(*got), normal(*want); !reflect.DeepEqual(g, w) {
		t.Errorf("got  %+v %s\nwant %+v %s", g, g.Data, w, w.Data)
	}
}

// Members that may be missing, or have another form.
func TestEnvelopesAreReadLiberally(t *testing.T) {
	t.Parallel()
	event := adapter.Message{Kind: adapter.Broadcast, From: "x", Data: []byte(`["e"]`)}
	to := func(rooms ...string) adapter.Message {
		m := event
		m.Rooms = rooms
		return m
	}
	with := func(change func(m *adapter.Message)) adapter.Message {
		m := event
		change(&m)
		return m
	}
	for _, test := range []struct {
		name, wire string
		m          adapter.Message
	}{
		{"no rooms, no exceptions, no flags", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{}},"uid":"x","nsp":"/"}`, event},
		{"null for all of them", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"requestId":null,"opts":{"rooms":null,"except":null,"flags":null}},"uid":"x","nsp":"/"}`, event},
		{"no type in the packet", `{"type":3,"data":{"packet":{"data":["e"]},"opts":{}},"uid":"x","nsp":"/"}`, event},
		{"another order, white space, unknown members", "{ \"nsp\" : \"/\", \"more\":[1,{\"a\":\"}\"}],\r\n\"uid\":\"x\",\t\"data\":" +
			`{"opts":{"more":1,"flags":{"more":2,"expectSingleResponse":true}},"packet":{"nsp":"/else","id":7,"data":["e"],"type":2}, "more":"\\"} ,"type":3 }`, event},
		{"numeric rooms", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[42,"42",-1.5]}},"uid":"x","nsp":"/"}`, to("42", "42", "-1.5")},
		{"escapes", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":["\"\\\u00e9é","]"]}},"\u0075id":"x","nsp":"\/"}`, to(`"\éé`, "]")},
		{"a float for a type", `{"type":3.0,"data":{"packet":{"type":2.0,"data":["e"]},"opts":{}},"uid":"x","nsp":"/"}`, event},
		{"no sender", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{}},"nsp":"/"}`, with(func(m *adapter.Message) { m.From = "" })},
		{"flags", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"flags":{"compress":true,"volatile":true,"timeout":1.5}}},"uid":"x","nsp":"/"}`,
			with(func(m *adapter.Message) {
				m.Compress, m.Volatile, m.Timeout = adapter.CompressAlways, true, 1500*time.Microsecond
			})},
		{"flags that are off", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"flags":{"compress":false,"volatile":false,"timeout":-1}}},"uid":"x","nsp":"/"}`,
			with(func(m *adapter.Message) { m.Compress = adapter.CompressNever })},
		{"a flag of no use", `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"flags":{"timeout":"soon"}}},"uid":"x","nsp":"/"}`, event},
		{"MessagePack with floats, undefined and numeric rooms",
			"84 a474797065 cb4008000000000000 a464617461 82 a67061636b6574 82 a474797065 ca40000000 a464617461 91 a165" +
				" a46f707473 82 a5726f6f6d73 93 2a cd012c cb3ff8000000000000 a6657863657074 d40000 a3756964 a178 a36e7370 a12f", to("42", "300", "1.5")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := decoder{uid: "own", nsp: "/", wants: anyRoom}
			m, err := d.envelope(wire(t, test.wire))
			if err != nil {
				t.Fatal(err)
			}
			sameMessage(t, m, &test.m)
		})
	}
}

func TestEnvelopesThatAreIgnored(t *testing.T) {
	t.Parallel()
	d := decoder{uid: "own", nsp: "/", wants: func(rooms ...string) bool { return len(rooms) > 0 && rooms[0] == "here" }}
	for name, wire := range map[string]string{
		"one's own":               `{"type":6,"data":{"opts":{},"close":true},"uid":"own","nsp":"/"}`,
		"another namespace":       `{"type":6,"data":{"opts":{},"close":true},"uid":"x","nsp":"/chat"}`,
		"no namespace":            `{"type":6,"data":{"opts":{},"close":true},"uid":"x"}`,
		"a heartbeat":             `{"type":2,"uid":"x","nsp":"/"}`,
		"the first heartbeat":     `{"type":1,"uid":"x","nsp":"/"}`,
		"closing":                 `{"type":13,"uid":"x","nsp":"/"}`,
		"a type of the future":    `{"type":14,"data":{},"uid":"x","nsp":"/"}`,
		"a room without a socket": `{"type":3,"data":{"packet":"is not looked at","opts":{"rooms":["there"]}},"uid":"x","nsp":"/"}`,
	} {
		if m, err := d.envelope([]byte(wire)); m != nil || err != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	// A request gets a response also if no socket matches.
	if m, err := d.envelope([]byte(`{"type":3,"data":{"packet":{"data":["e"]},"requestId":"1","opts":{"rooms":["there"]}},"uid":"x","nsp":"/"}`)); m == nil || err != nil {
		t.Error(m, err)
	}
}

func TestMalformedEnvelopes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"text":                         `{malformed`,
		"an empty object":              `{}`,
		"a type that is no number":     `{"type":"3","uid":"x","nsp":"/"}`,
		"a type with a fraction":       `{"type":3.5,"uid":"x","nsp":"/"}`,
		"a huge type":                  `{"type":1e300,"uid":"x","nsp":"/"}`,
		"null for a type":              `{"type":null,"uid":"x","nsp":"/"}`,
		"a broadcast without data":     `{"type":3,"uid":"x","nsp":"/"}`,
		"a broadcast without opts":     `{"type":3,"data":{"packet":{"type":2,"data":["e"]}},"uid":"x","nsp":"/"}`,
		"a broadcast without a packet": `{"type":3,"data":{"opts":{}},"uid":"x","nsp":"/"}`,
		"a packet without data":        `{"type":3,"data":{"packet":{"type":2},"opts":{}},"uid":"x","nsp":"/"}`,
		"an event without a name":      `{"type":3,"data":{"packet":{"type":2,"data":[]},"opts":{}},"uid":"x","nsp":"/"}`,
		"an event with another name":   `{"type":3,"data":{"packet":{"type":2,"data":[{}]},"opts":{}},"uid":"x","nsp":"/"}`,
		"a packet that is no event":    `{"type":3,"data":{"packet":{"type":0,"data":["e"]},"opts":{}},"uid":"x","nsp":"/"}`,
		"invalid JSON within":          `{"type":3,"data":{"packet":{"type":2,"data":["e",tru]},"opts":{}},"uid":"x","nsp":"/"}`,
		"a text for rooms":             `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":"r"}},"uid":"x","nsp":"/"}`,
		"an object for a room":         `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[{}]}},"uid":"x","nsp":"/"}`,
		"a text for opts":              `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":"r"},"uid":"x","nsp":"/"}`,
		"a number for a flag":          `{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"flags":{"volatile":1}}},"uid":"x","nsp":"/"}`,
		"no rooms to enter":            `{"type":4,"data":{"opts":{}},"uid":"x","nsp":"/"}`,
		"disconnect without opts":      `{"type":6,"data":{"close":true},"uid":"x","nsp":"/"}`,
		"a fetch without an ID":        `{"type":7,"data":{"opts":{}},"uid":"x","nsp":"/"}`,
		"an answer without an ID":      `{"type":12,"data":{"packet":1},"uid":"x","nsp":"/"}`,
		"fetched nothing":              `{"type":8,"data":{"requestId":"1"},"uid":"x","nsp":"/"}`,
		"less than no clients":         `{"type":11,"data":{"requestId":"1","clientCount":-1},"uid":"x","nsp":"/"}`,
		"more behind it":               `{"type":2,"uid":"x","nsp":"/"}{}`,
		"a comma too many":             `{"type":2,"uid":"x","nsp":"/",}`,
		"no comma":                     `{"type":2"uid":"x","nsp":"/"}`,
		"no colon":                     `{"type" 2,"uid":"x","nsp":"/"}`,
		"MessagePack cut off":          "84a474797065",
		"MessagePack that is no map":   "93010203",
		"a key that is no string":      "8101c0",
		"a byte behind MessagePack":    "81a47479706502c0",
		"a byte never used":            "c1",
		"an empty message":             "",
	} {
		raw := []byte(text)
		if text != "" {
			raw = wire(t, text)
		}
		d := decoder{uid: "own", nsp: "/", wants: anyRoom}
		if m, err := d.envelope(raw); m != nil || err == nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

// Only what a format can express is sent.
func TestEnvelopesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]adapter.Message{
		"no kind":                 {},
		"an unknown kind":         {Kind: 200},
		"invalid JSON":            {Kind: adapter.Broadcast, Data: []byte(`["e",`), Binary: [][]byte{{}}},
		"much that is repeated":   {Kind: adapter.Broadcast, Data: []byte(`["e"` + strings.Repeat(`,{"_placeholder":true,"num":0}`, 10) + `]`), Binary: [][]byte{make([]byte, 1<<20)}},
		"an answer in pieces":     {Kind: adapter.Acked, ID: "1", Data: []byte(`["a`)},
		"an answer in other form": {Kind: adapter.Acked, ID: "1", Data: []byte(`{}`)},
	} {
		w := writer{pack: len(m.Binary) > 0}
		if w.envelope(&m, "x", "/"); w.err == nil {
			t.Errorf("%s: %s", name, w.b)
		}
	}
	// Node reads only the first argument of a response.
	m := adapter.Message{Kind: adapter.Acked, ID: "1", Data: []byte(` [ {"_placeholder":true,"num":1} , 2]`), Binary: [][]byte{{1}, {2}}}
	w := writer{pack: true}
	if w.data(&m); w.err != nil || hex.EncodeToString(w.b) != "82a9726571756573744964a131a67061636b6574c40102" {
		t.Errorf("%x, %v", w.b, w.err)
	}
}

// The data of a stream's entries.
func TestStreamData(t *testing.T) {
	t.Parallel()
	const captured = "gqZwYWNrZXSCpHR5cGUCpGRhdGGVo2JpbsQDAQID1/8dU1MAZVPxAMCBoXXApG9wdHODpXJvb21zkaVyb29tMaZleGNlcHSQpWZsYWdzgA=="
	raw, err := base64.StdEncoding.DecodeString(captured)
	if err != nil {
		t.Fatal(err)
	}
	var f fields
	r := reader{b: raw, pack: true}
	if r.data(&f); r.end() != nil {
		t.Fatal(r.err)
	}
	f.kind = typeBroadcast
	d := decoder{uid: "own", nsp: "/", wants: anyRoom}
	m, err := d.message(&f, true)
	if err != nil {
		t.Fatal(err)
	}
	sameMessage(t, m, &adapter.Message{Kind: adapter.Broadcast, Rooms: []string{"room1"},
		Data:   []byte(`["bin",{"_placeholder":true,"num":0},"2023-11-14T22:13:20.123Z",null,{"u":null}]`),
		Binary: [][]byte{{1, 2, 3}}})
}

func FuzzEnvelope(f *testing.F) {
	for _, test := range captures {
		f.Add(wire(f, test.wire))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := decoder{uid: "own", nsp: "/", wants: anyRoom}
		m, err := d.envelope(raw)
		if m == nil || err != nil || bytes.Contains(raw, []byte("_placeholder")) {
			return // what looks like a placeholder becomes one
		}
		// What was understood can be encoded again, and has the same meaning.
		first := *m
		w := writer{pack: len(m.Binary) > 0}
		w.envelope(&first, m.From, "/")
		if w.err != nil {
			t.Fatalf("%+v of %q: %v", m, raw, w.err)
		}
		again := decoder{uid: "own", nsp: "/", wants: anyRoom}
		second, err := again.envelope(w.b)
		if err != nil || second == nil {
			t.Fatalf("%q of %q: %v", w.b, raw, err)
		}
		first.Timeout = time.Duration(milliseconds(first.Timeout)) * time.Millisecond
		sameMessage(t, second, &first)
	})
}

func FuzzEntry(f *testing.F) {
	f.Add("3", `{"packet":{"type":2,"data":["e",1]},"opts":{"rooms":["r"],"except":[],"flags":{}}}`)
	f.Add("3", "gqZwYWNrZXSCpHR5cGUCpGRhdGGVo2JpbsQDAQID1/8dU1MAZVPxAMCBoXXApG9wdHODpXJvb21zkaVyb29tMaZleGNlcHSQpWZsYWdzgA==")
	f.Add("6", `{"opts":{"rooms":["a"],"except":[],"flags":{}},"close":true}`)
	f.Fuzz(func(t *testing.T, kind, data string) {
		m := streamsMember{nsp: "/", decoder: decoder{nsp: "/", wants: anyRoom}}
		msg, err := m.decode(map[string]string{"uid": "x", "nsp": "/", "type": kind, "data": data})
		if err != nil || msg == nil || strings.Contains(string(msg.Data), "_placeholder") && len(msg.Binary) == 0 {
			return
		}
		if again, _, err := encodeEntry(msg); err != nil || again < typeBroadcast || again > typeAcked {
			t.Errorf("%+v: %d, %v", msg, again, err)
		}
	})
}
