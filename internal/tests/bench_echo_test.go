package tests_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
)

// echoText is an event whose answer is an event of the same length.
var echoText = `42["echo","` + strings.Repeat("abcdefgh", 8) + `"]`

func startEcho(tb testing.TB) *loopback {
	tb.Helper()
	server := socketio.NewServer(nil)
	server.On("echo", func(s *socketio.Socket, text string) { _ = s.Emit("echo", text) })
	return dialLoopback(tb, startLoopback(tb, server))
}

// BenchmarkEcho sends a string there and back on one connection.
func BenchmarkEcho(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		b.Run(fmt.Sprintf("in flight %d", inFlight), func(b *testing.B) {
			client := startEcho(b)
			requests := bytes.Repeat(maskedText(echoText), inFlight)
			answers := inFlight * frameLen(len(echoText))
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += inFlight {
				client.exchange(b, requests, answers)
			}
		})
	}
}

// An echo of a string may allocate six times, all of the library and of
// net/http below it included.
func TestEchoAllocations(t *testing.T) {
	const most = 6
	for _, inFlight := range []int{1, 16} {
		t.Run(fmt.Sprintf("in flight %d", inFlight), func(t *testing.T) {
			client := startEcho(t)
			requests := bytes.Repeat(maskedText(echoText), inFlight)
			answers := inFlight * frameLen(len(echoText))
			const n = 4000
			got := allocations(t, n, func() {
				for range n / inFlight {
					client.exchange(t, requests, answers)
				}
			})
			t.Logf("%.2f allocations per echo", got)
			if got > most*poolLoss+0.1 {
				t.Errorf("%.2f allocations per echo, want at most %d", got, most)
			}
		})
	}
}
