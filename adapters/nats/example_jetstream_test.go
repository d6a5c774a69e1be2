package nats_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapters/nats"
)

// A server whose clients recover their sessions on any other server of the cluster. NATS
// is part of this program only to make the example complete.
func ExampleNewJetStream() {
	dir, err := os.MkdirTemp("", "jetstream")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	if err != nil {
		log.Fatal(err)
	}
	srv.Start()
	srv.ReadyForConnections(time.Minute)
	defer srv.WaitForShutdown()
	defer srv.Shutdown()

	bus, err := natsgo.Connect(srv.ClientURL(), natsgo.MaxReconnects(-1), natsgo.FlusherTimeout(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer bus.Close()
	cluster := nats.NewJetStream(bus, &nats.JetStreamOptions{MaxAge: 5 * time.Minute})
	defer cluster.Close()
	io := socketio.NewServer(&socketio.Options{Adapter: cluster, Recovery: &socketio.Recovery{Window: 2 * time.Minute}})
	defer io.Close()
	if err := io.Ready(context.Background()); err != nil { // JetStream may not be enabled
		log.Fatal(err)
	}
	fmt.Println("events are kept")
	// Output:
	// events are kept
}
