package tests_test

import (
	"slices"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// BenchmarkEmitWhileOnePings emits to everybody while one client, which reads
// nothing and has a full queue, sends heartbeats. It reports the median.
func BenchmarkEmitWhileOnePings(b *testing.B) {
	io := socketio.NewServer(&socketio.Options{PingInterval: time.Hour, WriteTimeout: time.Hour})
	addr := startLoopback(b, io)
	slow := dialLoopback(b, addr)
	var s *socketio.Socket
	for s = range io.LocalSockets() {
	}
	for io.Stats().QueuedBytes < 3<<20 { // of 4 MB, in small messages
		if err := s.Emit("a"); err != nil {
			b.Fatal(err)
		}
	}
	for range 100 {
		other := dialLoopback(b, addr)
		go func() { _ = other.skip(1 << 30) }()
	}
	go func() {
		ping := maskedFrame(0x9, nil)
		for {
			if _, err := slow.conn.Write(ping); err != nil {
				return
			}
		}
	}()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := io.Except(s.ID()).Emit("everybody"); err != nil {
			b.Fatal(err)
		}
		_ = s.Volatile().Emit("everybody") // which needs the lock of the one that pings
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
}
