package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/redistest"
)

// Every format keeps the contract of Ready, with one Redis and in Redis Cluster.
func TestReady(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"classic", "sharded", "streams", "cluster, classic", "cluster, sharded"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.RunReady(t, func(t testing.TB) adaptertest.Line {
				format, inCluster := strings.CutPrefix(name, "cluster, ")
				var server *redistest.Server
				if inCluster {
					server = redistest.StartCluster(t, 1)[0]
				} else {
					server = redistest.Start(t)
				}
				const user = "limited"
				allow := []string{"ACL", "SETUSER", user, "on", ">secret", "allchannels", "allkeys", "+@all"}
				server.Do(allow...)
				o := rueidis.ClientOption{Username: user, Password: "secret", ConnWriteTimeout: time.Second}
				var line adaptertest.Line
				if inCluster { // the cluster publishes its address
					o.InitAddress = []string{server.Addr()}
					line.Cut, line.Heal = server.Freeze, server.Thaw
				} else {
					proxy := redistest.NewProxy(t, server.Addr())
					o.InitAddress = []string{proxy.Addr()}
					line.Cut = func() { proxy.Freeze(); proxy.Cut() }
					line.Heal = proxy.Thaw
				}
				client := newClient(t, o)
				var a *Adapter
				switch format {
				case "classic":
					a = New(client, nil)
				case "sharded":
					a = NewSharded(client, nil)
				default:
					a = NewStreams(client, nil)
				}
				t.Cleanup(a.Close)
				t.Cleanup(func() { line.Heal() })
				line.Cluster = a
				line.Refuse = func() { server.Do("ACL", "SETUSER", user, "resetchannels") }
				line.Allow = func() { server.Do(allow...) }
				return line
			})
		})
	}
}

// A server that may subscribe but not publish is not ready, and says why.
func TestPublishingIsRefused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "quiet", "on", ">secret", "allchannels", "allkeys", "+@all", "-publish")
	a := New(newClient(t, rueidis.ClientOption{InitAddress: []string{server.Addr()}, Username: "quiet", Password: "secret"}), nil)
	t.Cleanup(a.Close)
	h := newHost()
	m := a.Join("/", h)
	eventually(t, "the host is reported why", func() bool {
		err := h.lastStatus()
		return err != nil && strings.Contains(err.Error(), "NOPERM")
	})
	server.Do("ACL", "SETUSER", "quiet", "+publish")
	ready(t, m)
	if n := h.lostSoFar(); n != 0 {
		t.Errorf("%d lost, and nothing was published", n)
	}
}

// lastStatus returns the last status that was reported.
func (h *fakeHost) lastStatus() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.states) == 0 {
		return nil
	}
	return h.states[len(h.states)-1]
}

// If an address leads to another server, and the old one is a replica now, all
// connections leave the old one.
func TestMovedEndpoint(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(rueidis.Client) *Adapter{
		"classic": func(c rueidis.Client) *Adapter { return New(c, nil) },
		"sharded": func(c rueidis.Client) *Adapter { return NewSharded(c, nil) },
		"streams": func(c rueidis.Client) *Adapter { return NewStreams(c, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := redistest.Start(t)
			second := redistest.Start(t, "--replicaof", strings.ReplaceAll(first.Addr(), ":", " "))
			endpoint := redistest.NewProxy(t, first.Addr())
			var p pair
			for i := range p.members {
				p.adapters[i] = join(newClient(t, rueidis.ClientOption{InitAddress: []string{endpoint.Addr()}}))
				t.Cleanup(p.adapters[i].Close)
				p.hosts[i] = newHost("r")
				p.members[i] = p.adapters[i].Join("/", p.hosts[i])
			}
			ready(t, p.members[:]...)
			p.talk(t)
			endpoint.Retarget(second.Addr())
			second.Do("REPLICAOF", "NO", "ONE")
			first.Do("REPLICAOF", "127.0.0.1", strings.TrimPrefix(second.Addr(), "127.0.0.1:"))
			for i, h := range p.hosts {
				eventually(t, "it is reported", func() bool { return len(h.losses) > 0 || h.lastStatus() != nil })
				for n, received := 0, false; !received; n++ {
					if err := p.members[1-i].Publish(event(fmt.Sprint(n))); err != nil && !errors.Is(err, adapter.ErrBacklog) {
						t.Fatal(err)
					}
					select {
					case <-h.messages:
						received = true
					case <-time.After(100 * time.Millisecond):
					}
					if n > 300 {
						t.Fatal("nothing is received within 30 seconds")
					}
				}
			}
			ready(t, p.members[:]...)
		})
	}
}

// An event that Redis refuses is lost once, however often it is retried.
func TestRefusedAppendIsLostOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHost("r")
	m := streamed(t, server.Addr(), nil).Join("/", h).(adapter.LogBus)
	ready(t, m)
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if err := m.Append(event("refused", "r")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.messages); nameOf(got) != "refused" || got.Position != 0 {
		t.Errorf("%+v", got)
	}
	eventually(t, "the host is reported why", func() bool {
		err := h.lastStatus()
		return err != nil && strings.Contains(err.Error(), "OOM")
	})
	eventually(t, "it was tried to say so again and again", func() bool {
		_, count, _ := strings.Cut(server.Do("INFO", "errorstats"), "errorstat_OOM:count=")
		var n int
		_, err := fmt.Sscan(count, &n)
		return err == nil && n >= 5
	})
	if n := h.lostSoFar(); n != 1 {
		t.Errorf("%d lost instead of 1", n)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	ready(t, m)
	eventually(t, "the host is reported that it is over", func() bool { return h.lastStatus() == nil })
	eventually(t, "the stream knows of the gap", func() bool { return m.(*streamsMember).unconfirmed.complete() })
	if n := h.lostSoFar(); n != 1 {
		t.Errorf("%d lost instead of 1", n)
	}
}
