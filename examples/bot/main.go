// Command bot joins the chat of examples/chat beside browsers, and answers when it
// is addressed. It comes back by itself when the server restarts.
//
//	go run ./examples/chat
//	go run ./examples/bot -name Robin -room lobby
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/socketio-go/socketio/client"
)

func main() {
	url := flag.String("url", "http://localhost:3000", "`URL` of the chat")
	name := flag.String("name", "Robin", "`name` of the bot")
	room := flag.String("room", "lobby", "`room` to join")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bot{name: *name, room: *room, out: log.New(os.Stdout, "", 0), now: time.Now}
	if err := b.run(ctx, *url, nil); err != nil {
		log.Fatal(err)
	}
}

// run chats until ctx ends, or the chat refuses the bot.
func (b *bot) run(ctx context.Context, url string, opts *client.Options) error {
	c, err := client.New(url, opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.open(c, cancel)

	// Connect tries again until the server is there. Later the client comes back by
	// itself.
	err = c.Connect(ctx)
	if err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	if errors.Is(err, context.Canceled) { // Ctrl-C
		err = nil
	}
	grace, end := context.WithTimeout(context.Background(), 5*time.Second)
	defer end()
	return errors.Join(err, c.Shutdown(grace))
}
