package allocs_test

import (
	"testing"

	"github.com/socketio-go/socketio/internal/allocs"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var kept []byte // on the heap

func TestBytes(t *testing.T) {
	const size = 1 << 20
	calls := 0
	if n := allocs.Bytes(2*size, func() { calls++; kept = make([]byte, size) }); n < size || n > 2*size || calls != 1 {
		t.Errorf("%d bytes in %d calls, want %d in one", n, calls, size)
	}
	calls = 0
	if n := allocs.Bytes(0, func() { calls++; kept = make([]byte, size*(3-min(calls, 2))) }); n < size || n > 2*size || calls != 5 {
		t.Errorf("%d bytes in %d calls, want the least of five: %d", n, calls, size)
	}
}
