package msgpack_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/msgpack"
)

func TestMain(m *testing.M) { leak.Main(m) }

// bytes decodes hexadecimal digits.
func bytes(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const placeholder = `{"_placeholder":true,"num":0}`

func TestToJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   string
		json string
		bin  []string // in hexadecimal
	}{
		{"nil", "c0", `null`, nil},
		{"false", "c2", `false`, nil},
		{"true", "c3", `true`, nil},

		{"positive fixint", "7f", `127`, nil},
		{"negative fixint", "e0", `-32`, nil},
		{"-1", "ff", `-1`, nil},
		{"uint 8", "cc ff", `255`, nil},
		{"uint 16", "cd ffff", `65535`, nil},
		{"uint 32", "ce ffffffff", `4294967295`, nil},
		{"uint 64", "cf 001fffffffffffff", `9007199254740991`, nil},
		{"the largest int64", "cf 7fffffffffffffff", `9223372036854775807`, nil},
		{"more than an int64", "cf ffffffffffffffff", `18446744073709551615`, nil},
		{"int 8", "d0 80", `-128`, nil},
		{"int 16", "d1 8000", `-32768`, nil},
		{"int 32", "d2 80000000", `-2147483648`, nil},
		{"int 64", "d3 8000000000000000", `-9223372036854775808`, nil},
		{"int 8 that is positive", "d0 7f", `127`, nil},
		{"float 32", "ca 3fc00000", `1.5`, nil},
		{"float 64", "cb 3ff8000000000000", `1.5`, nil},
		{"float 64 without a fraction", "cb 4000000000000000", `2`, nil},
		{"minus zero", "cb 8000000000000000", `-0`, nil},
		{"a large float", "cb 444b1ae4d6e2ef50", `1e+21`, nil},
		{"less than a large float", "cb 444b1ae4d6e2ef4f", `999999999999999900000`, nil},
		{"a small float", "cb 3eb0c6f7a0b5ed8d", `0.000001`, nil},
		{"a smaller float", "cb 3eb0c6f7a0b5ed8c", `9.999999999999997e-07`, nil},
		{"the smallest float", "cb 0000000000000001", `5e-324`, nil},
		{"not a number", "cb 7ff8000000000000", `null`, nil},
		{"infinity", "cb 7ff0000000000000", `null`, nil},
		{"minus infinity", "ca ff800000", `null`, nil},

		{"fixstr", "a2 6869", `"hi"`, nil},
		{"an empty string", "a0", `""`, nil},
		{"str 8", "d9 02 6869", `"hi"`, nil},
		{"str 16", "da 0002 6869", `"hi"`, nil},
		{"str 32", "db 00000002 6869", `"hi"`, nil},
		{"a string to be escaped", "a4 22 0a 5c 01", `"\"\n\\\u0001"`, nil},
		{"a string of several bytes a letter", "a7 c3a9 f09f9880 7f", "\"é😀\x7f\"", nil},
		{"a string that is not UTF-8", "a2 ff 41", `"` + "\ufffd" + `A"`, nil},

		{"bin 8", "c4 02 0102", placeholder, []string{"0102"}},
		{"bin 16", "c5 0002 0102", placeholder, []string{"0102"}},
		{"bin 32", "c6 00000002 0102", placeholder, []string{"0102"}},
		{"what looks like a placeholder", "82 ac 5f706c616365686f6c646572 c3 a3 6e756d 00", `{"\u005fplaceholder":true,"num":0}`, nil},
		{"an empty bin", "c4 00", placeholder, []string{""}},
		{"an ArrayBuffer, ext 8", "c7 02 00 0102", placeholder, []string{"0102"}},
		{"an ArrayBuffer, ext 16", "c8 0002 00 0102", placeholder, []string{"0102"}},
		{"an ArrayBuffer, ext 32", "c9 00000002 00 0102", placeholder, []string{"0102"}},
		{"an ArrayBuffer of a zero, which is not undefined", "c7 01 00 00", placeholder, []string{"00"}},
		{"an ArrayBuffer of 8 bytes, which is not a Date", "c7 08 00 0000018bcfe5687b", placeholder, []string{"0000018bcfe5687b"}},
		{"an empty ArrayBuffer", "c7 00 00", placeholder, []string{""}},
		{"fixext 2 of type 0", "d5 00 0102", placeholder, []string{"0102"}},
		{"fixext 4 of type 0", "d6 00 01020304", placeholder, []string{"01020304"}},
		{"fixext 16 of type 0", "d8 00 000102030405060708090a0b0c0d0e0f", placeholder, []string{"000102030405060708090a0b0c0d0e0f"}},

		{"undefined", "d4 00 00", `null`, nil},
		{"undefined, with another byte", "d4 00 01", `null`, nil},
		{"a Date", "d7 00 0000018bcfe5687b", `"2023-11-14T22:13:20.123Z"`, nil},
		{"a Date before 1970", "d7 00 ffffffffffffffff", `"1969-12-31T23:59:59.999Z"`, nil},
		{"a Date beyond RFC 3339", "d7 00 7fffffffffffffff", `null`, nil},
		{"a Date before the year 0", "d7 00 8000000000000000", `null`, nil},
		{"timestamp 32", "d6 ff 00000001", `"1970-01-01T00:00:01.000Z"`, nil},
		{"timestamp 64", "d7 ff 1d164a006553f100", `"2023-11-14T22:13:20.122Z"`, nil},
		{"timestamp 96", "c7 0c ff 00000000 ffffffffffffffff", `"1969-12-31T23:59:59.000Z"`, nil},

		{"fixarray", "92 01 c0", `[1,null]`, nil},
		{"an empty array", "90", `[]`, nil},
		{"array 16", "dc 0001 01", `[1]`, nil},
		{"array 32", "dd 00000001 01", `[1]`, nil},
		{"fixmap", "82 a161 01 a162 a0", `{"a":1,"b":""}`, nil},
		{"an empty map", "80", `{}`, nil},
		{"map 16", "de 0001 a161 01", `{"a":1}`, nil},
		{"map 32", "df 00000001 a161 01", `{"a":1}`, nil},
		{"keys with a meaning in JavaScript", "82 a95f5f70726f746f5f5f 01 a0 02", `{"__proto__":1,"":2}`, nil},
		{"several binary parts", "93 c40101 91 c40102 81 a161 c7010003",
			`[{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}],{"a":{"_placeholder":true,"num":2}}]`,
			[]string{"01", "02", "03"}},
		{"as deep as is allowed", strings.Repeat("91", 9) + "90", strings.Repeat("[", 10) + strings.Repeat("]", 10), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := msgpack.Decoder{Data: bytes(t, test.in), Depth: 10}
			got, err := d.ToJSON([]byte("before "))
			if string(got) != "before "+test.json || err != nil || len(d.Data) > 0 {
				t.Errorf("%s, %v, %d bytes left; want %s", got, err, len(d.Data), test.json)
			}
			if want := fmt.Sprint(test.bin); fmt.Sprintf("%x", d.Attachments) != want {
				t.Errorf("binary parts %x, want %s", d.Attachments, want)
			}
			if d.Depth != 10 {
				t.Errorf("left at depth %d", d.Depth)
			}

			d = msgpack.Decoder{Data: append(bytes(t, test.in), 0xc1)}
			if raw, err := d.Skip(); !slices.Equal(raw, bytes(t, test.in)) || err != nil || len(d.Data) != 1 {
				t.Errorf("skips %x, %v, leaving %x", raw, err, d.Data)
			}

			// No part of it is enough, and no byte of it is read beyond.
			in := bytes(t, test.in)
			for n := range in {
				d := msgpack.Decoder{Data: in[:n:n], Depth: 10}
				if got, err := d.ToJSON(nil); !errors.Is(err, msgpack.ErrShort) {
					t.Errorf("%x is %s, %v", in[:n], got, err)
				}
				d = msgpack.Decoder{Data: in[:n:n]}
				if raw, err := d.Skip(); !errors.Is(err, msgpack.ErrShort) {
					t.Errorf("of %x, %x is skipped, %v", in[:n], raw, err)
				}
			}
		})
	}
}

func TestToJSONOfNonsense(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   string
		err  error
	}{
		{"nothing", "", msgpack.ErrShort},
		{"never used", "c1", msgpack.ErrType},
		{"extension of an unknown type", "d4 01 00", msgpack.ErrType},
		{"extension of an unknown type, ext 8", "c7 01 7f 00", msgpack.ErrType},
		{"a timestamp of a wrong size", "d5 ff 0000", msgpack.ErrType},
		{"an extension without a type", "d4", msgpack.ErrShort},
		{"an extension longer than the input", "c9 ffffffff 00 00", msgpack.ErrShort},
		{"a string longer than the input", "db ffffffff 00", msgpack.ErrShort},
		{"binary longer than the input", "c6 ffffffff 00", msgpack.ErrShort},
		{"an array larger than the input", "dd ffffffff c0", msgpack.ErrShort},
		{"a map larger than the input", "df ffffffff a0 c0", msgpack.ErrShort},
		{"a map of a pair and a half", "82 a0 c0 a0", msgpack.ErrShort},
		{"a map whose value is missing", "81 a161", msgpack.ErrShort},
		{"a number for a key", "81 01 01", msgpack.ErrKey},
		{"nil for a key", "81 c0 01", msgpack.ErrKey},
		{"binary for a key", "81 c40161 01", msgpack.ErrKey},
		{"a map for a key", "81 80 01", msgpack.ErrKey},
		{"a key that is not UTF-8", "81 a1ff 01", msgpack.ErrKey},
		{"a key that is cut off", "81 a2 ff", msgpack.ErrShort},
		{"nonsense in an array", "91 c1", msgpack.ErrType},
		{"nonsense in a map", "81 a0 c1", msgpack.ErrType},
		{"nonsense for a key", "81 c1 00", msgpack.ErrType},
		{"deeper than is allowed", strings.Repeat("91", 10) + "90", msgpack.ErrDepth},
		{"maps deeper than is allowed", strings.Repeat("81a0", 10) + "80", msgpack.ErrDepth},
		{"very deep", strings.Repeat("91", 1e6) + "90", msgpack.ErrDepth},
		{"very many binary parts", "dd 00010000" + strings.Repeat("c400", 1<<16), msgpack.ErrAttachments},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := msgpack.Decoder{Data: bytes(t, test.in), Depth: 10}
			if got, err := d.ToJSON(nil); !errors.Is(err, test.err) || got != nil {
				t.Errorf("%s, %v; want %v", got, err, test.err)
			}
		})
	}
}

// A few bytes that announce much must not cost much. It does not run beside
// other tests, whose memory would be counted.
func TestAnnouncedLengthsAllocateNothing(t *testing.T) {
	for _, digits := range []string{
		"dd ffffffff c0", "df ffffffff a0 c0", "db ffffffff 00", "c6 ffffffff 00", "c9 ffffffff 00 00",
		"dd 00ffffff" + strings.Repeat("dd00ffff", 8),
	} {
		in := bytes(t, digits)
		const most = 1024
		if n := allocs.Bytes(most, func() {
			d := msgpack.Decoder{Data: in, Depth: 512}
			if _, err := d.ToJSON(nil); err == nil {
				t.Errorf("%s was decoded", digits)
			}
		}); n > most {
			t.Errorf("%s takes %d bytes of memory", digits, n)
		}
	}
}
