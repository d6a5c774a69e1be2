package redis

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/redistest"
)

// failovers is how many failovers of each kind the tests make in a row.
var failovers = flag.Int("failovers", 1, "failovers of each kind in a row; with more than one, how long they take is checked")

// A group is some servers with adapters of one format. In one namespace they send
// requests without a pause. In another one some of them publish, and some only listen.
type group struct {
	t       *testing.T
	name    string
	members []adapter.Member
	hosts   []*fakeHost
	servers []*socketio.Server

	asked, incomplete, wrong atomic.Int64
}

// groups makes a group for each format. connect returns a new client.
func groups(t *testing.T, connect func() rueidis.Client) []*group {
	t.Helper()
	var list []*group
	for name, join := range map[string]func(rueidis.Client) *Adapter{
		"classic": func(c rueidis.Client) *Adapter { return New(c, nil) },
		"sharded": func(c rueidis.Client) *Adapter { return NewSharded(c, &ShardedOptions{Prefix: "sharded"}) },
		"streams": func(c rueidis.Client) *Adapter {
			return NewStreams(c, &StreamsOptions{StreamName: "stream", Prefix: "streams"})
		},
		"streams, sharded": func(c rueidis.Client) *Adapter {
			return NewStreams(c, &StreamsOptions{StreamName: "stream2", Prefix: "streams2", ShardedPubSub: true})
		},
	} {
		c := &group{t: t, name: name}
		for range 3 {
			a := join(connect())
			t.Cleanup(a.Close)
			srv := socketio.NewServer(&socketio.Options{Adapter: a})
			t.Cleanup(func() { _ = srv.Close() }) // Redis may be away
			srv.Of("/").OnServerSide("ask", func() string { return "answer" })
			c.servers = append(c.servers, srv)
			h := newHost("room")
			c.hosts = append(c.hosts, h)
			c.members = append(c.members, a.Join("/raw", h))
		}
		list = append(list, c)
	}
	for _, c := range list {
		ready(t, c.members...)
		for _, srv := range c.servers {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if err := srv.Ready(ctx); err != nil {
				t.Fatal(c.name, err)
			}
			cancel()
		}
		eventually(t, c.name+": all know each other", func() bool { return c.ask(0) && c.ask(1) && c.ask(2) })
	}
	return list
}

// ask sends a request to the others, and reports whether all have responded.
func (c *group) ask(i int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	replies, err := c.servers[i].Of("/").ServerSideEmitWithAck(ctx, "ask")
	return err == nil && len(replies) == len(c.servers)-1
}

// askUntil sends requests until ctx ends, and counts errors.
func (c *group) askUntil(ctx context.Context, i int) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		replies, err := c.servers[i].Of("/").ServerSideEmitWithAck(one, "ask")
		cancel()
		c.asked.Add(1)
		var noResponse *socketio.NoResponseError
		switch {
		case err != nil && !errors.As(err, &noResponse) && !errors.Is(err, socketio.ErrUnpublished):
			c.t.Errorf("%s: %v", c.name, err)
		case err != nil:
			c.incomplete.Add(1)
		case len(replies) != len(c.servers)-1:
			c.wrong.Add(1)
			c.t.Errorf("%s: server %d: %d answers without an error", c.name, i, len(replies))
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// heal waits until all members receive from the first two; the third only listens. It
// returns how long that took.
func (c *group) heal(round int) time.Duration {
	begun := time.Now()
	var healed [2]map[int]bool
	for i := range healed {
		healed[i] = map[int]bool{i: true}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; len(healed[0])+len(healed[1]) < 2*len(c.members); n++ {
		for i := range healed {
			_ = c.members[i].Publish(event(fmt.Sprintf("%d %d %d", round, i, n))) // or too much is queued
		}
		<-tick.C
		for to, h := range c.hosts {
			for len(h.messages) > 0 {
				var r, from, k int
				m := <-h.messages
				if _, err := fmt.Sscanf(nameOf(m), "%d %d %d", &r, &from, &k); err == nil && r == round {
					healed[from][to] = true
				}
			}
		}
		if time.Since(begun) > time.Minute {
			for i, m := range c.members {
				ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				c.t.Errorf("%s: %d is received by %v; Ready of it: %v", c.name, i, healed[min(i, 1)], m.Ready(ctx))
				cancel()
			}
			c.t.Fatalf("%s: not everybody is received within a minute", c.name)
		}
	}
	return time.Since(begun)
}

// A failure is one way in which a master is lost.
type failure struct {
	name    string
	limit   time.Duration // until all receive from each other again
	happen  func()
	restore func()
}

// fail makes failures happen while groups send requests, and checks that all receive
// from each other again.
func fail(t *testing.T, list []*group, failures []failure) {
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for _, c := range list {
		for i := range c.servers {
			asking.Go(func() { c.askUntil(ctx, i) })
		}
	}
	round := 0
	for _, f := range failures {
		for range *failovers {
			round++
			begun := time.Now()
			f.happen()
			took := make([]string, len(list))
			var all sync.WaitGroup
			for i, c := range list {
				all.Go(func() {
					c.heal(round)
					d := time.Since(begun)
					if took[i] = fmt.Sprintf("%s %.1fs", c.name, d.Seconds()); *failovers > 1 && d > f.limit {
						t.Errorf("%s: %s: %v until everybody is received", f.name, c.name, d)
					}
				})
			}
			all.Wait()
			f.restore()
			slices.Sort(took)
			t.Logf("%s: %s", f.name, strings.Join(took, ", "))
		}
	}
	cancel()
	asking.Wait()
	for _, c := range list {
		t.Logf("%s: %d requests, %d of them with an error, %d wrong", c.name, c.asked.Load(), c.incomplete.Load(), c.wrong.Load())
		eventually(t, c.name+": all respond in the end", func() bool { return c.ask(0) && c.ask(1) && c.ask(2) })
		ready(t, c.members...)
	}
}

// newClient returns a client with the defaults of rueidis.
func newClient(t testing.TB, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	o.DisableCache = true
	client, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestFailoversInACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartReplicated(t, 3)
	n := 0
	list := groups(t, func() rueidis.Client {
		n++
		return newClient(t, rueidis.ClientOption{InitAddress: []string{cluster.Nodes[n%len(cluster.Nodes)].Addr()}})
	})
	// The failing node is that of each of these in turn.
	turn := 0
	owner := func() (master, replica *redistest.Server) {
		turn++
		return cluster.Owner([]string{"sharded#/raw#", "stream", "streams2#/raw#", "sharded#/#"}[turn%4])
	}
	var lost *redistest.Server
	fail(t, list, []failure{
		{"a planned failover", 5 * time.Second, func() {
			_, replica := owner()
			cluster.Failover(replica)
		}, cluster.AwaitReplicas},
		{"a moved slot", 5 * time.Second, func() { cluster.Move("sharded#/raw#") }, func() {}},
		{"a killed master", 10 * time.Second, func() {
			master, replica := owner()
			lost = master
			master.Kill()
			cluster.AwaitMaster(replica)
		}, func() {
			lost.Restart()
			cluster.AwaitReplicas()
		}},
		{"a frozen master", 10 * time.Second, func() {
			master, replica := owner()
			lost = master
			master.Freeze()
			cluster.AwaitMaster(replica)
		}, func() {
			lost.Thaw()
			cluster.AwaitReplicas()
		}},
	})
}

func TestFailoversBehindSentinels(t *testing.T) {
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	list := groups(t, func() rueidis.Client {
		return newClient(t, rueidis.ClientOption{
			InitAddress: sentinels.Addrs(), Sentinel: rueidis.SentinelOption{MasterSet: redistest.MasterName},
		})
	})
	var lost *redistest.Server
	fail(t, list, []failure{
		{"a planned failover", 5 * time.Second, func() { sentinels.Failover() }, sentinels.AwaitReplica},
		{"a killed master", 10 * time.Second, func() {
			master, next := sentinels.Master()
			lost = master
			master.Kill()
			sentinels.AwaitMaster(next)
		}, func() {
			lost.Restart()
			sentinels.AwaitReplica()
		}},
		{"a frozen master", 10 * time.Second, func() {
			master, next := sentinels.Master()
			lost = master
			master.Freeze()
			sentinels.AwaitMaster(next)
		}, func() {
			lost.Thaw()
			sentinels.AwaitReplica()
		}},
	})
}
