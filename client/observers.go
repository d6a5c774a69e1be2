package client

import "github.com/socketio-go/socketio"

// A Joined says how a namespace was joined.
type Joined struct {
	ID        string
	Recovered bool // see [Socket.Recovered]
	First     bool // the first time since the client was made
}

// OnConnect adds a function that runs each time that the namespace has been
// joined, before the handlers of its events, and returns what removes it.
func (s *Socket) OnConnect(fn func(Joined)) (off func()) {
	return addTo(s, &s.handlers.connect, fn)
}

// OnDisconnect adds a function that runs each time that the namespace has been
// left or the connection was lost, after the handlers of what came before, and
// returns what removes it.
func (s *Socket) OnDisconnect(fn func(socketio.Reason)) (off func()) {
	return addTo(s, &s.handlers.disconnect, fn)
}

// OnAny adds a function that is told of every event before its handlers, and
// returns what removes it.
func (s *Socket) OnAny(fn func(event string, args socketio.Args)) (off func()) {
	return addTo(s, &s.handlers.any, fn)
}

// HasHandlers reports whether functions are registered for an event with On.
func (s *Socket) HasHandlers(event string) bool {
	list, _ := s.handlers.of(event)
	return len(list) > 0
}

func addTo[F any](s *Socket, list *[]*F, fn F) (off func()) {
	p := &fn
	s.handlers.mu.Lock()
	defer s.handlers.mu.Unlock()
	*list = append((*list)[:len(*list):len(*list)], p)
	return func() {
		s.handlers.mu.Lock()
		defer s.handlers.mu.Unlock()
		*list = without(*list, p)
	}
}

func (s *Socket) connected(j Joined) {
	s.handlers.mu.Lock()
	list := s.handlers.connect
	s.handlers.mu.Unlock()
	for _, fn := range list {
		s.client.guard(s, "connect", func() { (*fn)(j) })
	}
}

func (s *Socket) disconnected(reason socketio.Reason) {
	s.handlers.mu.Lock()
	list := s.handlers.disconnect
	s.handlers.mu.Unlock()
	for _, fn := range list {
		s.client.guard(s, "disconnect", func() { (*fn)(reason) })
	}
}
