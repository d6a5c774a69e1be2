package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/socketio-go/socketio"
)

// BenchmarkDispatch takes an event from the network to its handler: reading,
// the header, the arguments, the call. The events come 64 in one write, so
// that little of it is the kernel's.
func BenchmarkDispatch(b *testing.B) {
	type message struct {
		From string `json:"from"`
		Text string `json:"text"`
		At   int64  `json:"at"`
	}
	const object = `{"from":"Ada","text":"hello to everybody in the room","at":1700000000000}`
	var called chan struct{}
	left := 0
	done := func() {
		if left--; left == 0 {
			called <- struct{}{}
		}
	}
	typed := socketio.Event[message]("e")
	for _, test := range []struct {
		name     string
		event    []byte
		register func(*socketio.Server)
	}{
		{"no arguments", maskedText(`42["e"]`), func(io *socketio.Server) {
			io.On("e", func(*socketio.Socket) { done() })
		}},
		{"string", maskedText(`42["e","hello to everybody in the room"]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ string) { done() })
		}},
		{"int", maskedText(`42["e",123456]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ int) { done() })
		}},
		{"raw JSON", maskedText(`42["e",` + object + `]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ json.RawMessage) { done() })
		}},
		{"Args", maskedText(`42["e",` + object + `]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ socketio.Args) { done() })
		}},
		{"struct by reflection", maskedText(`42["e",` + object + `]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ message) { done() })
		}},
		{"struct of a typed event", maskedText(`42["e",` + object + `]`), func(io *socketio.Server) {
			typed.On(io, func(context.Context, *socketio.Socket, message) error { done(); return nil })
		}},
		{"two arguments by reflection", maskedText(`42["e","hello",123456]`), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ string, _ int) { done() })
		}},
		{"1 KiB attachment", append(maskedText(`451-["e",{"_placeholder":true,"num":0}]`), maskedFrame(0x2, make([]byte, 1<<10))...), func(io *socketio.Server) {
			io.On("e", func(_ *socketio.Socket, _ []byte) { done() })
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			const batch = 64
			called = make(chan struct{}, 1)
			server := socketio.NewServer(nil)
			test.register(server)
			client := dialLoopback(b, startLoopback(b, server))
			events := bytes.Repeat(test.event, batch)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				left = batch
				client.write(b, events)
				<-called
			}
		})
	}
}

// BenchmarkAck answers a client: the event, its handler, the answer back.
func BenchmarkAck(b *testing.B) {
	const batch = 16
	server := socketio.NewServer(nil)
	server.On("ask", func(_ *socketio.Socket, text string) string { return text })
	client := dialLoopback(b, startLoopback(b, server))
	questions := bytes.Repeat(maskedText(`425["ask","hello to everybody in the room"]`), batch)
	answers := batch * frameLen(len(`4435["hello to everybody in the room"]`)-1)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		client.exchange(b, questions, answers)
	}
}
