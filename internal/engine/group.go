package engine

import (
	"context"
	"sync"
)

// A group counts goroutines and requests that must end before a server has
// shut down. Unlike a sync.WaitGroup it can be waited for with a context.
type group struct {
	mu   sync.Mutex // guards the following
	n    int
	zero chan struct{} // closed when n falls to zero; nil while there is no waiter
}

func (g *group) add() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}

func (g *group) done() {
	g.mu.Lock()
	g.n--
	if g.n == 0 && g.zero != nil {
		close(g.zero)
		g.zero = nil
	}
	g.mu.Unlock()
}

// wait returns once the group is empty, or when ctx ends with the number of
// members left.
func (g *group) wait(ctx context.Context) int {
	for {
		g.mu.Lock()
		n := g.n
		if n == 0 {
			g.mu.Unlock()
			return 0
		}
		if g.zero == nil {
			g.zero = make(chan struct{})
		}
		zero := g.zero
		g.mu.Unlock()
		select {
		case <-zero:
		case <-ctx.Done():
			return n
		}
	}
}
