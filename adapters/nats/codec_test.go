package nats

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// sample uses every part of a message.
func sample() *adapter.Message {
	return &adapter.Message{
		Kind: adapter.Broadcast, ID: "0123456789abcdef", Rooms: []string{"a", "", "Straße"}, Except: []string{"b"},
		Volatile: true, Compress: adapter.CompressNever, Timeout: 3 * time.Second, Targets: []string{"t"}, Close: true,
		Count: 300, Failed: true, Data: []byte(`["e",{"_placeholder":true,"num":0}]`), Binary: [][]byte{{0, 1, 2}, {}},
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	got, err := appendMessage(nil, "ab", barrier{3, 300}, &adapter.Message{
		Kind: adapter.Broadcast, ID: "id", Rooms: []string{"x"}, Except: []string{"y", "z"}, Volatile: true,
		Compress: adapter.CompressAlways, Timeout: 200, Data: []byte(`["e"]`), Binary: [][]byte{{7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	setNumber(got, 258)
	want := "01" + "01" + "03" + "0000000000000102" + "02" + "6162" + // head
		"03" + "ac02" + // the barrier
		"0c" + "026964" + "01" + "0178" + "02" + "0179" + "017a" + "00" + // the receivers
		"00" + "c801" + "05" + "5b2265225d" + "01" + "01" + "07"
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestEverythingIsExpressible(t *testing.T) {
	t.Parallel()
	list := []*adapter.Message{sample(), {Kind: adapter.Acked, Failed: true}, {Kind: adapter.Clients, Count: math.MaxInt},
		{Kind: adapter.Fetch, Timeout: math.MaxInt64}, {Kind: adapter.Join, Compress: adapter.CompressAlways}}
	for kind, wire := range wireKinds {
		if wire != 0 {
			list = append(list, &adapter.Message{Kind: adapter.Kind(kind), ID: "id"})
		}
	}
	if len(list) != 5+12 {
		t.Fatalf("%d messages", len(list))
	}
	var d decoder
	for _, m := range list {
		b, err := appendMessage(nil, "sender", barrier{300, 1 << 50}, m)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > messageSize(m) {
			t.Errorf("%v: %d bytes were estimated at %d", m.Kind, len(b), messageSize(m))
		}
		setNumber(b, 77)
		h, err := decodeHead(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.decode(h)
		if err != nil {
			t.Fatal(err)
		}
		want := *m
		want.From, want.Seq = "sender", 77
		if !same(got, &want) {
			t.Errorf("%+v became %+v", want, got)
		}
		d.release()
	}
}

func TestAnEmitterIsNoPeer(t *testing.T) {
	t.Parallel()
	b, _ := appendMessage(nil, emitterPrefix+"1", barrier{}, &adapter.Message{Kind: adapter.Broadcast})
	h, _ := decodeHead(b)
	if m, err := new(decoder).decode(h); err != nil || m.From != adapter.ExternalSender {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, m := range []*adapter.Message{{}, {Kind: 200}, {Kind: adapter.Clients, Count: -1}, {Kind: adapter.Fetch, Timeout: -1}} {
		if _, err := appendMessage(nil, "a", barrier{}, m); err == nil {
			t.Errorf("%+v was encoded", m)
		}
	}
}

// same compares messages; an empty list is no list.
func same(a, b *adapter.Message) bool {
	x, y := *a, *b
	for _, m := range []*adapter.Message{&x, &y} {
		m.Rooms = append([]string{}, m.Rooms...)
		m.Except = append([]string{}, m.Except...)
		m.Targets = append([]string{}, m.Targets...)
		m.Data = append([]byte{}, m.Data...)
		binary := [][]byte{}
		for _, b := range m.Binary {
			binary = append(binary, append([]byte{}, b...))
		}
		m.Binary = binary
	}
	return reflect.DeepEqual(x, y)
}

func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	whole, err := appendMessage(nil, "sender", barrier{}, sample())
	if err != nil {
		t.Fatal(err)
	}
	decode := func(b []byte) error {
		h, err := decodeHead(b)
		if err == nil {
			_, err = new(decoder).decode(h)
		}
		return err
	}
	for n := range whole {
		if decode(whole[:n]) == nil {
			t.Errorf("cut after %d bytes it was decoded", n)
		}
	}
	if err := decode(append(bytes.Clone(whole), 0)); !errors.Is(err, errFormat) {
		t.Errorf("with a byte too many: %v", err)
	}
	change := func(at int, to byte) []byte {
		b := bytes.Clone(whole)
		b[at] = to
		return b
	}
	senderAt := headSize + 1
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"another version", change(0, 2), errVersion},
		{"an unknown kind", change(1, 99), errKind},
		{"a greeting with a body", change(1, 0), errKind},
		{"an unknown flag", change(2, flagOnly<<1), errFlags},
		{"compressed always and never", change(2, flagCompressAlways|flagCompressNever), errFlags},
		{"a sender that is no token", change(senderAt, '.'), errSender},
		{"a sender that is everybody", appendHead(nil, 1, 0, 0, broadcastSub), errSender},
		{"a sender without a name", appendHead(nil, 1, 0, 0, ""), errSender},
		{"a long name", appendHead(nil, 1, 0, 0, strings.Repeat("a", maxName+1)), errSender},
		{"nothing after the head", appendHead(nil, 1, 0, 0, "a"), errFormat},
		{"a huge list", append(appendHead(nil, 1, 0, 0, "a"), 6, 0, 0xff, 0xff, 0xff, 0xff, 0x0f), errFormat},
		{"a length that overflows", append(appendHead(nil, 1, 0, 0, "a"), bytes.Repeat([]byte{0xff}, 11)...), errFormat},
	} {
		if err := decode(test.b); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

// FuzzDecode decodes anything. What can be decoded is encoded and decoded to
// the same, and what decoding allocates is bounded by the input.
func FuzzDecode(f *testing.F) {
	for kind, wire := range wireKinds {
		if wire == 0 {
			continue
		}
		m := sample()
		m.Kind = adapter.Kind(kind)
		b, err := appendMessage(nil, "a-member", barrier{1, 2}, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, kind := range []byte{kindHello, kindAlive, kindBye, kindPart} {
		f.Add(appendHead(nil, kind, flagLast, 1, emitterPrefix+"1"))
	}
	f.Add([]byte(`{"fromUid":"wXlBoH"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		var d decoder
		m, err := d.decode(h)
		elements := cap(d.m.Rooms) + cap(d.m.Except) + cap(d.m.Targets) + cap(d.m.Binary)
		if elements > 2*len(b)+32 {
			t.Errorf("%d bytes made lists of %d elements", len(b), elements)
		}
		if err != nil {
			return
		}
		again, err := appendMessage(nil, string(h.sender), h.barrier, m)
		if err != nil {
			t.Fatal(err)
		}
		setNumber(again, m.Seq)
		h, err = decodeHead(again)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := new(decoder).decode(h); err != nil || !same(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	})
}
