package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter/adaptertest"
)

// limits are what a user of the bus may not do.
type limits struct{ publish, subscribe bool }

func (l limits) options(port int) *server.Options {
	deny := &server.SubjectPermission{Deny: []string{"socketio.>"}}
	p := &server.Permissions{}
	if l.publish {
		p.Publish = deny
	}
	if l.subscribe {
		p.Subscribe = deny
	}
	return &server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true,
		Users: []*server.User{{Username: "limited", Password: "secret", Permissions: p}}}
}

// limited starts a bus with one user, and returns how to limit it.
func limited(t testing.TB) (b *bus, limit func(limits)) {
	t.Helper()
	b = newIdleBus(t)
	b.options = limits{}.options
	b.start()
	return b, func(l limits) {
		if err := b.srv.ReloadOptions(l.options(b.port)); err != nil {
			t.Error(err)
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]limits{"publish": {publish: true}, "subscribe": {subscribe: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.RunReady(t, func(t testing.TB) adaptertest.Line {
				b, limit := limited(t)
				line := newProxy(t, b.addr())
				conn := connect(t, line.addr(), natsgo.UserInfo("limited", "secret"))
				a := node(t, conn, &Options{HeartbeatInterval: 50 * time.Millisecond, HeartbeatTimeout: 10 * time.Second})
				t.Cleanup(line.heal)
				return adaptertest.Line{
					Cluster: a, Cut: line.cut, Heal: line.heal, Never: conn.Close,
					Refuse: func() { limit(refuse) }, Allow: func() { limit(limits{}) },
				}
			})
		})
	}
}

// A member that may not subscribe, or not publish, says why.
func TestReadyOfARefusedMember(t *testing.T) {
	t.Parallel()
	for what, refuse := range map[string]limits{"Publish": {publish: true}, "Subscription": {subscribe: true}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b, limit := limited(t)
			limit(refuse)
			m := join(t, b.server(t, nil, natsgo.UserInfo("limited", "secret")))
			eventually(t, func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				last := len(m.states) - 1
				return last >= 0 && m.states[last] != nil && strings.Contains(m.states[last].Error(), "Permissions Violation for "+what)
			}, "the host is received why")
		})
	}
}
