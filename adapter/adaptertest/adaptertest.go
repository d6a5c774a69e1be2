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

// A Lack is something that the contract asks for and a format that others have
// made can't say.
type Lack int

const (
	// FailedAnswers says that nobody is told of an answer that will not come: it is
	// awaited until the context ends.
	FailedAnswers Lack = iota + 1
	// OrderOfEmits says that events between servers take a way of their own, and may
	// overtake the rest.
	OrderOfEmits
)

// Run tests an adapter. Each call of newNode returns the adapter of one more
// server on the same bus, and closes it when the test that it is given ends. The
// bus loses, repeats and reorders nothing. The tests run in parallel, in
// namespaces of their own.
func Run(t *testing.T, newNode func(t testing.TB) adapter.Adapter, lacks ...Lack) {
	t.Helper()
	for _, test := range contract {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&suite{t, newNode, namespace(), lacks})
		})
	}
	for _, test := range semantics {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(newServers(&suite{t, newNode, namespace(), lacks}))
		})
	}
}

// RunLogBus tests an adapter whose members are of type [adapter.LogBus], beyond
// what Run does. newNode is as for Run; the bus keeps a few thousand messages for a
// minute.
func RunLogBus(t *testing.T, newNode func(t testing.TB) adapter.Adapter) {
	t.Helper()
	for _, test := range recording {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&suite{t, newNode, namespace(), nil})
		})
	}
}

// A suite is what a test is about.
type suite struct {
	*testing.T
	newNode   func(testing.TB) adapter.Adapter
	namespace string
	lacks     []Lack
}

// namespace returns a name that nobody else uses, on a bus that may have
// outlived other tests.
func namespace() string { return fmt.Sprintf("/test-%08x", rand.Uint32()) }
