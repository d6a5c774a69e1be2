package main

import (
	"context"
	"log"
	"sync"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/examples/shared/stock"
)

// capacity is what the warehouse begins with.
var capacity = map[string]int{"apples": 100, "pears": 20}

// A warehouse knows what each shop has taken.
type warehouse struct {
	io  *socketio.Server
	out *log.Logger

	mu    sync.Mutex                // guards the following
	taken map[string]map[string]int // by shop and item
}

// name is the shop that a socket belongs to.
const name socketio.Key[string] = "name"

func newWarehouse(out *log.Logger) *warehouse {
	w := &warehouse{io: socketio.NewServer(nil), out: out, taken: make(map[string]map[string]int)}
	w.io.Use(w.admit)
	w.io.OnConnect(w.count)
	stock.Take.On(w.io, w.take)
	return w
}

func (w *warehouse) admit(_ context.Context, s *socketio.Socket) error {
	var shop stock.Shop
	if err := s.Handshake().Auth.Decode(&shop); err != nil || shop.Name == "" {
		return socketio.Errorf("a shop has a name")
	}
	name.Set(s, shop.Name)
	return nil
}

// count asks a shop what it has taken, and sends it the levels. It runs before the
// other handlers of the socket, and may wait.
func (w *warehouse) count(s *socketio.Socket) {
	shop, _ := name.Get(s)
	taken := make(map[string]int)
	for item := range capacity {
		pieces, err := stock.Count.Do(s.Context(), s, item)
		if err != nil {
			w.out.Printf("%s: %v", shop, err)
			s.Disconnect()
			return
		}
		taken[item] = pieces
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[shop] = taken
	for item := range capacity {
		stock.Changed.Emit(w.io, w.level(item))
	}
	w.out.Printf("%s has taken %v", shop, taken)
}

// take is the handler of stock.Take.
func (w *warehouse) take(_ context.Context, s *socketio.Socket, o stock.Order) (stock.Level, error) {
	shop, _ := name.Get(s)
	w.mu.Lock()
	defer w.mu.Unlock()
	level := w.level(o.Item)
	switch {
	case capacity[o.Item] == 0:
		return level, socketio.Errorf("there is no such item")
	case o.Pieces < 1 || o.Pieces > level.Left:
		return level, socketio.Errorf("%d of %s are left", level.Left, o.Item)
	}
	w.taken[shop][o.Item] += o.Pieces
	level.Left -= o.Pieces
	stock.Changed.Emit(w.io, level)
	return level, nil
}

// level returns how much of an item is left. w.mu is held.
func (w *warehouse) level(item string) stock.Level {
	left := capacity[item]
	for _, taken := range w.taken {
		left -= taken[item]
	}
	return stock.Level{Item: item, Left: left}
}
