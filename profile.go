package socketio

import (
	"context"
	"runtime/pprof"
)

var _ Interceptor = ProfileLabels

// ProfileLabels is an [Interceptor] that labels the goroutine of a handler for the
// profiles of package runtime/pprof:
//
//	io.Intercept(socketio.ProfileLabels)
//
// "socketio.namespace" is the name of the namespace, or "_template" for a child of a
// template. "socketio.event" is the event, or "_other" if it has no handler, as clients
// choose such names. Goroutines that the handler starts have the labels too. It
// allocates for every event.
func ProfileLabels(ctx context.Context, s *Socket, m *Message, next Next) (results []any, err error) {
	namespace, event := s.ns.name, "_other"
	if s.ns.parent != nil {
		namespace = "_template"
	}
	if s.Handles(m.Event) {
		event = m.Event
	}
	pprof.Do(ctx, pprof.Labels("socketio.namespace", namespace, "socketio.event", event), func(ctx context.Context) {
		results, err = next(ctx, m)
	})
	return results, err
}
