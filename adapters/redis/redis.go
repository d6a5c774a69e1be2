// Package redis joins Socket.IO servers to a cluster over Redis. It has the formats of
// the Node packages @socket.io/redis-adapter and @socket.io/redis-streams-adapter. So Go
// servers, Node servers and external senders can share one cluster.
package redis

import (
	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// An Adapter joins one server to a cluster. It has two connections of its own for all
// namespaces, one that publishes and one that is subscribed; in Redis Cluster two to
// each node that it needs.
type Adapter struct {
	bus       *bus
	newMember func(namespace string, host adapter.Host) adapter.Member
}

// DefaultMaxPending is the default bound on the bytes that wait for Redis.
const DefaultMaxPending = 8 << 20

// Join makes the server a member of a namespace, as [adapter.Adapter] says.
func (a *Adapter) Join(namespace string, host adapter.Host) adapter.Member {
	return a.newMember(namespace, host)
}

// Close leaves every namespace and closes the connections of the adapter. It waits until
// what was published is on the bus, for a few seconds at most. A host must not call it.
// It does not close the client.
func (a *Adapter) Close() { a.bus.close() }

var _ adapter.Adapter = (*Adapter)(nil)

func newAdapter(client rueidis.Client, backlog int, sharded bool) *Adapter {
	return &Adapter{bus: newBus(client, backlog, sharded)}
}
