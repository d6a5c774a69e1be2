package nats

import (
	"testing"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
)

// newStore returns a NATS server with JetStream.
func newStore(t testing.TB) *bus {
	t.Helper()
	b := newIdleBus(t)
	b.store = t.TempDir()
	b.start()
	return b
}

// log returns the adapter of one more server, with a log.
func (b *bus) log(t testing.TB, opts *JetStreamOptions, natsOpts ...natsgo.Option) *Adapter {
	t.Helper()
	return logTo(t, b.connect(t, natsOpts...), opts)
}

func logTo(t testing.TB, conn *natsgo.Conn, opts *JetStreamOptions) *Adapter {
	t.Helper()
	a := NewJetStream(conn, opts)
	a.jetStream.timeout.Store(int64(waitLimit)) // an event that comes back late on a slow machine does not time out
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func TestJetStream(t *testing.T) {
	t.Parallel()
	b := newStore(t)
	newNode := func(t testing.TB) adapter.Adapter { return b.log(t, nil) }
	t.Run("contract", func(t *testing.T) { adaptertest.Run(t, newNode) })
	t.Run("recorder", func(t *testing.T) { adaptertest.RunLogBus(t, newNode) })
}
