package nats_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapters/nats"
)

// Two servers and an emitter share a NATS server, which is part of this program only to
// make the example complete.
func Example() {
	url, stop := startNATS()
	defer stop()

	start := func(name string) (io *socketio.Server, stop func()) {
		bus, err := natsgo.Connect(url, natsgo.MaxReconnects(-1), natsgo.FlusherTimeout(5*time.Second), natsgo.NoEcho())
		if err != nil {
			log.Fatal(err)
		}
		cluster := nats.New(bus, nil)
		io = socketio.NewServer(&socketio.Options{Adapter: cluster})
		io.OnServerSide("names", func() string { return name })
		if err := io.Ready(context.Background()); err != nil {
			log.Fatal(err)
		}
		return io, func() {
			io.Close()
			cluster.Close()
			bus.Close()
		}
	}
	first, stopFirst := start("first")
	defer stopFirst()
	second, stopSecond := start("second")
	defer stopSecond()

	received := make(chan string)
	second.OnServerSide("news", func(text string) { received <- text })
	if err := first.ServerSideEmit("news", "from the first server"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-received)

	bus, err := natsgo.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer bus.Close()
	if err := nats.NewEmitter(bus, nil).ServerSideEmit("news", "from a program that is not a server"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-received)
	// Output:
	// from the first server
	// from a program that is not a server
}

func startNATS() (url string, stop func()) {
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		log.Fatal(err)
	}
	srv.Start()
	srv.ReadyForConnections(time.Minute)
	return srv.ClientURL(), func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}
