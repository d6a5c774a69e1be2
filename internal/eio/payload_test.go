package eio_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

var payloadCases = []struct {
	name string
	in   string
	want []eio.Packet
	err  error // after want
}{
	{"one packet", "4a", []eio.Packet{text(eio.Message, "a")}, nil},
	{"one packet without content", "1", []eio.Packet{text(eio.Close, "")}, nil},
	{"several packets", "3\x1e4a\x1e4b", []eio.Packet{
		text(eio.Pong, ""), text(eio.Message, "a"), text(eio.Message, "b"),
	}, nil},
	{"text and binary", "451-[{}]\x1ebAQID\x1ebBA==\x1e4é", []eio.Packet{
		text(eio.Message, "51-[{}]"), binary("\x01\x02\x03"), binary("\x04"), text(eio.Message, "é"),
	}, nil},
	{"empty payload", "", nil, eio.ErrEmpty},
	{"separator alone", "\x1e", nil, eio.ErrEmpty},
	{"separator at the beginning", "\x1e4a", nil, eio.ErrEmpty},
	{"separator at the end", "4a\x1e4b\x1e", []eio.Packet{text(eio.Message, "a")}, eio.ErrEmpty},
	{"empty packet", "4a\x1e\x1e4b", []eio.Packet{text(eio.Message, "a")}, eio.ErrEmpty},
	{"unknown type", "4a\x1e7\x1e4b", []eio.Packet{text(eio.Message, "a")}, eio.ErrType},
	{"invalid UTF-8", "4a\x1e4\xff", []eio.Packet{text(eio.Message, "a")}, eio.ErrUTF8},
	{"character cut by a separator", "4\xc3\x1e\xa9", nil, eio.ErrUTF8},
	{"invalid base64", "4a\x1ebA", []eio.Packet{text(eio.Message, "a")}, eio.ErrBase64},
}

// packets is how a payload is read.
func packets(payload []byte) (all []eio.Packet, err error) {
	for rest := payload; ; {
		var p eio.Packet
		if p, rest, err = eio.Next(rest); err != nil {
			return all, err
		}
		all = append(all, p)
		if rest == nil {
			return all, nil
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, test := range payloadCases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := packets([]byte(test.in))
			if !errors.Is(err, test.err) || !slices.EqualFunc(got, test.want, equal) {
				t.Errorf("payload %q has %+v, %v; want %+v, %v", test.in, got, err, test.want, test.err)
			}
		})
	}
}

func TestNextReturnsNothingWithAnError(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "4a\x1e", "7\x1e4a"} {
		if p, rest, err := eio.Next([]byte(in)); err == nil || rest != nil || !equal(p, eio.Packet{}) {
			t.Errorf("Next(%q) = %+v, %q, %v", in, p, rest, err)
		}
	}
}

func TestPacketsOfAPayloadDoNotOverlap(t *testing.T) {
	t.Parallel()
	got, err := packets([]byte("4a\x1e4b"))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got[0].Data, "overwritten"...)
	if string(got[1].Data) != "b" {
		t.Errorf("second packet became %q", got[1].Data)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	pongs := bytes.TrimSuffix(bytes.Repeat([]byte("3\x1e"), 10_000), []byte{eio.Separator})
	for _, in := range [][]byte{pongs, bytes.Repeat([]byte{eio.Separator}, 10_000)} {
		if n := testing.AllocsPerRun(10, func() {
			for rest := in; rest != nil; {
				_, rest, _ = eio.Next(rest)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %q…", n, in[:10])
		}
	}
}

func BenchmarkNext(b *testing.B) {
	in := []byte(strings.TrimSuffix(strings.Repeat(`42["echo","hello, hello, hello"]`+"\x1e", 100), "\x1e"))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := in; rest != nil; {
			_, rest, _ = eio.Next(rest)
		}
	}
}
