package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually polls until ok.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(waitLimit); !ok(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("redistest: waited in vain: %s", what)
		}
	}
}

// field returns a field of INFO, or "".
func field(info, name string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	return ""
}

// Freeze stops the process until Thaw: connections remain open, new ones are accepted,
// and nothing responds.
func (s *Server) Freeze() { s.tb.Helper(); s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.tb.Helper(); s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := syscall.Kill(s.pid(), sig); err != nil {
		s.tb.Fatalf("redistest: %v", err)
	}
}

// pid returns the process. It is asked once, while it responds.
func (s *Server) pid() int {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == 0 {
		s.process, _ = strconv.Atoi(field(s.try("INFO", "server"), "process_id"))
	}
	if s.process == 0 {
		s.tb.Fatal("redistest: the server does not say which process it is")
	}
	return s.process
}

// IsMaster reports whether the server considers itself a master. It returns false if the
// server does not respond.
func (s *Server) IsMaster() bool {
	return field(s.try("INFO", "replication"), "role") == "master"
}

// A Cluster is a Redis Cluster whose masters have replicas.
type Cluster struct {
	tb    testing.TB
	Nodes []*Server // the masters, then their replicas in the same order
}

// StartReplicated starts a Redis Cluster with one replica for each master.
func StartReplicated(tb testing.TB, masters int) *Cluster {
	tb.Helper()
	c := &Cluster{tb, startCluster(tb, 2*masters, masters)}
	for i, replica := range c.Nodes[masters:] {
		id := c.Nodes[i].ID()
		eventually(tb, "a replica knows its master", func() bool { return strings.Contains(replica.try("CLUSTER", "NODES"), id) })
		replica.Do("CLUSTER", "REPLICATE", id)
		_ = replica.pid()
		_ = c.Nodes[i].pid()
	}
	c.AwaitReplicas()
	return c
}

// ID returns the name of a node of a cluster.
func (s *Server) ID() string {
	s.tb.Helper()
	_, id, _ := strings.Cut(s.Do("CLUSTER", "MYID"), "\r\n")
	return strings.TrimSpace(id)
}

// AwaitReplicas waits until every replica follows its master, and all nodes agree that
// the cluster is up.
func (c *Cluster) AwaitReplicas() {
	c.tb.Helper()
	eventually(c.tb, "the cluster is well", func() bool {
		for _, s := range c.Nodes {
			info := s.try("INFO", "replication")
			nodes := s.try("CLUSTER", "NODES")
			if !strings.Contains(s.try("CLUSTER", "INFO"), "cluster_state:ok") || strings.Contains(nodes, "fail") ||
				strings.Count(nodes, " connected") != len(c.Nodes) || strings.Count(nodes, "slave") != len(c.Nodes)/2 {
				return false
			}
			if field(info, "role") == "master" && field(info, "connected_slaves") != "1" || field(info, "master_link_status") == "down" {
				return false
			}
		}
		return true
	})
}

// Owner returns the master of the slot of a key or channel, and its replica.
func (c *Cluster) Owner(key string) (master, replica *Server) {
	c.tb.Helper()
	eventually(c.tb, "a slot has a master and a replica", func() bool {
		master, replica = nil, nil
		slot := c.Slot(key)
		for _, s := range c.Nodes {
			if !s.IsMaster() {
				continue
			}
			for line := range strings.Lines(s.try("CLUSTER", "NODES")) {
				f := strings.Fields(line)
				if len(f) > 8 && strings.Contains(f[2], "myself") && owns(f[8:], slot) {
					master = s
				}
			}
		}
		if master == nil {
			return false
		}
		i := slices.Index(c.Nodes, master)
		replica = c.Nodes[(i+len(c.Nodes)/2)%len(c.Nodes)]
		return true
	})
	return master, replica
}

// Slot returns the slot of a key or channel.
func (c *Cluster) Slot(key string) int {
	for _, s := range c.Nodes {
		if n, err := strconv.Atoi(strings.Trim(s.try("CLUSTER", "KEYSLOT", key), ":\r\n")); err == nil {
			return n
		}
	}
	c.tb.Fatal("redistest: no node answers")
	return 0
}

func owns(ranges []string, slot int) bool {
	for _, r := range ranges {
		first, last, ok := strings.Cut(r, "-")
		a, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		b := a
		if ok {
			b, _ = strconv.Atoi(last)
		}
		if a <= slot && slot <= b {
			return true
		}
	}
	return false
}

// Failover makes the replica the master, in a planned failover.
func (c *Cluster) Failover(replica *Server) {
	c.tb.Helper()
	replica.Do("CLUSTER", "FAILOVER")
	c.AwaitMaster(replica)
}

// AwaitMaster waits until a server is a master.
func (c *Cluster) AwaitMaster(s *Server) {
	c.tb.Helper()
	eventually(c.tb, "the replica is the master", s.IsMaster)
}

// Move moves the slot of a key or channel, with the keys, to another master, and returns
// that master.
func (c *Cluster) Move(key string) *Server {
	c.tb.Helper()
	slot := strconv.Itoa(c.Slot(key))
	from, _ := c.Owner(key)
	var to *Server
	for _, s := range c.Nodes {
		if s != from && s.IsMaster() {
			to = s
		}
	}
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.ID())
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.ID())
	for {
		keys := strings.Split(from.Do("CLUSTER", "GETKEYSINSLOT", slot, "10"), "\r\n")
		if keys[0] == "*0" {
			break
		}
		for i := 2; i < len(keys); i += 2 {
			from.Do("MIGRATE", "127.0.0.1", to.port, keys[i], "0", "5000", "REPLACE")
		}
	}
	id := to.ID()
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
	from.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
	return to
}

// Sentinels are three sentinels that watch a master and its replica.
type Sentinels struct {
	tb        testing.TB
	Servers   []*Server
	Sentinels []*Server
}

// MasterName is the sentinels' name for the master.
const MasterName = "main"

// StartSentinels starts a master, a replica and three sentinels.
func StartSentinels(tb testing.TB) *Sentinels {
	tb.Helper()
	s := &Sentinels{tb: tb}
	master := Start(tb)
	replica := Start(tb, "--replicaof", "127.0.0.1 "+master.port)
	s.Servers = []*Server{master, replica}
	_, _ = master.pid(), replica.pid()
	for range 3 {
		s.Sentinels = append(s.Sentinels, startSentinel(tb, master))
	}
	s.AwaitReplica()
	return s
}

func startSentinel(tb testing.TB, master *Server) *Server {
	tb.Helper()
	var err error
	for range 5 {
		s := &Server{tb: tb, conf: filepath.Join(tb.TempDir(), "sentinel.conf")}
		if s.port, err = freePort(); err != nil {
			continue
		}
		conf := fmt.Sprintf("dir %s\nsentinel monitor %s 127.0.0.1 %s 2\nsentinel down-after-milliseconds %s 1000\n"+
			"sentinel failover-timeout %s 3000\n", filepath.Dir(s.conf), MasterName, master.port, MasterName, MasterName)
		if err = os.WriteFile(s.conf, []byte(conf), 0o600); err != nil {
			continue
		}
		tb.Cleanup(s.Kill)
		if err = s.start(); err == nil {
			return s
		}
	}
	tb.Fatalf("redistest: %v", err)
	return nil
}

// Addrs returns the addresses of the sentinels.
func (s *Sentinels) Addrs() (list []string) {
	for _, sentinel := range s.Sentinels {
		list = append(list, sentinel.Addr())
	}
	return list
}

// Master returns the server that the sentinels consider the master, and the other one.
func (s *Sentinels) Master() (master, other *Server) {
	reply := s.Sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
	for i, server := range s.Servers {
		if strings.Contains(reply, "\r\n"+server.port+"\r\n") {
			return server, s.Servers[1-i]
		}
	}
	s.tb.Fatalf("redistest: the sentinels name %q as master", reply)
	return nil, nil
}

// AwaitReplica waits until the replica follows the master, and all sentinels know
// it and each other.
func (s *Sentinels) AwaitReplica() {
	s.tb.Helper()
	eventually(s.tb, "the sentinels are ready", func() bool {
		master, other := s.Master()
		if !master.IsMaster() || field(other.try("INFO", "replication"), "master_link_status") != "up" {
			return false
		}
		for _, sentinel := range s.Sentinels {
			line := field(sentinel.try("INFO", "sentinel"), "master0")
			if !strings.Contains(line, "status=ok") || !strings.Contains(line, net.JoinHostPort("127.0.0.1", master.port)) ||
				!strings.Contains(line, "slaves=1") || !strings.Contains(line, "sentinels=3") {
				return false
			}
			if replicas := sentinel.try("SENTINEL", "REPLICAS", MasterName); strings.Contains(replicas, "down") && strings.Contains(replicas, "s_down") {
				return false
			}
		}
		return true
	})
}

// Failover makes the replica the master, in a planned failover, and returns it.
func (s *Sentinels) Failover() *Server {
	s.tb.Helper()
	_, next := s.Master()
	eventually(s.tb, "the sentinels fail over", func() bool {
		return strings.HasPrefix(s.Sentinels[0].try("SENTINEL", "FAILOVER", MasterName), "+OK")
	})
	s.AwaitMaster(next)
	return next
}

// AwaitMaster waits until the sentinels agree on the master.
func (s *Sentinels) AwaitMaster(next *Server) {
	s.tb.Helper()
	eventually(s.tb, "the sentinels agree on the master", func() bool {
		for _, sentinel := range s.Sentinels {
			if !strings.Contains(sentinel.try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName), "\r\n"+next.port+"\r\n") {
				return false
			}
		}
		return true
	})
}
