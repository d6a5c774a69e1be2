package redistest_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/redistest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	if got := s.Do("SET", "k", "two words"); got != "+OK\r\n" {
		t.Errorf("SET: %q", got)
	}
	if got := s.Do("GET", "k"); got != "$9\r\ntwo words\r\n" {
		t.Errorf("GET: %q", got)
	}
	s.Kill()
	s.Kill()
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		conn.Close()
		t.Error("a server that was killed listens")
	}
	s.Restart()
	if got := s.Do("DBSIZE"); got != ":0\r\n" {
		t.Errorf("DBSIZE: %q", got)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	for i, s := range redistest.StartCluster(t, 2) {
		key := []string{"bar", "foo"}[i] // in slots 5061 and 12182
		if got := s.Do("SET", key, "v"); got != "+OK\r\n" {
			t.Errorf("SET: %q", got)
		}
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	proxy := redistest.NewProxy(t, redistest.Start(t).Addr())
	conn, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pong := func() error {
		_, err := io.ReadFull(conn, make([]byte, len("+PONG\r\n")))
		return err
	}
	io.WriteString(conn, "PING\r\n")
	if err := pong(); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	io.WriteString(conn, "PING\r\n")
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if err := pong(); err == nil {
		t.Fatal("something comes through")
	}
	proxy.Thaw()
	conn.SetReadDeadline(time.Time{})
	if err := pong(); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	if err := pong(); err == nil {
		t.Fatal("the connection lives")
	}
}

func TestReplicatedCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartReplicated(t, 3)
	master, replica := c.Owner("key")
	master.Do("SET", "key", "v")
	c.Failover(replica)
	if got, _ := c.Owner("key"); got != replica {
		t.Error("the replica is not the owner after a planned failover")
	}
	c.AwaitReplicas()
	to := c.Move("key")
	if got := to.Do("GET", "key"); got != "$1\r\nv\r\n" {
		t.Errorf("GET after the slot has moved: %q", got)
	}
}

func TestSentinels(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	master, other := s.Master()
	if s.Failover() != other {
		t.Error("the replica is not the master")
	}
	if next, _ := s.Master(); next == master {
		t.Error("the sentinels name the old master")
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Freeze()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "PING\r\n")
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("a frozen server answers")
	}
	s.Thaw()
	conn.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(conn, make([]byte, len("+PONG\r\n"))); err != nil {
		t.Fatal(err)
	}
}
