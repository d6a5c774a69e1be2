package main

import (
	"context"
	"log"
	"sync"

	"github.com/socketio-go/socketio/client"
	"github.com/socketio-go/socketio/examples/shared/stock"
)

// A shop takes items from the warehouse, and knows what it has taken.
type shop struct {
	c   *client.Client
	out *log.Logger

	mu    sync.Mutex // guards the following
	taken map[string]int
}

func newShop(url, name string, out *log.Logger, opts *client.Options) (*shop, error) {
	c, err := client.New(url, options(opts, name))
	if err != nil {
		return nil, err
	}
	s := &shop{c: c, out: out, taken: make(map[string]int)}
	client.Handle(c, stock.Count, s.count)
	client.On(c, stock.Changed, s.changed)
	return s, nil
}

// take takes an order out of the warehouse. While the connection is lost it waits
// for the next one, as long as ctx allows.
func (s *shop) take(ctx context.Context, o stock.Order) error {
	level, err := stock.Take.Do(ctx, s.c, o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[o.Item] += o.Pieces
	s.out.Printf("took %d of %s, %d are left", o.Pieces, level.Item, level.Left)
	return nil
}

// count is the handler of stock.Count: the warehouse waits for its result.
func (s *shop) count(_ context.Context, item string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken[item], nil
}

func (s *shop) changed(_ context.Context, level stock.Level) error {
	s.out.Printf("%d of %s are left", level.Left, level.Item)
	return nil
}
