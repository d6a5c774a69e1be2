// Package adaptertest tests implementations of [adapter.Adapter]: the contract
// of package adapter, and what servers and their clients see of it.
//
//	func TestAdapter(t *testing.T) {
//		adaptertest.Run(t, func(t testing.TB) adapter.Adapter { … })
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

// A Lack is a part of the contract that a format of other implementations can't express.
type Lack int

const (
	// FailedAcks says that the format can't say that an ack will not come. The request
	// waits until its context ends.
	FailedAcks Lack = iota + 1
	// OrderOfEmits says that events between servers may overtake other messages.
	OrderOfEmits
)

// Run tests an adapter. Each call of newServer returns the adapter of one more server on
// the same bus, and closes it when the test that it is given ends. The bus must not
// lose, repeat or reorder messages. The tests run in parallel, in namespaces of their
// own.
func Run(t *testing.T, newServer func(t testing.TB) adapter.Adapter, lacks ...Lack) {
	t.Helper()
	for _, test := range contract {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&suite{t, newServer, namespace(), lacks})
		})
	}
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(newServers(&suite{t, newServer, namespace(), lacks}))
		})
	}
}

// RunLogBus tests what an adapter whose members are of type [adapter.LogBus] promises
// beyond Run. newServer is as for Run. The bus keeps a few thousand messages for a
// minute.
func RunLogBus(t *testing.T, newServer func(t testing.TB) adapter.Adapter) {
	t.Helper()
	for _, test := range logBus {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&suite{t, newServer, namespace(), nil})
		})
	}
}

// A suite is a test with its bus and its namespace.
type suite struct {
	*testing.T
	newServer func(testing.TB) adapter.Adapter
	namespace string
	lacks     []Lack
}

// namespace returns a name that no other test uses, on a bus that may have outlived
// other tests.
func namespace() string { return fmt.Sprintf("/test-%08x", rand.Uint32()) }
