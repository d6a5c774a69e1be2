package eio_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/eio"
)

var handshake = eio.Handshake{
	SID:          "6II3B0qDhbIBdb7hAAAA",
	Upgrades:     []string{"websocket"},
	PingInterval: 25000,
	PingTimeout:  20000,
	MaxPayload:   1_000_000,
}

func TestAppendOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   eio.Handshake
		want string
	}{
		{
			"polling", handshake,
			`0{"sid":"6II3B0qDhbIBdb7hAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
		},
		{
			"no upgrades are an empty array", eio.Handshake{SID: "a"},
			`0{"sid":"a","upgrades":[],"pingInterval":0,"pingTimeout":0,"maxPayload":0}`,
		},
		{
			"several upgrades", eio.Handshake{SID: "a", Upgrades: []string{"websocket", "webtransport"}},
			`0{"sid":"a","upgrades":["websocket","webtransport"],"pingInterval":0,"pingTimeout":0,"maxPayload":0}`,
		},
		{
			"an id that needs escapes", eio.Handshake{SID: "\"\\\n\x1eé\xff"},
			`0{"sid":"\u0022\u005c\u000a\u001eé` + "\ufffd" + `","upgrades":[],"pingInterval":0,"pingTimeout":0,"maxPayload":0}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := eio.AppendOpen([]byte("x"), test.in); string(got) != "x"+test.want {
				t.Errorf("got  %s\nwant %s", got[1:], test.want)
			}
		})
	}
}

func FuzzHandshakeRoundTrip(f *testing.F) {
	f.Add("6II3B0qDhbIBdb7hAAAA", "websocket", int64(25000), int64(20000), int64(1e6))
	f.Add("\"\\\x00\x1f\u2028", "\xff", int64(-1), int64(0), int64(1<<62))
	f.Fuzz(func(t *testing.T, sid, upgrade string, interval, timeout, size int64) {
		want := eio.Handshake{
			SID:          strings.Map(func(r rune) rune { return r }, sid),
			Upgrades:     []string{strings.Map(func(r rune) rune { return r }, upgrade)},
			PingInterval: interval,
			PingTimeout:  timeout,
			MaxPayload:   size,
		}
		in := want
		in.SID, in.Upgrades = sid, []string{upgrade}
		p, err := eio.Decode(eio.AppendOpen(nil, in))
		if err != nil || p.Type != eio.Open {
			t.Fatal(p, err)
		}
		var got eio.Handshake
		if err := json.Unmarshal(p.Data, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v; want %+v", p.Data, got, err, want)
		}
	})
}

func BenchmarkAppendOpen(b *testing.B) {
	dst := eio.AppendOpen(nil, handshake)
	b.ReportAllocs()
	for b.Loop() {
		dst = eio.AppendOpen(dst[:0], handshake)
	}
}
