package eio_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

type packetCase struct {
	name string
	in   string
	want eio.Packet
}

var packetCases = []packetCase{
	{"open", `0{"sid":"a"}`, text(eio.Open, `{"sid":"a"}`)},
	{"close", "1", text(eio.Close, "")},
	{"ping", "2", text(eio.Ping, "")},
	{"probe", "2probe", text(eio.Ping, "probe")},
	{"pong", "3", text(eio.Pong, "")},
	{"answer to a probe", "3probe", text(eio.Pong, "probe")},
	{"message", "4hello", text(eio.Message, "hello")},
	{"message without content", "4", text(eio.Message, "")},
	{"message of several bytes a character", "4é漢😀", text(eio.Message, "é漢😀")},
	{"message with a separator in a WebSocket frame", "4a\x1eb", text(eio.Message, "a\x1eb")},
	{"upgrade", "5", text(eio.Upgrade, "")},
	{"noop", "6", text(eio.Noop, "")},
	{"binary message", "bAQID", binary("\x01\x02\x03")},
	{"binary message with one padding", "bAQI=", binary("\x01\x02")},
	{"binary message with two paddings", "bAQ==", binary("\x01")},
	{"binary message without content", "b", binary("")},
	{"binary message in lines, as the Java client sends it", "bAQID\nBAUG\r\n", binary("\x01\x02\x03\x04\x05\x06")},
}

var packetErrors = []struct {
	name string
	in   string
	want error
}{
	{"nothing", "", eio.ErrEmpty},
	{"digit above the types", "7", eio.ErrType},
	{"digit below the types", "/", eio.ErrType},
	{"letter", "abc", eio.ErrType},
	{"letter of several bytes", "é", eio.ErrType},
	{"NUL", "\x00", eio.ErrType},
	{"byte that begins no character", "\xff", eio.ErrUTF8},
	{"half a character", "4\xc3", eio.ErrUTF8},
	{"overlong character", "4\xc0\xaf", eio.ErrUTF8},
	{"surrogate", "4\xed\xa0\x80", eio.ErrUTF8},
	{"base64 without padding", "bAQI", eio.ErrBase64},
	{"base64 of one character", "bA", eio.ErrBase64},
	{"base64 with data behind the padding", "bAQ==AQID", eio.ErrBase64},
	{"base64 of the URL alphabet", "b-_-_", eio.ErrBase64},
	{"base64 with a space", "bAQ D", eio.ErrBase64},
	{"base64 with foreign letters", "bé", eio.ErrBase64},
	{"base64 with invalid UTF-8", "b\xff\xff\xff\xff", eio.ErrBase64},
}

func text(t eio.Type, data string) eio.Packet {
	return eio.Packet{Type: t, Data: []byte(data)}
}

func binary(data string) eio.Packet {
	return eio.Packet{Type: eio.Message, Binary: true, Data: []byte(data)}
}

func equal(a, b eio.Packet) bool {
	return a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, test := range packetCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := eio.Decode([]byte(test.in))
			if err != nil || !equal(got, test.want) {
				t.Errorf("Decode(%q) = %+v, %v; want %+v", test.in, got, err, test.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range packetErrors {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := eio.Decode([]byte(test.in))
			if !errors.Is(err, test.want) || !equal(got, eio.Packet{}) {
				t.Errorf("Decode(%q) = %+v, %v; want nothing, %v", test.in, got, err, test.want)
			}
		})
	}
}

func TestErrorsNameTheProtocol(t *testing.T) {
	t.Parallel()
	for _, err := range []error{eio.ErrEmpty, eio.ErrType, eio.ErrBase64, eio.ErrUTF8, eio.ErrLength, eio.ErrForm} {
		if !strings.HasPrefix(err.Error(), "engine.io: ") {
			t.Errorf("%q has no prefix", err)
		}
	}
}

func TestDecodeWorksInPlace(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"4hello", "bAQIDBAUGBwgJCgsMDQ4P"} {
		b := []byte(in)
		p, err := eio.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if &p.Data[0] != &b[1] {
			t.Errorf("Decode(%q) copied the data", in)
		}
		if cap(p.Data) != len(p.Data) {
			t.Errorf("Decode(%q) leaves room to overwrite the input by append", in)
		}
	}
}

// The decoder of the standard library writes eight bytes at a time, so this
// guards its being used on overlapping memory.
func TestBase64OfEveryLengthInPlace(t *testing.T) {
	t.Parallel()
	for n := range 300 {
		data := bytes.Repeat([]byte{0x00, 0xff, 0x5a, 0xa5, byte(n)}, n/5+1)[:n]
		packet := eio.AppendBinary(nil, data)
		for _, width := range []int{len(packet), 76, 5, 1} {
			in := lines(packet, width)
			if p, err := eio.Decode(in); err != nil || !equal(p, binary(string(data))) {
				t.Fatalf("%d bytes in lines of %d: %+v, %v", n, width, p, err)
			}
		}
	}
}

// lines breaks the base64 of a packet after each width characters.
func lines(packet []byte, width int) []byte {
	in := packet[:1:1]
	for i, c := range packet[1:] {
		if i > 0 && i%width == 0 {
			in = append(in, '\r', '\n')
		}
		in = append(in, c)
	}
	return in
}

func TestAppendBinary(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"":             "b",
		"\x01":         "bAQ==",
		"\x01\x02":     "bAQI=",
		"\x01\x02\x03": "bAQID",
		"\xfb\xff":     "b+/8=",
	} {
		if got := eio.AppendBinary([]byte("x"), []byte(data)); string(got) != "x"+want {
			t.Errorf("AppendBinary(%q) = %q, want %q", data, got[1:], want)
		}
	}
}

func TestTypeString(t *testing.T) {
	t.Parallel()
	for typ, want := range map[eio.Type]string{
		eio.Open: "open", eio.Close: "close", eio.Ping: "ping", eio.Pong: "pong",
		eio.Message: "message", eio.Upgrade: "upgrade", eio.Noop: "noop",
		'7': "Type('7')", '/': "Type('/')", 0: `Type('\x00')`,
	} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%q).String() = %s, want %s", byte(typ), got, want)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	in := []byte(`42["echo","hello"]`)
	if n := testing.AllocsPerRun(100, func() { _, _ = eio.Decode(in) }); n != 0 {
		t.Errorf("%v allocations for text", n)
	}
	encoded := eio.AppendBinary(nil, make([]byte, 1000))
	in = make([]byte, len(encoded))
	if n := testing.AllocsPerRun(100, func() {
		copy(in, encoded)
		_, _ = eio.Decode(in)
	}); n != 0 {
		t.Errorf("%v allocations for base64", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, test := range packetCases {
		f.Add([]byte(test.in))
	}
	for _, test := range packetErrors {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		original := bytes.Clone(in)
		p, err := eio.Decode(in)
		if err != nil {
			if !equal(p, eio.Packet{}) {
				t.Errorf("Decode(%q) = %+v with %v", original, p, err)
			}
			return
		}
		if !p.Binary {
			if got := append([]byte{byte(p.Type)}, p.Data...); !bytes.Equal(got, original) {
				t.Errorf("Decode(%q) = %+v", original, p)
			}
			return
		}
		want, err := base64.StdEncoding.DecodeString(string(original[1:]))
		if err != nil || !bytes.Equal(p.Data, want) {
			t.Errorf("Decode(%q) = %q, want %q, %v", original, p.Data, want, err)
		}
	})
}

func BenchmarkDecodeText(b *testing.B) {
	in := []byte(`42["echo","` + strings.Repeat("x", 64) + `"]`)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = eio.Decode(in)
	}
}

func BenchmarkDecodeBinary(b *testing.B) {
	encoded := eio.AppendBinary(nil, make([]byte, 10_000))
	in := make([]byte, len(encoded))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, encoded)
		_, _ = eio.Decode(in)
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	data := make([]byte, 10_000)
	dst := eio.AppendBinary(nil, data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		dst = eio.AppendBinary(dst[:0], data)
	}
}
