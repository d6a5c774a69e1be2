package redis_test

import (
	"log"
	"net/http"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapters/redis"
)

func Example() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}})
	if err != nil {
		log.Println("Redis:", err)
		return
	}
	defer client.Close()
	cluster := redis.New(client, nil)
	defer cluster.Close()

	io := socketio.NewServer(&socketio.Options{Adapter: cluster})
	defer io.Close()
	io.On("chat", func(_ *socketio.Socket, text string) error {
		return io.To("lobby").Emit("chat", text) // on all servers
	})
	log.Println(http.ListenAndServe(":3000", io))
}

// A program that is not a server of the cluster emits to its clients.
func ExampleNewEmitter() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}})
	if err != nil {
		log.Println("Redis:", err)
		return
	}
	defer client.Close()
	news := redis.NewEmitter(client, nil).Of("/news").To("sports")
	if err := news.Emit("goal", map[string]int{"home": 1, "away": 0}); err != nil {
		log.Println("not emitted:", err)
	}
}
