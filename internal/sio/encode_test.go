package sio_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

func TestAppendHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typ         sio.Type
		namespace   string
		attachments int
		id          int64
		want        string
	}{
		{sio.Connect, "/", 0, -1, `0`},
		{sio.Connect, "", 0, -1, `0`},
		{sio.Connect, "/admin", 0, -1, `0/admin,`},
		{sio.Disconnect, "/", 0, -1, `1`},
		{sio.Disconnect, "/custom", 0, -1, `1/custom,`},
		{sio.Event, "/", 0, -1, `2`},
		{sio.Event, "/", 0, 0, `20`},
		{sio.Event, "/chat", 0, 12, `2/chat,12`},
		{sio.Event, "/chat", 3, 12, `2/chat,12`},
		{sio.Ack, "/", 0, sio.MaxID, `39007199254740991`},
		{sio.ConnectError, "/unknown", 0, -1, `4/unknown,`},
		{sio.BinaryEvent, "/", 1, -1, `51-`},
		{sio.BinaryEvent, "/chat", 1, 12, `51-/chat,12`},
		{sio.BinaryAck, "/", 10, 13, `610-13`},
	} {
		got := string(sio.AppendHeader([]byte("x"), test.typ, test.namespace, test.attachments, test.id))
		if got != "x"+test.want {
			t.Errorf("%s in %q with %d attachments and id %d: %s, want %s",
				test.typ, test.namespace, test.attachments, test.id, got[1:], test.want)
		}
	}
}

var stringCases = []struct{ in, want string }{
	{"", `""`},
	{"hello", `"hello"`},
	{"<a href='x'>&</a>", `"<a href='x'>&</a>"`},
	{"\"\\/", `"\"\\/"`},
	{"\b\f\n\r\t", `"\b\f\n\r\t"`},
	{"\x00\x01\x1e\x1f\x7f", `"\u0000\u0001\u001e\u001f` + "\x7f\""},
	{"é漢😀\u2028\u2029", "\"é漢😀\u2028\u2029\""},
	{"a\xffb", "\"a\ufffdb\""},
	{"\xff\xfe", "\"\ufffd\ufffd\""},
	{"cut \xe6\xbc", "\"cut \ufffd\ufffd\""},
	{"surrogate \xed\xa0\x80", "\"surrogate \ufffd\ufffd\ufffd\""},
	{"replaced \ufffd", "\"replaced \ufffd\""},
	{"1234567\n", `"1234567\n"`},
	{"12345678\n", `"12345678\n"`},
	{"12345678é12345678\"12345678", `"12345678é12345678\"12345678"`},
	{strings.Repeat("x", 1000) + "\"", `"` + strings.Repeat("x", 1000) + `\""`},
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, test := range stringCases {
		if got := string(sio.AppendString([]byte("x"), test.in)); got != "x"+test.want {
			t.Errorf("AppendString(%q) = %s, want %s", test.in, got[1:], test.want)
		}
		if got := string(sio.AppendString([]byte("x"), []byte(test.in))); got != "x"+test.want {
			t.Errorf("AppendString([]byte(%q)) = %s, want %s", test.in, got[1:], test.want)
		}
	}
}

func TestAppendStringOfEveryByteAtEveryPlace(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		for place := range n {
			for c := range 128 {
				in := []byte(strings.Repeat("x", n))
				in[place] = byte(c)
				var got string
				if err := json.Unmarshal(sio.AppendString(nil, in), &got); err != nil || got != string(in) {
					t.Fatalf("%q became %q, %v", in, got, err)
				}
			}
		}
	}
}
