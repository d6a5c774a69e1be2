package redis

import (
	"testing"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

var benchEvent = adapter.Message{
	Kind: adapter.Broadcast, Rooms: []string{"room1"},
	Data: []byte(`["message",{"from":"some","text":"The quick brown fox jumps over the lazy dog.","at":1700000000000}]`),
}

// BenchmarkPublish measures an event in the server that emits it.
func BenchmarkPublish(b *testing.B) {
	server := redistest.Start(b)
	client := clientOf(b, server.Addr())
	for name, a := range map[string]*Adapter{
		"classic": New(client, nil), "sharded": NewSharded(client, nil), "streams": NewStreams(client, nil),
	} {
		b.Run(name, func(b *testing.B) {
			m := a.Join("/", newHost())
			ready(b, m)
			b.ReportAllocs()
			for b.Loop() {
				for m.Publish(&benchEvent) == adapter.ErrBacklog {
				}
			}
			<-m.Leave()
		})
		a.Close()
	}
}

// BenchmarkDecode measures an event in a server that has a socket in its room, and in
// one that has not.
func BenchmarkDecode(b *testing.B) {
	for name, wants := range map[string]bool{"wanted": true, "unwanted": false} {
		b.Run(name, func(b *testing.B) {
			w := newWriter(&benchEvent, true)
			w.classic(&benchEvent, classicNode, "", "/")
			d := decoder{uid: "own---", nsp: "/", wants: func(...string) bool { return wants }}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.classicEvent(w.b); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
