package eio_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

var v3Cases = []packetCase{
	{"open", `0{"sid":"a"}`, text(eio.Open, `{"sid":"a"}`)},
	{"heartbeat", "2", text(eio.Ping, "")},
	{"probe", "2probe", text(eio.Ping, "probe")},
	{"message", "4é漢😀", text(eio.Message, "é漢😀")},
	{"binary message", "b4AQID", binary("\x01\x02\x03")},
	{"binary message with padding", "b4AQ==", binary("\x01")},
	{"binary message without content", "b4", binary("")},
	{"binary message in lines, as the Java client sends it", "b4AQID\nBAUG\r\n", binary("\x01\x02\x03\x04\x05\x06")},
}

var v3Errors = []struct {
	name string
	in   string
	want error
}{
	{"nothing", "", eio.ErrEmpty},
	{"binary packet without type", "b", eio.ErrEmpty},
	{"binary packet of protocol 4", "bAQID", eio.ErrType},
	{"binary heartbeat", "b2AQID", eio.ErrType},
	{"digit above the types", "7", eio.ErrType},
	{"letter", "abc", eio.ErrType},
	{"half a character", "4\xc3", eio.ErrUTF8},
	{"base64 without padding", "b4AQI", eio.ErrBase64},
	{"base64 of the URL alphabet", "b4-_-_", eio.ErrBase64},
}

func TestDecodeV3(t *testing.T) {
	t.Parallel()
	for _, test := range v3Cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := eio.DecodeV3([]byte(test.in))
			if err != nil || !equal(got, test.want) {
				t.Errorf("DecodeV3(%q) = %+v, %v; want %+v", test.in, got, err, test.want)
			}
		})
	}
}

func TestDecodeV3Refuses(t *testing.T) {
	t.Parallel()
	for _, test := range v3Errors {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := eio.DecodeV3([]byte(test.in))
			if !errors.Is(err, test.want) || !equal(got, eio.Packet{}) {
				t.Errorf("DecodeV3(%q) = %+v, %v; want nothing, %v", test.in, got, err, test.want)
			}
		})
	}
}

func TestDecodeBinaryV3(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want eio.Packet
		err  error
	}{
		{"\x04\x01\x02", binary("\x01\x02"), nil},
		{"\x04", binary(""), nil},
		{"\x04\xff", binary("\xff"), nil},
		{"", eio.Packet{}, eio.ErrEmpty},
		{"4\x01\x02", eio.Packet{}, eio.ErrType},
		{"\x02", eio.Packet{}, eio.ErrType},
		{"\x07", eio.Packet{}, eio.ErrType},
	} {
		if got, err := eio.DecodeBinaryV3([]byte(test.in)); !errors.Is(err, test.err) || !equal(got, test.want) {
			t.Errorf("DecodeBinaryV3(%q) = %+v, %v; want %+v, %v", test.in, got, err, test.want, test.err)
		}
	}
}

func TestAppendBinaryV3(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{"": "b4", "\x01": "b4AQ==", "\xfb\xff": "b4+/8="} {
		if got := eio.AppendBinaryV3([]byte("x"), []byte(data)); string(got) != "x"+want {
			t.Errorf("AppendBinaryV3(%q) = %q, want %q", data, got[1:], want)
		}
	}
}

func TestDecodeV3WorksInPlace(t *testing.T) {
	t.Parallel()
	for in, decode := range map[string]func([]byte) (eio.Packet, error){
		"4hello":                   eio.DecodeV3,
		"b4AQIDBAUGBwgJCgsMDQ4P":   eio.DecodeV3,
		"\x04AQIDBAUGBwgJCgsMDQ4P": eio.DecodeBinaryV3,
	} {
		b := []byte(in)
		p, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if &p.Data[0] != &b[1] && &p.Data[0] != &b[2] {
			t.Errorf("%q: the data was copied", in)
		}
		if cap(p.Data) != len(p.Data) {
			t.Errorf("%q: there is room to overwrite the input by append", in)
		}
	}
}

func FuzzDecodeV3(f *testing.F) {
	for _, test := range v3Cases {
		f.Add([]byte(test.in))
	}
	for _, test := range v3Errors {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		// All that differs is the type of a binary message.
		v4, isV3 := in, true
		if len(in) > 0 && in[0] == 'b' {
			_, isV3 = bytes.CutPrefix(in, []byte("b4"))
			v4 = append([]byte("b"), in[min(2, len(in)):]...)
		}
		want, wantErr := eio.Decode(bytes.Clone(v4))
		got, err := eio.DecodeV3(bytes.Clone(in))
		if (err == nil) != (wantErr == nil && isV3) || err == nil && !equal(got, want) {
			t.Errorf("DecodeV3(%q) = %+v, %v; want %+v, %v", in, got, err, want, wantErr)
		}
	})
}
