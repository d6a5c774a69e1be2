// Command shop is a client of the warehouse. It takes a piece of an item every few
// seconds, and prints the levels.
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
	"github.com/socketio-go/socketio/examples/shared/stock"
)

func main() {
	url := flag.String("url", "http://localhost:3000", "`URL` of the warehouse")
	name := flag.String("name", "corner shop", "`name` of the shop")
	item := flag.String("item", "apples", "`item` to take")
	every := flag.Duration("every", 5*time.Second, "time between two orders")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := newShop(*url, *name, log.New(os.Stdout, "", 0), nil)
	if err != nil {
		log.Fatal(err)
	}
	err = s.sell(ctx, *item, *every)
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(err, s.c.Shutdown(grace)); err != nil && ctx.Err() == nil {
		log.Print(err)
	}
}

// sell takes a piece of an item at a time until ctx ends.
func (s *shop) sell(ctx context.Context, item string, every time.Duration) error {
	if err := s.c.Connect(ctx); err != nil {
		return err
	}
	for {
		if err := s.take(ctx, stock.Order{Item: item, Pieces: 1}); err != nil {
			s.out.Print(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// options completes those of a client.
func options(o *client.Options, name string) *client.Options {
	if o == nil {
		o = &client.Options{}
	}
	o.Auth = func(context.Context, string) (any, error) { return stock.Shop{Name: name}, nil }
	return o
}
