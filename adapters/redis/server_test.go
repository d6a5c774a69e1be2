package redis

import (
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// clientOf returns a client that is closed at the end of the test. It notices a dead
// connection within about a second.
func clientOf(t testing.TB, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, DisableCache: true, ConnWriteTimeout: time.Second,
		Dialer: net.Dialer{Timeout: time.Second, KeepAlive: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// hooks send received messages to a channel.
func hooks(to chan<- string) rueidis.PubSubHooks {
	return rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { to <- m.Message }}
}
