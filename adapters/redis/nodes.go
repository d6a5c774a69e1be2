package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// dialTimeout bounds one attempt to connect.
	dialTimeout = 3 * time.Second
	// replyTimeout bounds how long a node may take for a reply.
	replyTimeout = 2 * time.Second
	// connTimeout bounds how long a subscribed connection may take to respond to a
	// check.
	connTimeout = 5 * time.Second
	// viewTimeout bounds the wait for further views of the cluster once there is one.
	viewTimeout = 250 * time.Millisecond
	// epochTimeout is how long an older view of the cluster is ignored.
	epochTimeout = 10 * time.Second
)

var (
	errReplica     = errors.New("socketio: redis: the node is a replica, not a master")
	errMaster      = errors.New("socketio: redis: another node is the master now")
	errClusterDown = errors.New("socketio: redis: the cluster is down")
	errNoOwner     = errors.New("socketio: redis: no node serves the slot")
)

// A topology says which nodes of a Redis Cluster serve which slots.
type topology struct {
	epoch  int64
	ok     bool // the cluster is up, according to the node that was asked
	shards []shard
}

type shard struct {
	nodes []string // the first is the master
	slots [][2]int64
}

// shardOf returns the shard that serves a slot, or nil.
func (t *topology) shardOf(slot uint16) *shard {
	for i := range t.shards {
		for _, r := range t.shards[i].slots {
			if r[0] <= int64(slot) && int64(slot) <= r[1] {
				return &t.shards[i]
			}
		}
	}
	return nil
}

// owner returns the master that serves a slot, or "".
func (t *topology) owner(slot uint16) string {
	if s := t.shardOf(slot); s != nil {
		return s.nodes[0]
	}
	return ""
}

func (t *topology) masters() []string {
	list := make([]string, 0, len(t.shards))
	for _, s := range t.shards {
		list = append(list, s.nodes[0])
	}
	return list
}

func (t *topology) isMaster(addr string) bool {
	return slices.ContainsFunc(t.shards, func(s shard) bool { return s.nodes[0] == addr })
}

// equal reports whether the same nodes serve the same slots.
func (t *topology) equal(other *topology) bool {
	return slices.EqualFunc(t.shards, other.shards, func(a, b shard) bool {
		return slices.Equal(a.nodes, b.nodes) && slices.Equal(a.slots, b.slots)
	})
}

// parseTopology reads the reply to CLUSTER SLOTS of the node at addr.
func parseTopology(reply rueidis.RedisMessage, addr string) (*topology, error) {
	ranges, err := reply.ToArray()
	if err != nil {
		return nil, err
	}
	t := new(topology)
	for _, r := range ranges {
		values, err := r.ToArray()
		if err != nil || len(values) < 3 {
			return nil, errors.New("socketio: redis: CLUSTER SLOTS: a range without a node")
		}
		first, err1 := values[0].AsInt64()
		last, err2 := values[1].AsInt64()
		if err := cmp.Or(err1, err2); err != nil {
			return nil, err
		}
		var nodes []string
		for i, value := range values[2:] {
			node, err := parseNode(value, addr)
			if err != nil {
				return nil, err
			}
			if node == "" && i == 0 {
				break // the master's address is not known
			}
			if node != "" {
				nodes = append(nodes, node)
			}
		}
		if len(nodes) == 0 {
			continue
		}
		slices.Sort(nodes[1:])
		i := slices.IndexFunc(t.shards, func(s shard) bool { return s.nodes[0] == nodes[0] })
		if i < 0 {
			i = len(t.shards)
			t.shards = append(t.shards, shard{nodes: nodes})
		}
		t.shards[i].slots = append(t.shards[i].slots, [2]int64{first, last})
	}
	slices.SortFunc(t.shards, func(a, b shard) int { return cmp.Compare(a.nodes[0], b.nodes[0]) })
	return t, nil
}

// parseNode returns the address of a node, or "" if the cluster does not know it.
func parseNode(value rueidis.RedisMessage, asked string) (string, error) {
	values, err := value.ToArray()
	if err != nil {
		return "", err
	}
	if len(values) < 2 {
		return "", errors.New("socketio: redis: CLUSTER SLOTS: a node without an address")
	}
	host := ""
	if !values[0].IsNil() {
		if host, err = values[0].ToString(); err != nil {
			return "", err
		}
	}
	port, err := values[1].AsInt64()
	if err != nil {
		return "", err
	}
	switch host {
	case "":
		host, _, _ = net.SplitHostPort(asked)
	case "?":
		return "", nil
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10)), nil
}

// nodes are the nodes that a client knows, and their roles.
type nodes struct {
	client  rueidis.Client
	cluster bool

	latest atomic.Pointer[topology]

	mu   sync.Mutex // guards the following, and changes of latest
	seen time.Time  // when the latest view was last confirmed
}

// topology returns the latest view; it is nil outside Redis Cluster, and until
// one is known.
func (n *nodes) topology() *topology { return n.latest.Load() }

// anyMaster returns one of the masters, preferably one that the client knows and that
// need not be avoided.
func (n *nodes) anyMaster(t *topology, avoid func(addr string) bool) string {
	masters, known := t.masters(), n.client.Nodes()
	rand.Shuffle(len(masters), func(i, j int) { masters[i], masters[j] = masters[j], masters[i] })
	i := slices.IndexFunc(masters, func(addr string) bool { return known[addr] != nil && !avoid(addr) })
	return masters[max(i, 0)]
}

// refresh asks for the topology, a few nodes at a time: one of them may not respond, or
// have an old view. It reports whether anything has changed.
func (n *nodes) refresh(ctx context.Context) (changed bool, err error) {
	const asked = 3
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	known := n.client.Nodes()
	addrs := make([]string, 0, len(known))
	for addr := range known {
		addrs = append(addrs, addr)
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	type view struct {
		t   *topology
		err error
	}
	err = errClusterDown
	var best *topology
	for len(addrs) > 0 && best == nil {
		some := addrs[:min(asked, len(addrs))]
		addrs = addrs[len(some):]
		views := make(chan view, len(some))
		for _, addr := range some { // they end with ctx
			go func() {
				t, err := askTopology(ctx, known[addr], addr)
				views <- view{t, err}
			}()
		}
		var late <-chan time.Time
		for range some {
			var v view
			select {
			case v = <-views:
			case <-late:
			}
			if v.err != nil {
				err = v.err
			} else if v.t == nil {
				break
			} else if len(v.t.shards) > 0 && (best == nil || v.t.epoch > best.epoch || v.t.epoch == best.epoch && v.t.ok && !best.ok) {
				best = v.t
			}
			if best != nil && late == nil {
				late = time.After(viewTimeout)
			}
		}
	}
	if best == nil {
		return false, fmt.Errorf("socketio: redis: looking at the cluster: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	latest := n.latest.Load()
	if latest != nil && best.epoch < latest.epoch && now.Sub(n.seen) < epochTimeout {
		return false, nil // a node that was away
	}
	n.seen = now
	n.latest.Store(best)
	return latest != nil && !best.equal(latest), nil
}

func askTopology(ctx context.Context, node rueidis.Client, addr string) (*topology, error) {
	replies := node.DoMulti(ctx, node.B().ClusterInfo().Build(), node.B().ClusterSlots().Build())
	slots, err := replies[1].ToMessage()
	if err != nil {
		return nil, err
	}
	t, err := parseTopology(slots, addr)
	if err != nil {
		return nil, err
	}
	info, err := replies[0].ToString()
	if err != nil { // the ACL may not allow CLUSTER INFO
		t.ok = true
		return t, nil //nolint:nilerr // it is useful, not necessary
	}
	for line := range strings.SplitSeq(strings.TrimPrefix(info, "txt:"), "\r\n") { // the prefix of RESP3
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "cluster_state":
			t.ok = value == "ok"
		case "cluster_current_epoch":
			t.epoch, _ = strconv.ParseInt(value, 10, 64) // or 0
		}
	}
	return t, nil
}

// master returns the address that the client takes for the only master, or "" if it
// can't be known.
func (n *nodes) master() string {
	known := n.client.Nodes()
	if n.cluster || len(known) != 1 {
		return ""
	}
	for addr := range known {
		return addr
	}
	return ""
}

// dial connects to a node; outside Redis Cluster, to the master. It returns within
// dialTimeout, though the client may continue for a while.
func (b *bus) dial(addr string) (*nodeConn, error) {
	ctx, cancel := context.WithTimeout(b.ctx, dialTimeout)
	defer cancel()
	type result struct {
		line *nodeConn
		err  error
	}
	done := make(chan result)
	b.running.Go(func() { // ends within the client's own timeout; close waits for it
		l, err := b.connect(ctx, addr)
		select {
		case done <- result{l, err}:
		case <-ctx.Done():
			if l != nil {
				l.close()
			}
		}
	})
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("socketio: redis: connecting: %w", ctx.Err())
	}
}

// node returns the client's node of an address. It makes a client that does not know the
// address refresh its topology.
func (b *bus) node(ctx context.Context, addr string) (rueidis.Client, error) {
	if node := b.client.Nodes()[addr]; node != nil {
		return node, nil
	}
	b.pokeClient(ctx)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if node := b.client.Nodes()[addr]; node != nil {
				return node, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("the client does not know the node %s: %w", addr, ctx.Err())
		}
	}
}

// A nodeConn is a connection of the adapter to one node.
type nodeConn struct {
	addr string // "" outside Redis Cluster if it is not known
	rueidis.DedicatedClient
	used time.Time // when it was last known to work

	once sync.Once
	keep func() bool // stops the function that closes the connection when the bus ends
}

func (l *nodeConn) close() {
	l.once.Do(func() {
		if l.keep != nil {
			l.keep()
		}
		l.DedicatedClient.Close() //nolint:staticcheck // it is the client's, without the cleanup of ours
	})
}

func (b *bus) connect(ctx context.Context, addr string) (*nodeConn, error) {
	client := b.client
	if b.nodes.cluster {
		var err error
		if client, err = b.node(ctx, addr); err != nil {
			return nil, fmt.Errorf("socketio: redis: connecting: %w", err)
		}
	} else {
		addr = b.nodes.master()
	}
	conn, _ := client.Dedicate()
	l := &nodeConn{addr: addr, DedicatedClient: conn}
	l.keep = context.AfterFunc(b.ctx, conn.Close) // the end does not wait for a peer that does not respond
	if err := b.check(ctx, l); err != nil {
		l.close()
		if b.nodes.cluster {
			b.pokeClient(ctx)
		}
		return nil, err
	}
	l.used = time.Now()
	return l, nil
}

// check returns why a connection is not usable, or nil.
func (b *bus) check(ctx context.Context, l *nodeConn) error {
	if b.nodes.cluster {
		return l.Do(ctx, b.client.B().Ping().Build()).Error()
	}
	reply, err := l.Do(ctx, b.client.B().Role().Build()).ToMessage()
	return b.checkMaster(l, reply, err)
}

// checkMaster returns an error if a connection outside Redis Cluster leads to a node
// that is not the master any more, according to the node and the client.
func (b *bus) checkMaster(l *nodeConn, role rueidis.RedisMessage, err error) error {
	switch _, refused := rueidis.IsRedisErr(err); {
	case refused: // a proxy or the ACL may refuse ROLE
	case err != nil:
		return err
	default:
		values, err := role.ToArray()
		if err != nil || len(values) == 0 {
			break
		}
		if name, _ := values[0].ToString(); name != "master" {
			return errReplica
		}
	}
	if now := b.nodes.master(); now != l.addr && l.addr != "" && now != "" {
		return errMaster
	}
	return nil
}

// pokeClient makes the client refresh its topology within about a second. The client
// does so after an error, so this causes one with QUIT, which every user may send.
func (b *bus) pokeClient(ctx context.Context) {
	conn, _ := b.client.Dedicate()
	defer conn.Close()
	_ = conn.Do(ctx, b.client.B().Arbitrary("QUIT").Build()).Error()
	_ = conn.Do(ctx, b.client.B().Ping().Build()).Error() // it fails, on purpose
}
