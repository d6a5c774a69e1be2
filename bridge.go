package socketio

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio/internal/bridge"
)

func init() {
	bridge.Observe = func(server any, o bridge.Observer) {
		server.(*Server).observed.add(o) //nolint:forcetypeassert // it is no other
	}
	bridge.Running = func(server any) []string {
		return server.(*Server).running() //nolint:forcetypeassert // it is no other
	}
}

// An observation is what package socketiotest sees of a server. It is off until an
// observer is added.
type observation struct {
	on atomic.Bool

	mu        sync.Mutex // guards the following
	observers []bridge.Observer
	conns     map[*conn]struct{} // those that may run handlers
}

func (o *observation) add(observer bridge.Observer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.observers = append(o.observers, observer)
	if o.conns == nil {
		o.conns = make(map[*conn]struct{})
	}
	o.on.Store(true)
}

// opened notes a connection.
func (o *observation) opened(c *conn) {
	if !o.on.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conns[c] = struct{}{}
}

func (o *observation) list() []bridge.Observer {
	if !o.on.Load() {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.observers[:len(o.observers):len(o.observers)]
}

func (o *observation) reported(err error) {
	for _, observer := range o.list() {
		observer.Error(err)
	}
}

func (o *observation) unhandled(event string) {
	for _, observer := range o.list() {
		observer.Unhandled(event)
	}
}

// running describes the handlers that run or wait.
func (srv *Server) running() (list []string) {
	o := &srv.observed
	o.mu.Lock()
	conns := make([]*conn, 0, len(o.conns))
	for c := range o.conns {
		conns = append(conns, c)
	}
	o.mu.Unlock()
	for _, c := range conns {
		handlers, over := c.handlers()
		list = append(list, handlers...)
		if over {
			o.mu.Lock()
			delete(o.conns, c)
			o.mu.Unlock()
		}
	}
	for n := range srv.Namespaces() {
		if n.cluster != nil && n.cluster.handling() {
			list = append(list, fmt.Sprintf("a handler of a server-side event, namespace %q", n.name))
		}
	}
	return list
}

// handlers describes the handlers of c that run or wait. over means that there will
// be no more.
func (c *conn) handlers() (list []string, over bool) {
	for _, s := range c.busySockets() {
		list = append(list, s.handlerRunning())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := int(c.undrained) - len(c.sockets); n > 0 {
		list = append(list, fmt.Sprintf("handlers of %d sockets that have disconnected", n))
	}
	return list, c.ended && c.undrained == 0
}

// handlerRunning describes the handler that s runs.
func (s *Socket) handlerRunning() string {
	e := newStuckError(s, time.Time{})
	return fmt.Sprintf("event %q of socket %s in %q: %s", e.Event, s.logID(), s.ns.name, e.Handler)
}

// handling reports whether a handler of a server-side event runs.
func (cn *clusterNamespace) handling() bool {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.busy
}
