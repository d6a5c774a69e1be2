package redis

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/redistest"
)

func TestSuiteClassic(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter {
		a := New(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAcks)
}

func TestSuiteSharded(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter {
		a := NewSharded(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAcks)
}

func TestSuiteStreams(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter {
		a := NewStreams(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAcks, adaptertest.OrderOfEmits)
}

// permissions are the ACL lines of the README, without the name and the password. The
// classic format subscribes to a pattern, which Redis compares literally with those of the
// user.
var permissions = map[string]string{
	"classic": "resetchannels allchannels -@all +@connection +@pubsub +role",
	"sharded": "resetchannels &socket.io* -@all +@connection +@pubsub +role",
	"streams": "resetchannels &socket.io* ~socket.io* ~sio:session:* -@all +@connection +@pubsub +role " +
		"+xadd +xread +xrange +xrevrange +set +getdel",
}

// The contract holds over TLS, for users with the permissions that the README names.
func TestSuiteOverTLS(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	server, config := redistest.StartTLS(t)
	for name, join := range map[string]func(rueidis.Client) *Adapter{
		"classic": func(c rueidis.Client) *Adapter { return New(c, nil) },
		"sharded": func(c rueidis.Client) *Adapter { return NewSharded(c, nil) },
		"streams": func(c rueidis.Client) *Adapter { return NewStreams(c, nil) },
	} {
		if !strings.Contains(string(readme), permissions[name]) {
			t.Errorf("the README does not have %q", permissions[name])
		}
		server.Do(append([]string{"ACL", "SETUSER", name, "on", ">secret"}, strings.Fields(permissions[name])...)...)
		connect := func(t testing.TB) adapter.Adapter {
			a := join(newClient(t, rueidis.ClientOption{
				InitAddress: []string{server.Addr()}, Username: name, Password: "secret", TLSConfig: config,
			}))
			t.Cleanup(a.Close)
			return a
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lacks := []adaptertest.Lack{adaptertest.FailedAcks}
			if name == "streams" {
				lacks = append(lacks, adaptertest.OrderOfEmits)
			}
			adaptertest.Run(t, connect, lacks...)
		})
	}
}

// The contract holds in Redis Cluster with replicas, whichever node a client was given.
// Sharded channels are on different nodes there, so the messages of one server have no
// order between channels.
func TestSuiteInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartReplicated(t, 3)
	for name, join := range map[string]func(rueidis.Client) *Adapter{
		"classic": func(c rueidis.Client) *Adapter { return New(c, nil) },
		"streams": func(c rueidis.Client) *Adapter { return NewStreams(c, &StreamsOptions{Prefix: "streams"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			adaptertest.Run(t, func(t testing.TB) adapter.Adapter {
				node := cluster.Nodes[n.Add(1)%int64(len(cluster.Nodes))]
				a := join(newClient(t, rueidis.ClientOption{InitAddress: []string{node.Addr()}}))
				t.Cleanup(a.Close)
				return a
			}, adaptertest.FailedAcks, adaptertest.OrderOfEmits)
		})
	}
}

// The contract holds behind sentinels.
func TestSuiteBehindSentinels(t *testing.T) {
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Adapter {
		a := NewSharded(newClient(t, rueidis.ClientOption{
			InitAddress: sentinels.Addrs(), Sentinel: rueidis.SentinelOption{MasterSet: redistest.MasterName},
		}), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAcks)
}
