package cluster_test

import (
	"cmp"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter/emitter"
	"github.com/socketio-go/socketio/adapters/redis"
	"github.com/socketio-go/socketio/internal/redistest"
)

// TestMixed runs *.test.mjs over each adapter: official clients of a Node server
// and of a Go server, which share a Redis.
func TestMixed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	files, err := filepath.Glob("*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	for _, adapter := range []string{"classic", "sharded", "streams"} {
		for _, file := range files {
			if file == "recovery.test.mjs" && adapter != "streams" {
				continue // only streams keep events
			}
			mixed(t, file, &cluster{adapter: adapter, addr: server.Addr()})
		}
	}
	// The variants that options of the adapters make.
	for _, c := range []cluster{
		{adapter: "classic", variant: "specific"}, {adapter: "sharded", variant: "private"}, {adapter: "sharded", variant: "static"},
		{adapter: "streams", variant: "sharded"}, {adapter: "streams", variant: "spread"},
	} {
		for _, file := range []string{"emit.test.mjs", "fleet.test.mjs"} {
			c.addr = server.Addr()
			mixed(t, file, &c)
		}
	}
}

// requests are the names of tests of requests and responses. Each request is complete also
// where messages have no order.
const requests = "acknowledgements|answers without|questions at a time|fetchSockets|serverSideEmitWithAck|serverCount"

// TestMixedInARedisCluster runs tests over a Redis Cluster with replicas. What a Node server
// requests from Go servers is complete there: fetchSockets, acks of broadcasts and of
// server-side events. Of other tests some need an order that Node servers do not keep there:
// they spread what they publish over all nodes.
func TestMixedInARedisCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartReplicated(t, 3).Nodes
	for i, adapter := range []string{"classic", "sharded", "streams"} {
		for _, file := range []string{"emit.test.mjs", "fleet.test.mjs", "serverside.test.mjs"} {
			mixed(t, file, &cluster{adapter: adapter, variant: "in a Redis Cluster", addr: nodes[i].Addr(), only: requests})
		}
	}
}

// mixed runs a file, in a cluster of its own.
func mixed(t *testing.T, file string, in *cluster) {
	of := *in
	of.prefix = strings.TrimSpace(in.adapter+" "+in.variant) + "/" + strings.TrimSuffix(file, ".test.mjs")
	t.Run(of.prefix, func(t *testing.T) {
		t.Parallel()
		env := of.env()
		var recovery *socketio.Recovery
		if file == "recovery.test.mjs" {
			recovery = &socketio.Recovery{}
			env = append(env, "RECOVERY=1")
		}
		srv := serve(t, "go", &of, recovery)
		node(t, file, append(env, "GO_URL="+srv.http.URL), "--test-name-pattern="+cmp.Or(of.only, "."))
	})
}

// A cluster is one of several on a Redis. Only tests whose names match only run in it.
type cluster struct{ adapter, variant, prefix, addr, only string }

// env returns the environment for Node.
func (c *cluster) env() []string {
	env := []string{"ADAPTER=" + c.adapter, "VARIANT=" + c.variant, "PREFIX=" + c.prefix, "REDIS_URL=redis://" + c.addr}
	if c.only != "" {
		env = append(env, "REDIS_CLUSTER=1")
	}
	return env
}

// join returns an adapter of one more server, and an emitter.
func (c *cluster) join(t *testing.T) (*redis.Adapter, emitter.Emitter) {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{c.addr}, DisableCache: true, ConnWriteTimeout: time.Second,
		Dialer: net.Dialer{Timeout: time.Second, KeepAlive: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var a *redis.Adapter
	var e emitter.Emitter
	switch c.adapter {
	case "classic":
		a = redis.New(client, &redis.Options{Prefix: c.prefix, PublishOnSpecificResponseChannel: c.variant == "specific"})
		e = redis.NewEmitter(client, &redis.EmitterOptions{Prefix: c.prefix})
	case "sharded":
		o := &redis.ShardedOptions{Prefix: c.prefix}
		switch c.variant {
		case "private":
			o.SubscriptionMode = redis.DynamicPrivate
		case "static":
			o.SubscriptionMode = redis.Static
		}
		a, e = redis.NewSharded(client, o), redis.NewShardedEmitter(client, o)
	case "streams":
		o := &redis.StreamsOptions{
			StreamName: c.prefix, Prefix: c.prefix, SessionKeyPrefix: c.prefix + ":", BlockTime: 200 * time.Millisecond,
			ShardedPubSub: c.variant == "sharded",
		}
		if c.variant == "spread" {
			o.StreamCount = 3
		}
		a, e = redis.NewStreams(client, o), redis.NewStreamsEmitter(client, o)
	}
	t.Cleanup(a.Close)
	return a, e
}

// node runs a file of tests.
func node(t *testing.T, file string, env []string, args ...string) {
	t.Helper()
	args = append(append([]string{"--test-reporter=spec", "--test-force-exit"}, args...), file)
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", file, err, out)
	}
	t.Logf("%s", out)
}
