package sio_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

type packetCase struct {
	name string
	in   string
	want packet
}

// packet is what a test expects of a sio.Packet.
type packet struct {
	Type        sio.Type
	Namespace   string
	ID          int64
	Attachments int
	Data        string // "" when absent
	Name        string
	Args        []string
}

func simplify(p *sio.Packet) packet {
	s := packet{
		Type:        p.Type,
		Namespace:   string(p.Namespace),
		ID:          p.ID,
		Attachments: p.Attachments,
		Data:        string(p.Data),
		Name:        string(p.Name),
	}
	for _, arg := range p.Args {
		s.Args = append(s.Args, string(arg))
	}
	return s
}

func (p packet) equal(q packet) bool {
	return p.Type == q.Type && p.Namespace == q.Namespace && p.ID == q.ID &&
		p.Attachments == q.Attachments && p.Data == q.Data && p.Name == q.Name &&
		slices.Equal(p.Args, q.Args)
}

func connect(namespace, data string) packet {
	return packet{Type: sio.Connect, Namespace: namespace, ID: -1, Data: data}
}

func event(namespace string, id int64, data, name string, args ...string) packet {
	return packet{Type: sio.Event, Namespace: namespace, ID: id, Data: data, Name: name, Args: args}
}

func ack(id int64, data string, args ...string) packet {
	return packet{Type: sio.Ack, Namespace: "/", ID: id, Data: data, Args: args}
}

var packetCases = []packetCase{
	{"connect", `0`, connect("/", "")},
	{"connect with credentials", `0{"token":"abc"}`, connect("/", `{"token":"abc"}`)},
	{"connect with nothing in the credentials", `0{}`, connect("/", `{}`)},
	{"connect to a namespace", `0/admin,{"a":1}`, connect("/admin", `{"a":1}`)},
	{"connect to a namespace without payload", `0/admin,`, connect("/admin", "")},
	{"connect to a namespace without comma", `0/admin`, connect("/admin", "")},
	{"connect to a namespace with a query", `0/admin?x=1&y={},`, connect("/admin?x=1&y={}", "")},
	{"connect to an odd namespace", "0/../\x00é,", connect("/../\x00é", "")},
	{"connect to a namespace that is all slash", `0/,`, connect("/", "")},
	{"connect with an ack id, which means nothing", `0123`, connect("/", "")},
	{"connect with a placeholder, which is plain data", `0{"_placeholder":true}`, connect("/", `{"_placeholder":true}`)},
	{"connect with white space around the payload", "0 \t\r\n{} \t\r\n", connect("/", `{}`)},

	{"disconnect", `1`, packet{Type: sio.Disconnect, Namespace: "/", ID: -1}},
	{"disconnect from a namespace", `1/admin,`, packet{Type: sio.Disconnect, Namespace: "/admin", ID: -1}},
	{"disconnect with an ack id, which means nothing", `17`, packet{Type: sio.Disconnect, Namespace: "/", ID: -1}},

	{"event", `2["hello"]`, event("/", -1, `["hello"]`, "hello")},
	{"event with arguments of every kind", `2["a",1,-2.5e3,"x",true,false,null,[1,[2]],{"b":{}}]`, event("/", -1,
		`["a",1,-2.5e3,"x",true,false,null,[1,[2]],{"b":{}}]`, "a",
		`1`, `-2.5e3`, `"x"`, `true`, `false`, `null`, `[1,[2]]`, `{"b":{}}`)},
	{"event with white space between tokens", "2 [ \"a\" ,\t1 , {\n} , [ ] ]\r\n",
		event("/", -1, "[ \"a\" ,\t1 , {\n} , [ ] ]", "a", `1`, "{\n}", `[ ]`)},
	{"event in a namespace", `2/chat,["a"]`, event("/chat", -1, `["a"]`, "a")},
	{"event with an id", `212["a",1]`, event("/", 12, `["a",1]`, "a", `1`)},
	{"event with id and namespace", `2/chat,0["a"]`, event("/chat", 0, `["a"]`, "a")},
	{"event with zeros before the id", `2007["a"]`, event("/", 7, `["a"]`, "a")},
	{"event with the greatest id", `29007199254740991["a"]`, event("/", sio.MaxID, `["a"]`, "a")},
	{"event without payload", `2`, event("/", -1, "", "")},
	{"event with an id and no payload", `21`, event("/", 1, "", "")},
	{"event with a namespace and no payload", `2/chat`, event("/chat", -1, "", "")},
	{"event named by an integer", `2[1]`, event("/", -1, `[1]`, "1")},
	{"event named by a negative number", `2[-1.5,2]`, event("/", -1, `[-1.5,2]`, "-1.5", `2`)},
	{"event without a name's letters", `2[""]`, event("/", -1, `[""]`, "")},
	{"event named error, which is ordinary", `2["error",1]`, event("/", -1, `["error",1]`, "error", `1`)},
	{"event named __proto__, which is ordinary", `2["__proto__"]`, event("/", -1, `["__proto__"]`, "__proto__")},
	{"event named almost as a reserved one", `2["Connect"]`, event("/", -1, `["Connect"]`, "Connect")},
	{"event named by several bytes a character", `2["é漢😀"]`, event("/", -1, `["é漢😀"]`, "é漢😀")},
	{"event named with escapes", `2["\"\\\/\b\f\n\r\t\u00e9\u6F22\ud83d\ude00!"]`, event("/", -1,
		`["\"\\\/\b\f\n\r\t\u00e9\u6F22\ud83d\ude00!"]`, "\"\\/\b\f\n\r\té漢😀!")},
	{"event named with surrogates that are no pair", `2["\ud83d,\ude00\ud83d\u0041\ud83d"]`, event("/", -1,
		`["\ud83d,\ude00\ud83d\u0041\ud83d"]`, "\ufffd,\ufffd\ufffdA\ufffd")},
	{"event with numbers beyond any type", `2["a",1e400,` + strings.Repeat("9", 400) + `]`, event("/", -1,
		`["a",1e400,`+strings.Repeat("9", 400)+`]`, "a", `1e400`, strings.Repeat("9", 400))},
	{"event with an argument that is a placeholder's like", `2["a",{"_placeholder":true,"num":9}]`, event("/", -1,
		`["a",{"_placeholder":true,"num":9}]`, "a", `{"_placeholder":true,"num":9}`)},
	{"event with a repeated key", `2["a",{"b":1,"b":2}]`, event("/", -1, `["a",{"b":1,"b":2}]`, "a", `{"b":1,"b":2}`)},
	{"event with brackets in strings", `2["a","]}\"],"]`, event("/", -1, `["a","]}\"],"]`, "a", `"]}\"],"`)},

	{"ack", `30["ok",1]`, ack(0, `["ok",1]`, `"ok"`, `1`)},
	{"ack without arguments", `35[]`, ack(5, `[]`)},
	{"ack without payload", `3`, ack(-1, "")},
	{"ack with an id and no payload", `30`, ack(0, "")},
	{"ack without id", `3[1]`, ack(-1, `[1]`, `1`)},
	{"ack with a reserved name, which is no name here", `30["disconnect"]`, ack(0, `["disconnect"]`, `"disconnect"`)},

	{"refusal", `4{"message":"Invalid namespace"}`,
		packet{Type: sio.ConnectError, Namespace: "/", ID: -1, Data: `{"message":"Invalid namespace"}`}},
	{"refusal in a namespace", `4/admin,{"message":"no"}`,
		packet{Type: sio.ConnectError, Namespace: "/admin", ID: -1, Data: `{"message":"no"}`}},
	{"refusal by a string", `4"no"`, packet{Type: sio.ConnectError, Namespace: "/", ID: -1, Data: `"no"`}},

	{"binary event", `51-["a",{"_placeholder":true,"num":0}]`, packet{
		Type: sio.BinaryEvent, Namespace: "/", ID: -1, Attachments: 1, Name: "a",
		Data: `["a",{"_placeholder":true,"num":0}]`, Args: []string{`{"_placeholder":true,"num":0}`},
	}},
	{"binary event with everything", `52-/chat,13["a",{"b":[{"_placeholder":true,"num":1}]}]`, packet{
		Type: sio.BinaryEvent, Namespace: "/chat", ID: 13, Attachments: 2, Name: "a",
		Data: `["a",{"b":[{"_placeholder":true,"num":1}]}]`, Args: []string{`{"b":[{"_placeholder":true,"num":1}]}`},
	}},
	{"binary event without placeholder", `510-["a"]`, packet{
		Type: sio.BinaryEvent, Namespace: "/", ID: -1, Attachments: 10, Name: "a", Data: `["a"]`,
	}},
	{"binary ack", `61-13[{"_placeholder":true,"num":0}]`, packet{
		Type: sio.BinaryAck, Namespace: "/", ID: 13, Attachments: 1,
		Data: `[{"_placeholder":true,"num":0}]`, Args: []string{`{"_placeholder":true,"num":0}`},
	}},
}

var packetErrors = []struct {
	name string
	in   string
	want error
}{
	{"nothing", "", sio.ErrType},
	{"letter for a type", "abc", sio.ErrType},
	{"digit above the types", "7", sio.ErrType},
	{"digit far above the types", `9["a"]`, sio.ErrType},
	{"character below the types", `/["a"]`, sio.ErrType},
	{"NUL for a type", "\x00", sio.ErrType},

	{"connect with an array", `0[]`, sio.ErrPayload},
	{"connect with a string", `0"x"`, sio.ErrPayload},
	{"connect with null", `0null`, sio.ErrPayload},
	{"connect with true", `0true`, sio.ErrPayload},
	{"connect with a number that is no id", `0-1`, sio.ErrPayload},
	{"connect cut short", `0{"a"`, sio.ErrPayload},
	{"connect with two objects", `0{}{}`, sio.ErrPayload},
	{"connect with white space for a payload", `0 `, sio.ErrPayload},
	{"connect with an id out of range", `09007199254740992`, sio.ErrID},

	{"disconnect with an object", `1{}`, sio.ErrPayload},
	{"disconnect with white space", `1 `, sio.ErrPayload},
	{"disconnect with a payload in a namespace", `1/admin,"bye"`, sio.ErrPayload},

	{"event with an object", `2{}`, sio.ErrPayload},
	{"event with a string", `2"x"`, sio.ErrPayload},
	{"event with null", `2null`, sio.ErrPayload},
	{"event without elements", `2[]`, sio.ErrName},
	{"event named by null", `2[null]`, sio.ErrName},
	{"event named by true", `2[true]`, sio.ErrName},
	{"event named by an object", `2[{"toString":"x"}]`, sio.ErrName},
	{"event named by an array", `2[["a"]]`, sio.ErrName},
	{"event named connect", `2["connect"]`, sio.ErrName},
	{"event named connect_error", `2["connect_error"]`, sio.ErrName},
	{"event named disconnect", `2["disconnect"]`, sio.ErrName},
	{"event named disconnecting", `2["disconnecting"]`, sio.ErrName},
	{"event named newListener", `2["newListener"]`, sio.ErrName},
	{"event named removeListener", `2["removeListener"]`, sio.ErrName},
	{"event with a reserved name in escapes", `2["conn\u0065ct"]`, sio.ErrName},
	{"event with a bracket only", `2[`, sio.ErrPayload},
	{"event cut after the name", `2["message"`, sio.ErrPayload},
	{"event cut after a comma", `2["message",`, sio.ErrPayload},
	{"event cut in a string", `2["mess`, sio.ErrPayload},
	{"event with a comma too many", `2["a",]`, sio.ErrPayload},
	{"event closed by a brace", `2["a"}`, sio.ErrPayload},
	{"event with trailing garbage", `2["a"]x`, sio.ErrPayload},
	{"event with a second payload", `2["a"]["b"]`, sio.ErrPayload},
	{"event with letters for an id", `2abc["a"]`, sio.ErrPayload},
	{"event with a negative id", `2-1["a"]`, sio.ErrPayload},
	{"event with a fraction for an id", `21.5["a"]`, sio.ErrPayload},
	{"event with an exponent in its id", `21e3["a"]`, sio.ErrPayload},
	{"event with an id out of range", `29007199254740992["a"]`, sio.ErrID},
	{"event with an id of twenty digits", `299999999999999999999["a"]`, sio.ErrID},
	{"event with an id of a million digits", `2` + strings.Repeat("9", 1e6), sio.ErrID},
	{"event with an attachment count", `21-["a"]`, sio.ErrPayload},
	{"event with a byte order mark", "2\ufeff[\"a\"]", sio.ErrPayload},
	{"event with a NUL behind it", "2[\"a\"]\x00", sio.ErrPayload},
	{"event with NaN", `2["a",NaN]`, sio.ErrPayload},
	{"event nested too deeply", `2["a",` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `]`, sio.ErrDepth},
	{"event nested a million times", `2` + strings.Repeat("[", 1e6), sio.ErrDepth},
	{"event of too many arguments", `2["a"` + strings.Repeat(",1", 4097) + `]`, sio.ErrArgs},

	{"ack with an object", `30{}`, sio.ErrPayload},
	{"ack with a string", `30"x"`, sio.ErrPayload},
	{"ack with an id out of range", `39007199254740992[]`, sio.ErrID},
	{"ack of too many arguments", `30[1` + strings.Repeat(",1", 4096) + `]`, sio.ErrArgs},

	{"refusal without payload", `4`, sio.ErrPayload},
	{"refusal in a namespace without payload", `4/admin,`, sio.ErrPayload},
	{"refusal by an array", `4[]`, sio.ErrPayload},
	{"refusal by a number", `4-1`, sio.ErrPayload},

	{"binary event without count", `5["a"]`, sio.ErrAttachments},
	{"binary event without count but with dash", `5-["a"]`, sio.ErrAttachments},
	{"binary event without dash", `51["a"]`, sio.ErrAttachments},
	{"binary event of a count alone", `51`, sio.ErrAttachments},
	{"binary event of a type alone", `5`, sio.ErrAttachments},
	{"binary event of no attachments", `50-["a"]`, sio.ErrAttachments},
	{"binary event of many zeros", `5000-["a"]`, sio.ErrAttachments},
	{"binary event with a negative count", `5-1-["a"]`, sio.ErrAttachments},
	{"binary event with a positive sign", `5+1-["a"]`, sio.ErrAttachments},
	{"binary event with a space", `5 1-["a"]`, sio.ErrAttachments},
	{"binary event with a fraction", `51.0-["a"]`, sio.ErrAttachments},
	{"binary event with an exponent", `51e3-["a"]`, sio.ErrAttachments},
	{"binary event with letters for a count", `5abc-["a"]`, sio.ErrAttachments},
	{"binary event of eleven attachments", `511-["a"]`, sio.ErrAttachments},
	{"binary event with a count of twenty digits", `599999999999999999999-["a"]`, sio.ErrAttachments},
	{"binary event without payload", `51-`, sio.ErrPayload},
	{"binary event with an id and no payload", `51-/chat,12`, sio.ErrPayload},
	{"binary event with an object", `51-{"_placeholder":true,"num":0}`, sio.ErrPayload},
	{"binary event named by a placeholder", `51-[{"_placeholder":true,"num":0}]`, sio.ErrName},
	{"binary event with a reserved name", `51-["disconnect",{"_placeholder":true,"num":0}]`, sio.ErrName},
	{"binary ack without payload", `61-0`, sio.ErrPayload},
	{"binary ack with a placeholder out of range", `61-0[{"_placeholder":true,"num":1}]`, sio.ErrAttachments},
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, test := range packetCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p sio.Packet
			err := p.Decode([]byte(test.in), sio.Limits{})
			if got := simplify(&p); err != nil || !got.equal(test.want) {
				t.Errorf("%s\ngot  %+v, %v\nwant %+v", test.in, got, err, test.want)
			}
			if (p.Data == nil) != (test.want.Data == "") {
				t.Errorf("%s: Data is %q, want nil exactly if there is none", test.in, p.Data)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range packetErrors {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p sio.Packet
			if err := p.Decode([]byte(test.in), sio.Limits{}); !errors.Is(err, test.want) {
				t.Errorf("%.100s: %v, want %v", test.in, err, test.want)
			}
		})
	}
}

func TestErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`2/chat,1["a" "b"]`:              "socket.io: invalid payload at byte 13",
		`2["a",[[]]]`:                    "socket.io: payload nested too deeply at byte 7",
		`2["a",1,2,3]`:                   "socket.io: too many arguments at byte 10",
		`51-["a",{"_placeholder":true}]`: "socket.io: illegal attachments at byte 28",
		`52-["a"]`:                       "socket.io: illegal attachments: more than 1",
		`5-["a"]`:                        "socket.io: illegal attachments: no count",
		`1{}`:                            "socket.io: invalid payload: DISCONNECT has one",
		`51-`:                            "socket.io: invalid payload: BINARY_EVENT has none",
		`7`:                              "socket.io: unknown packet type",
		`2["connect"]`:                   "socket.io: invalid event name",
		`2` + strings.Repeat("9", 17) + `["a","b"]`: "socket.io: ack id out of range",
	} {
		var p sio.Packet
		err := p.Decode([]byte(in), sio.Limits{Attachments: 1, Depth: 2, Args: 2})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestDecodeReplacesWhatThePacketHeld(t *testing.T) {
	t.Parallel()
	for _, test := range packetCases {
		var p sio.Packet
		if err := p.Decode([]byte(`51-/old,9["old",{"_placeholder":true,"num":0},"old"]`), sio.Limits{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Decode([]byte(test.in), sio.Limits{}); err != nil || !simplify(&p).equal(test.want) {
			t.Errorf("%s: %+v, %v", test.in, simplify(&p), err)
		}
	}
}

func TestPacketAliasesTheText(t *testing.T) {
	t.Parallel()
	in := []byte(`2/chat,["name","argument"]`)
	var p sio.Packet
	if err := p.Decode(in, sio.Limits{}); err != nil {
		t.Fatal(err)
	}
	for part, b := range map[string][]byte{
		"/chat": p.Namespace, `["name","argument"]`: p.Data, "name": p.Name, `"argument"`: p.Args[0],
	} {
		if i := bytes.Index(in, []byte(part)); &b[0] != &in[i] || cap(b) != len(part) {
			t.Errorf("%q is a copy, or leaves room to overwrite the text", part)
		}
	}
}

func TestTypeString(t *testing.T) {
	t.Parallel()
	for typ, want := range map[sio.Type]string{
		sio.Connect: "CONNECT", sio.Disconnect: "DISCONNECT", sio.Event: "EVENT", sio.Ack: "ACK",
		sio.ConnectError: "CONNECT_ERROR", sio.BinaryEvent: "BINARY_EVENT", sio.BinaryAck: "BINARY_ACK",
		7: "Type(7)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %s, want %s", byte(typ), got, want)
		}
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"connect": true, "connect_error": true, "disconnect": true, "disconnecting": true,
		"newListener": true, "removeListener": true,
		"": false, "error": false, "message": false, "Connect": false, "newlistener": false, "reconnect": false,
	} {
		if got := sio.Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %t", name, got)
		}
	}
}
