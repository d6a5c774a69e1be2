package engine_test

import (
	"testing"

	"github.com/socketio-go/socketio/internal/engine"
)

// BenchmarkNewMessage frames what is sent, once for all receivers.
func BenchmarkNewMessage(b *testing.B) {
	text := []byte(`2["say","hello to everybody in the room"]`)
	photo := [][]byte{make([]byte, 1<<10)}
	for _, test := range []struct {
		name        string
		attachments [][]byte
	}{
		{"text", nil},
		{"1 KiB attachment", photo},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				engine.NewMessage(text, test.attachments)
			}
		})
	}
}
