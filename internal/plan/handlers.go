package plan

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A Handler is a compiled function of the application. Run decodes the arguments of a
// call of type C into the function's parameters, and calls the function.
type Handler[C any] struct {
	Event  string // set by Add
	Run    func(C) (results []any, err error)
	Result bool    // the function has a result, which is the ack
	Acks   bool    // the function has an AckFunc, which sends the ack
	PC     uintptr // of the function, for its name
}

// Handlers are the functions registered for events, in order of registration. Their
// methods may be called concurrently. The zero value has none.
type Handlers[C any] struct {
	mu     sync.Mutex // held while a new map is made
	events atomic.Pointer[map[string][]*Handler[C]]
}

// Add registers h and returns a function that removes it.
func (hs *Handlers[C]) Add(event string, h *Handler[C]) (off func()) {
	h.Event = event
	hs.change(event, func(list []*Handler[C]) []*Handler[C] { return append(slices.Clip(list), h) })
	return func() {
		hs.change(event, func(list []*Handler[C]) []*Handler[C] {
			return slices.DeleteFunc(slices.Clone(list), func(other *Handler[C]) bool { return other == h })
		})
	}
}

// change replaces the map, so that readers need no lock.
func (hs *Handlers[C]) change(event string, fn func([]*Handler[C]) []*Handler[C]) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	next := make(map[string][]*Handler[C])
	if old := hs.events.Load(); old != nil {
		maps.Copy(next, *old)
	}
	if list := fn(next[event]); len(list) > 0 {
		next[event] = list
	} else {
		delete(next, event)
	}
	hs.events.Store(&next)
}

// Of returns the handlers of an event. hs may be nil.
func (hs *Handlers[C]) Of(event []byte) []*Handler[C] {
	if hs == nil {
		return nil
	}
	events := hs.events.Load()
	if events == nil {
		return nil
	}
	return (*events)[string(event)]
}
