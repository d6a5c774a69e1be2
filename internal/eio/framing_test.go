package eio_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/eio"
)

type framingCase struct {
	name string
	in   string
	want []eio.Packet
	err  error // after want
}

var framingCases = map[eio.Framing][]framingCase{
	eio.Separated: {
		{"several packets", "3\x1e4a\x1ebAQID", []eio.Packet{text(eio.Pong, ""), text(eio.Message, "a"), binary("\x01\x02\x03")}, nil},
		{"separator at the end", "4a\x1e4b\x1e", []eio.Packet{text(eio.Message, "a")}, eio.ErrEmpty},
	},
	eio.Counted: {
		{"one packet", "6:4hello", []eio.Packet{text(eio.Message, "hello")}, nil},
		{"one packet without content", "1:2", []eio.Packet{text(eio.Ping, "")}, nil},
		{"several packets", "1:27:4héllo!2:4b", []eio.Packet{
			text(eio.Ping, ""), text(eio.Message, "héllo!"), text(eio.Message, "b"),
		}, nil},
		{"length in UTF-16 code units", "2:4€3:4😀4:4😀a", []eio.Packet{
			text(eio.Message, "€"), text(eio.Message, "😀"), text(eio.Message, "😀a"),
		}, nil},
		{"text and binary", "6:4hello10:b4AQIDBA==2:4b", []eio.Packet{
			text(eio.Message, "hello"), binary("\x01\x02\x03\x04"), text(eio.Message, "b"),
		}, nil},
		{"a payload inside a packet", "9:46:4hello", []eio.Packet{text(eio.Message, "6:4hello")}, nil},
		{"colons and digits inside a packet", "9:41:2:3:4:", []eio.Packet{text(eio.Message, "1:2:3:4:")}, nil},
		{"length of two digits", "12:4hello world", []eio.Packet{text(eio.Message, "hello world")}, nil},
		{"nothing", "", nil, eio.ErrEmpty},
		{"empty packet", "0:", nil, eio.ErrEmpty},
		{"empty packet between others", "2:4a0:2:4b", []eio.Packet{text(eio.Message, "a")}, eio.ErrEmpty},
		{"no length", "abc", nil, eio.ErrLength},
		{"a packet of protocol 4", "4hello", nil, eio.ErrLength},
		{"no digits", ":4hello", nil, eio.ErrLength},
		{"no colon", "6", nil, eio.ErrLength},
		{"no colon before the end", "2:4a12", []eio.Packet{text(eio.Message, "a")}, eio.ErrLength},
		{"letter in the length", "6x:4hello", nil, eio.ErrLength},
		{"negative length", "-1:4hello", nil, eio.ErrLength},
		{"length with a sign", "+6:4hello", nil, eio.ErrLength},
		{"length with a space", " 6:4hello", nil, eio.ErrLength},
		{"length with a fraction", "6.0:4hello", nil, eio.ErrLength},
		{"length with an exponent", "1e1:4hello wor", nil, eio.ErrLength},
		{"hexadecimal length", "0x6:4hello", nil, eio.ErrLength},
		{"length with zeros before it", "06:4hello", nil, eio.ErrLength},
		{"length in foreign digits", "٦:4hello", nil, eio.ErrLength},
		{"length beyond the end", "7:4hello", nil, eio.ErrLength},
		{"length in bytes", "4:4€", nil, eio.ErrLength},
		{"length that fits no integer", "99999999999999999999:4hello", nil, eio.ErrLength},
		{"length that wraps", "18446744073709551622:4hello", nil, eio.ErrLength},
		{"length that ends in half a surrogate pair", "2:4😀", nil, eio.ErrLength},
		{"length of half a character", "2:4\xc3", nil, eio.ErrUTF8},
		{"invalid UTF-8 within the length", "3:4\xff1", nil, eio.ErrUTF8},
		{"surrogate", "2:4\xed\xa0\x80", nil, eio.ErrUTF8},
		{"unknown type", "2:4a1:7", []eio.Packet{text(eio.Message, "a")}, eio.ErrType},
		{"binary packet of protocol 4", "5:bAQID", nil, eio.ErrType},
		{"invalid base64", "5:b4AQI", nil, eio.ErrBase64},
	},
	eio.CountedBinary: {
		{"text and binary", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", []eio.Packet{
			text(eio.Message, "hello"), binary("\x01\x02\x03\x04"),
		}, nil},
		{"length in bytes", "\x00\x04\xff4€\x00\x05\xff4😀", []eio.Packet{text(eio.Message, "€"), text(eio.Message, "😀")}, nil},
		{"length of two digits", "\x00\x01\x02\xff4hello world", []eio.Packet{text(eio.Message, "hello world")}, nil},
		{"base64 in a text", "\x00\x0a\xffb4AQIDBA==", nil, eio.ErrLength}, // 10 is no digit
		{"base64 in a text of two digits", "\x00\x01\x00\xffb4AQIDBA==", []eio.Packet{binary("\x01\x02\x03\x04")}, nil},
		{"binary data like framing", "\x01\x06\xff\x04\x00\x01\xff4\xff", []eio.Packet{binary("\x00\x01\xff4\xff")}, nil},
		{"nothing", "", nil, eio.ErrEmpty},
		{"empty text", "\x00\x00\xff", nil, eio.ErrEmpty},
		{"empty binary", "\x01\x00\xff", nil, eio.ErrEmpty},
		{"no length", "\x00", nil, eio.ErrLength},
		{"no digits", "\x00\xff4a", nil, eio.ErrLength},
		{"length in ASCII", "\x006\xff4hello", nil, eio.ErrLength},
		{"unknown kind", "\x02\x02\xff4a", nil, eio.ErrType},
		{"text payload", "2:4a", nil, eio.ErrType},
		{"no end of the length", "\x00\x02\x02\x02\x02", nil, eio.ErrLength},
		{"length with zeros before it", "\x00\x00\x02\xff4a", nil, eio.ErrLength},
		{"length beyond the end", "\x00\x03\xff4a", nil, eio.ErrLength},
		{"length that fits no integer", "\x00" + strings.Repeat("\x09", 20) + "\xff4a", nil, eio.ErrLength},
		{"length of 310 digits", "\x01" + strings.Repeat("\x01", 310) + "\xff\x04", nil, eio.ErrLength},
		{"invalid UTF-8", "\x00\x02\xff4\xff", nil, eio.ErrUTF8},
		{"binary heartbeat", "\x01\x01\xff\x02", nil, eio.ErrType},
		{"binary with the digit of its type", "\x01\x02\xff4a", nil, eio.ErrType},
	},
}

// framed is how a payload is read.
func framed(f eio.Framing, payload []byte) (all []eio.Packet, err error) {
	for rest := payload; ; {
		var p eio.Packet
		if p, rest, err = f.Next(rest); err != nil {
			return all, err
		}
		all = append(all, p)
		if rest == nil {
			return all, nil
		}
	}
}

func TestFramingNext(t *testing.T) {
	t.Parallel()
	for framing, cases := range framingCases {
		for _, test := range cases {
			t.Run(fmt.Sprintf("%d %s", framing, test.name), func(t *testing.T) {
				t.Parallel()
				got, err := framed(framing, []byte(test.in))
				if !errors.Is(err, test.err) || !slices.EqualFunc(got, test.want, equal) {
					t.Errorf("payload %q has %+v, %v; want %+v, %v", test.in, got, err, test.want, test.err)
				}
			})
		}
	}
}

func TestFramingAppend(t *testing.T) {
	t.Parallel()
	for framing, want := range map[eio.Framing]string{
		eio.Separated:     "4hello\x1ebAQIDBA==\x1e4€😀\x1eb\x1e6",
		eio.Counted:       "6:4hello10:b4AQIDBA==4:4€😀2:b41:6",
		eio.CountedBinary: "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04\x00\x08\xff4€😀\x01\x01\xff\x04\x00\x01\xff6",
	} {
		var payload []byte
		payload = framing.Append(payload, []byte("4hello"))
		payload = framing.AppendBinary(payload, []byte{1, 2, 3, 4})
		payload = framing.Append(payload, []byte("4€😀"))
		payload = framing.AppendBinary(payload, nil)
		payload = framing.Append(payload, []byte("6"))
		if string(payload) != want {
			t.Errorf("framing %d: %q, want %q", framing, payload, want)
		}
	}
}

// A length that is announced must not be worth anything by itself.
func TestCraftedLengths(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	digit := func(f eio.Framing, d byte) byte {
		if f == eio.Counted {
			return '0' + d
		}
		return d
	}
	for _, framing := range []eio.Framing{eio.Counted, eio.CountedBinary} {
		kind := ""
		end := ":"
		if framing == eio.CountedBinary {
			kind, end = "\x00", "\xff"
		}
		for name, in := range map[string]string{
			"nothing but digits":       kind + strings.Repeat(string(rune(digit(framing, 1))), size),
			"nothing but zeros":        kind + strings.Repeat(string(rune(digit(framing, 0))), size),
			"nothing but ends":         kind + strings.Repeat(end, size),
			"a million lengths of one": strings.Repeat(kind+string(rune(digit(framing, 1))), size/2),
			"a huge length, no packet": kind + string([]byte{digit(framing, 9), digit(framing, 9), digit(framing, 9), digit(framing, 9), digit(framing, 9), digit(framing, 9), digit(framing, 9)}) + end,
		} {
			b := []byte(in)
			begin := time.Now()
			_, err := framed(framing, b)
			if err == nil {
				t.Errorf("framing %d: %s was accepted", framing, name)
			}
			if d := time.Since(begin); d > time.Second {
				t.Errorf("framing %d: %s took %v", framing, name, d)
			}
		}
	}
}

// The cost of a payload is that of its bytes, however it is cut into packets.
func TestFramingTakesLinearTime(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	for name, in := range map[string][]byte{
		"one large packet":          eio.Counted.Append(nil, []byte("4"+strings.Repeat("é", size/2))),
		"heartbeats":                bytes.Repeat([]byte("1:2"), size/3),
		"messages":                  bytes.Repeat([]byte("3:4😀"), size/7),
		"one large binary message":  eio.CountedBinary.AppendBinary(nil, make([]byte, size)),
		"binary messages of a byte": bytes.Repeat([]byte("\x01\x02\xff\x04x"), size/5),
	} {
		framing := eio.Counted
		if in[0] <= 1 {
			framing = eio.CountedBinary
		}
		begin := time.Now()
		n := 0
		for rest := in; rest != nil; n++ {
			var err error
			if _, rest, err = framing.Next(rest); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		// A decoder that is quadratic in the packets takes minutes.
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s: %d packets took %v", name, n, d)
		}
	}
}

func TestPacketsOfACountedPayloadDoNotOverlap(t *testing.T) {
	t.Parallel()
	for framing, in := range map[eio.Framing]string{
		eio.Counted:       "2:4a2:4b",
		eio.CountedBinary: "\x01\x02\xff\x04a\x00\x02\xff4b",
	} {
		got, err := framed(framing, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		_ = append(got[0].Data, "overwritten"...)
		if string(got[1].Data) != "b" {
			t.Errorf("framing %d: second packet became %q", framing, got[1].Data)
		}
	}
}

func TestFramingNextAllocatesNothing(t *testing.T) {
	for framing, packet := range map[eio.Framing]string{
		eio.Counted:       "3:4😀",
		eio.CountedBinary: "\x01\x02\xff\x04a",
	} {
		in := bytes.Repeat([]byte(packet), 1000)
		if n := testing.AllocsPerRun(10, func() {
			for rest := in; rest != nil; {
				_, rest, _ = framing.Next(rest)
			}
		}); n != 0 {
			t.Errorf("framing %d: %v allocations", framing, n)
		}
	}
}

func addPayloads(f *testing.F) {
	f.Helper()
	for _, test := range payloadCases {
		f.Add(uint8(eio.Separated), []byte(test.in))
	}
	for framing, cases := range framingCases {
		for _, test := range cases {
			f.Add(uint8(framing), []byte(test.in))
		}
	}
}

func FuzzFraming(f *testing.F) {
	addPayloads(f)
	f.Fuzz(func(t *testing.T, framing uint8, in []byte) {
		got, err := framed(eio.Framing(framing%3), bytes.Clone(in))
		var want []eio.Packet
		var ok bool
		switch eio.Framing(framing % 3) {
		case eio.Counted:
			want, ok = slowCounted(in)
		case eio.CountedBinary:
			want, ok = slowBinary(in)
		default:
			want, ok = slowSeparated(in)
		}
		if ok != (err == nil) || !slices.EqualFunc(got, want, equal) {
			t.Errorf("framing %d: payload %q has %+v, %v; want %+v, %t", framing%3, in, got, err, want, ok)
		}
	})
}

func slowSeparated(in []byte) (all []eio.Packet, ok bool) {
	parts := strings.Split(string(in), "\x1e")
	for i, part := range parts {
		p, err := eio.Decode([]byte(part))
		if err != nil || i == len(parts)-2 && parts[i+1] == "" { // a separator at the end is seen at once
			return all, false
		}
		all = append(all, p)
	}
	return all, true
}

var lengthPattern = regexp.MustCompile(`^[1-9][0-9]{0,9}:`)

// slowCounted reads a payload as JavaScript does: as an array of code units.
func slowCounted(in []byte) (all []eio.Packet, ok bool) {
	for s := in; ; {
		length := lengthPattern.Find(s)
		if length == nil {
			return all, false
		}
		n, _ := strconv.ParseInt(string(length[:len(length)-1]), 10, 64)
		s = s[len(length):]
		valid := "" // what comes behind the packet may be what it likes
		for len(valid) < len(s) {
			r, size := utf8.DecodeRune(s[len(valid):])
			if r == utf8.RuneError && size == 1 {
				break
			}
			valid = string(s[:len(valid)+size])
		}
		units := utf16.Encode([]rune(valid))
		if n > int64(len(units)) {
			return all, false
		}
		packet := string(utf16.Decode(units[:n]))
		if !strings.HasPrefix(string(s), packet) { // a pair was cut
			return all, false
		}
		p, err := eio.DecodeV3([]byte(packet))
		if err != nil {
			return all, false
		}
		all = append(all, p)
		if s = s[len(packet):]; len(s) == 0 {
			return all, true
		}
	}
}

func slowBinary(in []byte) (all []eio.Packet, ok bool) {
	for s := in; ; {
		end := bytes.IndexByte(s, 0xff)
		if end < 2 || end > 11 || s[0] > 1 || s[1] == 0 {
			return all, false
		}
		n := 0
		for _, d := range s[1:end] {
			if d > 9 {
				return all, false
			}
			n = n*10 + int(d)
		}
		kind := s[0]
		if s = s[end+1:]; n > len(s) {
			return all, false
		}
		decode := eio.DecodeV3
		if kind == 1 {
			decode = eio.DecodeBinaryV3
		}
		p, err := decode(bytes.Clone(s[:n]))
		if err != nil {
			return all, false
		}
		all = append(all, p)
		if s = s[n:]; len(s) == 0 {
			return all, true
		}
	}
}

func FuzzFramingRoundTrip(f *testing.F) {
	f.Add(uint8(1), "hello", []byte("\x01\x02\x03"), "é😀")
	f.Add(uint8(2), "", []byte(""), "漢")
	f.Fuzz(func(t *testing.T, framing uint8, first string, data []byte, second string) {
		fr := eio.Framing(framing % 3)
		clean := func(s string) string {
			return strings.ReplaceAll(strings.ToValidUTF8(s, ""), string(rune(eio.Separator)), "")
		}
		first, second = clean(first), clean(second)
		payload := fr.Append(nil, []byte("4"+first))
		payload = fr.AppendBinary(payload, data)
		payload = fr.Append(payload, []byte("4"+second))
		got, err := framed(fr, payload)
		want := []eio.Packet{text(eio.Message, first), binary(string(data)), text(eio.Message, second)}
		if err != nil || !slices.EqualFunc(got, want, equal) {
			t.Errorf("framing %d: got %+v, %v; want %+v", fr, got, err, want)
		}
	})
}

// FuzzMemory checks that payloads are decoded in place, and that what is made
// of one for a page is in proportion.
func FuzzMemory(f *testing.F) {
	addPayloads(f)
	for _, test := range forms {
		f.Add(uint8(3), []byte(test.in))
		f.Add(uint8(4), []byte(test.in))
	}
	f.Fuzz(func(t *testing.T, how uint8, in []byte) {
		const ofErrors = 512
		work, limit := bytes.Clone(in), uint64(ofErrors)
		decode := func() {
			f := eio.Framing(how % 5)
			for rest := work; rest != nil; {
				var err error
				if _, rest, err = f.Next(rest); err != nil {
					return
				}
			}
		}
		switch how % 5 {
		case 3:
			decode = func() { _, _ = eio.DecodeForm(work) }
		case 4:
			decode = func() { _ = eio.AppendScript(nil, "0", work) }
			limit += 40 * uint64(len(in)) // an escape has six bytes, and slices grow
		}
		if got := allocs.Bytes(limit, decode); got > limit {
			t.Errorf("%d bytes allocated for %q, %d", got, in, how%5)
		}
	})
}

func BenchmarkFraming(b *testing.B) {
	var letters []byte
	for range 30 {
		letters = append(letters, byte('a'+rand.IntN(26)))
	}
	for name, f := range map[string]eio.Framing{"Counted": eio.Counted, "CountedBinary": eio.CountedBinary} {
		var in []byte
		for range 100 {
			in = f.Append(in, []byte(`42["echo","`+string(letters)+`"]`))
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := in; rest != nil; {
					_, rest, _ = f.Next(rest)
				}
			}
		})
	}
}
