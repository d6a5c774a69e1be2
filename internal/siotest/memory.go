package siotest

import (
	"runtime"
	"testing"
)

// ReadMemStats reads the statistics after the garbage has been collected, and what
// only pools and finalizers held.
func ReadMemStats(m *runtime.MemStats) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(m)
}

// HeapBytes returns the size of the heap after garbage collection.
func HeapBytes() int64 {
	var m runtime.MemStats
	ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A NoCleanup test does not keep the clients that it has made.
type NoCleanup struct{ testing.TB }

// Cleanup forgets the function.
func (NoCleanup) Cleanup(func()) {}
