// Package adaptertest tests implementations of [adapter.Cluster]: the contract
// of package adapter, and what servers and their clients see of it.
//
//	func TestAdapter(t *testing.T) {
//		adaptertest.Run(t, func(t testing.TB) adapter.Cluster { … })
//	}
//
// [Bus] connects servers in memory, for tests of what is above an adapter: well
// or, on purpose, badly.
package adaptertest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/socketio-go/socketio/adapter"
)

// Run tests an adapter. Each call of newNode returns the adapter of one more
// server on the same bus, and closes it when the test that it is given ends. The
// bus loses, repeats and reorders nothing. The tests run in parallel, in
// namespaces of their own.
func Run(t *testing.T, newNode func(t testing.TB) adapter.Cluster) {
	t.Helper()
	for _, test := range contract {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newNode, namespace())
		})
	}
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(newServers(t, newNode, namespace()))
		})
	}
}

// namespace returns a name that nobody else uses, on a bus that may have
// outlived other tests.
func namespace() string { return fmt.Sprintf("/test-%08x", rand.Uint32()) }
