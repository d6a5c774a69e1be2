package sio_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/sio"
)

func TestOrdinaryPacketsAllocateNothing(t *testing.T) {
	var p sio.Packet
	for _, in := range []string{
		`0`,
		`0/admin,{"token":"abc"}`,
		`1`,
		`2["echo","` + strings.Repeat("x", 64) + `"]`,
		`2/chat,12["message",{"from":"é","tags":["a","b"],"at":1700000000000}]`,
		`312["ok",{"a":[1,2,3]}]`,
		`51-["image",{"_placeholder":true,"num":0},"cat.png"]`,
		`61-12[{"_placeholder":true,"num":0}]`,
	} {
		text := []byte(in)
		if n := testing.AllocsPerRun(100, func() {
			if err := p.Decode(text, sio.Limits{}); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %s", n, in)
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 1000)
	namespace, text := "/chat", []byte("é \"quoted\" \xff <b>漢字</b>")
	if n := testing.AllocsPerRun(100, func() {
		dst = sio.AppendHeader(dst[:0], sio.BinaryEvent, namespace, 1, 12)
		dst = sio.AppendString(dst, namespace)
		dst = sio.AppendString(dst, text)
		dst = sio.AppendPlaceholder(dst, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPlaceholderAllocatesNothing(t *testing.T) {
	raw := []byte(`{"_placeholder":true,"num":7}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := sio.Placeholder(raw); !ok {
			t.Fatal("not recognised")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// allocated returns the bytes allocated while one packet is decoded.
func allocated(in []byte) uint64 {
	return allocs.Bytes(memoryBound(len(in)), func() {
		var p sio.Packet
		_ = p.Decode(in, sio.Limits{})
	})
}

// memoryBound is what decoding n bytes may allocate: array headers of 24 bytes
// for arguments of two, as the array doubles, and something for an error.
func memoryBound(n int) uint64 { return 50*uint64(n) + 4096 }

func TestHostilePacketsAllocateInProportion(t *testing.T) {
	for name, in := range map[string]string{
		"arguments within the limit": `2["a"` + strings.Repeat(",1", sio.DefaultArgs) + `]`,
		"arguments without end":      `2["a"` + strings.Repeat(",1", 50_000) + `]`,
		"nesting without end":        `2` + strings.Repeat("[", 100_000),
		"nesting within the limit":   `2["a"` + strings.Repeat(`,`+strings.Repeat("[", 511)+strings.Repeat("]", 511), 90) + `]`,
		"attachments announced":      `59999999999-["a"]`,
		"id of 100 kB":               `2` + strings.Repeat("9", 100_000),
		"name of 100 kB":             `2["` + strings.Repeat(`\n`, 50_000) + `"]`,
		"keys in escapes":            `51-["a",{"\u0061":1` + strings.Repeat(`,"\u0061":1`, 9_000) + `}]`,
		"long keys in escapes":       `51-["a",{"a":1` + strings.Repeat(`,"`+strings.Repeat(`\u0061`, 12)+`":1`, 1_000) + `}]`,
		"namespace of 100 kB":        `2/` + strings.Repeat("a", 100_000),
	} {
		if got, most := allocated([]byte(in)), memoryBound(len(in)); got > most {
			t.Errorf("%s: %d bytes allocated for %d", name, got, len(in))
		}
	}
}

// Decode keeps nothing of a packet that is past its limits.
func TestRefusedArgumentsAreNotKept(t *testing.T) {
	var p sio.Packet
	if err := p.Decode([]byte(`2["a"`+strings.Repeat(",1", 5000)+`]`), sio.Limits{}); err == nil {
		t.Fatal("accepted")
	}
	if cap(p.Args) != 0 {
		t.Errorf("room for %d arguments kept", cap(p.Args))
	}
}

func benchmarkDecode(b *testing.B, in string) {
	var p sio.Packet
	text := []byte(in)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Decode(text, sio.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEcho(b *testing.B) {
	benchmarkDecode(b, `2["echo","`+strings.Repeat("x", 64)+`"]`)
}

func BenchmarkDecodeObject(b *testing.B) {
	benchmarkDecode(b, `2/chat,12["message",{"from":"alice","room":"lobby","text":"hello, everybody","at":1700000000000,"tags":["a","b"]}]`)
}

func BenchmarkDecodeAck(b *testing.B) { benchmarkDecode(b, `312["ok"]`) }

func BenchmarkDecodeBinary(b *testing.B) {
	benchmarkDecode(b, `51-["image",{"_placeholder":true,"num":0},"cat.png"]`)
}

func BenchmarkDecodeLong(b *testing.B) {
	benchmarkDecode(b, `2["text","`+strings.Repeat("x", 100_000)+`"]`)
}

func BenchmarkDecodeNumbers(b *testing.B) {
	benchmarkDecode(b, `2["numbers",[1`+strings.Repeat(",12.5", 1000)+`]]`)
}

func BenchmarkPlaceholder(b *testing.B) {
	raw := sio.AppendPlaceholder(nil, 7)
	b.ReportAllocs()
	for b.Loop() {
		sio.Placeholder(raw)
	}
}

func BenchmarkPlaceholderIsNone(b *testing.B) {
	raw := []byte(`{"from":"alice","room":"lobby","text":"hello, everybody"}`)
	b.ReportAllocs()
	for b.Loop() {
		sio.Placeholder(raw)
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"ASCII":   strings.Repeat("hello, ", 100),
		"Chinese": strings.Repeat("漢字", 100),
		"escapes": strings.Repeat("\"\n", 100),
	} {
		b.Run(name, func(b *testing.B) {
			dst := bytes.Clone(sio.AppendString(nil, s))
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				dst = sio.AppendString(dst[:0], s)
			}
		})
	}
}
