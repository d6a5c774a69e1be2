package socketio_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

// What a client misses while it is cut off is kept for it.
func ExampleRecovery() {
	io := socketio.NewServer(&socketio.Options{
		Recovery: &socketio.Recovery{Window: 2 * time.Minute},
	})
	gone := make(chan bool)
	io.OnConnect(func(s *socketio.Socket) {
		if s.Recovered() {
			fmt.Println("recovered, with", len(s.Rooms()), "rooms")
			return
		}
		s.Join("news")
		fmt.Println("new")
	})
	io.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
		fmt.Println(reason)
		gone <- true
	})

	host := exampleServe(io)
	client := host.returner()
	client.connect()
	io.To("news").Emit("headline", "first")
	fmt.Println(client.receive())

	client.close() // the network fails
	<-gone
	io.To("news").Emit("headline", "second")
	io.To("weather").Emit("headline", "for others")
	io.To("news").Emit("headline", "third")

	client.connect()
	fmt.Println(client.receive())
	fmt.Println(client.receive())
	client.close()
	<-gone
	host.close()
	// Output:
	// new
	// headline "first"
	// transport close
	// recovered, with 2 rooms
	// headline "second"
	// headline "third"
	// transport close
}

// An exampleReturner is a client that says where it was when it comes back, as
// the official one does.
type exampleReturner struct {
	*exampleClient

	host  *exampleHost
	place struct {
		PID    string `json:"pid,omitempty"`
		Offset string `json:"offset,omitempty"`
	}
}

func (h *exampleHost) returner() *exampleReturner { return &exampleReturner{host: h} }

func (r *exampleReturner) connect() {
	url := "ws" + strings.TrimPrefix(r.host.web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ws, response, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	var unread []string
	r.exampleClient = &exampleClient{exampleTransport: &exampleWebSocket{ws}, namespace: "/"}
	_, _, _ = r.read() // what opens the session
	claim, _ := json.Marshal(r.place)
	r.write("40"+string(claim), nil)
	for {
		data, _, err := r.read()
		if err != nil {
			panic(err)
		}
		if answer, ok := strings.CutPrefix(string(data), "40"); ok {
			if err := json.Unmarshal([]byte(answer), &r.place); err != nil {
				panic(err)
			}
			break
		}
		unread = append(unread, string(data)) // it was missed
	}
	for _, event := range unread {
		r.unread = append(r.unread, exampleEvent{text: r.take(exampleHeader.FindStringSubmatch(event)[4])})
	}
	const ready = "example ready" // answered when OnConnect has returned
	defer r.host.io.On(ready, func() {})()
	r.ask(ready)
}

// receive returns the next event.
func (r *exampleReturner) receive() string {
	if len(r.unread) > 0 {
		return r.exampleClient.receive()
	}
	data, _, err := r.read()
	if err != nil {
		return err.Error()
	}
	return r.take(exampleHeader.FindStringSubmatch(string(data))[4])
}

// take keeps the offset at the end of an event, and returns the rest.
func (r *exampleReturner) take(payload string) string {
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(payload), &args); err != nil {
		panic(err)
	}
	last := len(args) - 1
	if err := json.Unmarshal(args[last], &r.place.Offset); err != nil {
		panic(err)
	}
	rest, _ := json.Marshal(args[:last])
	return exampleShow(false, "", string(rest), nil).text
}
