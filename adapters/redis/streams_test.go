package redis

import (
	"testing"
	"time"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/redistest"
)

func TestStreams(t *testing.T) {
	t.Parallel()
	server, cluster := redistest.Start(t), redistest.StartCluster(t, 1)[0]
	for _, test := range []struct {
		name   string
		server *redistest.Server
		o      StreamsOptions
	}{
		{"one", server, StreamsOptions{StreamName: "one", Prefix: "one"}},
		{"several", server, StreamsOptions{StreamName: "several", Prefix: "several", StreamCount: 3}},
		{"sharded", server, StreamsOptions{StreamName: "sharded", Prefix: "sharded", ShardedPubSub: true, ReadCount: 7}},
		{"cluster", cluster, StreamsOptions{}},
		{"cluster, sharded", cluster, StreamsOptions{StreamName: "sharded", Prefix: "sharded", ShardedPubSub: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			join := func(namespace string) func(adapter.Host) adapter.Member {
				return func(h adapter.Host) adapter.Member {
					return streamed(t, test.server.Addr(), &test.o).Join(namespace, h)
				}
			}
			t.Run("every kind", func(t *testing.T) { testEveryKind(t, join("/kinds")) })
			if test.server == cluster && test.o.ShardedPubSub {
				return // the stream and the channels are on different nodes
			}
			t.Run("order", func(t *testing.T) { testOrder(t, true, join("/order")) })
		})
	}
}

func TestStreamsLogBus(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	o := &StreamsOptions{appendTimeout: 5 * time.Second} // an event that comes back late on a slow machine does not time out
	adaptertest.RunLogBus(t, func(t testing.TB) adapter.Adapter { return streamed(t, server.Addr(), o) })
}

// streamed returns an adapter that is closed at the end of the test.
func streamed(t testing.TB, addr string, o *StreamsOptions) *Adapter {
	a := NewStreams(clientOf(t, addr), o)
	t.Cleanup(a.Close)
	return a
}
