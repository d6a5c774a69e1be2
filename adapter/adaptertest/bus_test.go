package adaptertest

import (
	"testing"

	"github.com/socketio-go/socketio/adapter"
)

func TestPerfectBus(t *testing.T) {
	t.Parallel()
	bus := NewBus(1, Faults{})
	Run(t, func(testing.TB) adapter.Cluster { return bus.Node() })
}
