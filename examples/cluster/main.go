//go:build unix

// Command cluster is a chat on three servers: with one Redis behind them, which
// joins them, and one nginx before them, which spreads the clients. It starts all
// of them and stops them again.
//
// The README beside it explains the two recipes, with sticky sessions and without.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	c := cluster{out: log.New(os.Stdout, "", 0)}
	flag.StringVar(&c.addr, "addr", ":3000", "`address` for nginx to listen on")
	flag.BoolVar(&c.webSocketOnly, "websocket", false, "the recipe without sticky sessions: clients use WebSocket alone")
	flag.DurationVar(&c.down, "down", 5*time.Second, "how long a server that has crashed stays away")
	server := flag.String("server", "", "be the server of this `name`: how the program starts itself")
	dir := flag.String("dir", "", "the `directory` of the sockets, with -server")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	var err error
	if *server == "" {
		err = c.run(ctx)
	} else {
		err = serve(untilEOF(ctx, os.Stdin), *dir, *server, c.webSocketOnly)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// untilEOF returns a context that ends with r. That is how a server is stopped,
// also by the death of the program that has started it.
func untilEOF(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, r)
		cancel()
	}()
	return ctx
}
