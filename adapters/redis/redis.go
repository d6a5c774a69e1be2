// Package redis joins Socket.IO servers to a cluster over Redis. It speaks the
// formats of the Node packages @socket.io/redis-adapter and
// @socket.io/redis-streams-adapter, so that Go and Node servers, and programs
// that only emit, can share one cluster.
package redis

import (
	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// An Adapter joins one server to a cluster. It keeps two connections of its own,
// one that publishes and one that is subscribed, for all namespaces.
type Adapter struct {
	bus       *bus
	newMember func(namespace string, host adapter.Host) adapter.Member
}

// DefaultMaxPending is how many bytes may wait for Redis.
const DefaultMaxPending = 8 << 20

// Join takes a seat in a namespace, as [adapter.Adapter] says.
func (a *Adapter) Join(namespace string, host adapter.Host) adapter.Member {
	return a.newMember(namespace, host)
}

// Close gives up every seat and closes the connections of the adapter. It waits
// until what was published is on the bus, for a few seconds at most, and must
// not be called by a host. The client stays open: it is its owner's.
func (a *Adapter) Close() { a.bus.close() }

var _ adapter.Adapter = (*Adapter)(nil)

func newAdapter(client rueidis.Client, backlog int, sharded bool) *Adapter {
	return &Adapter{bus: newBus(client, backlog, sharded)}
}
