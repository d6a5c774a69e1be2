// Package emitter emits events to the clients of a cluster from a program that is
// not a server: a worker, a job, a command. The adapters make the emitters: see
// NewEmitter of adapters/redis and adapters/nats.
package emitter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/sio"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 5 * time.Second

// A Publisher sends messages to the servers of a cluster, for an [Emitter]. Its method
// may be called concurrently.
type Publisher interface {
	// Publish sends m to all servers that have the namespace, and waits until the bus
	// has it, or until ctx ends. m names neither a sender nor an ID, and must not be kept or
	// changed. ctx has a deadline.
	Publish(ctx context.Context, namespace string, m *adapter.Message) error
}

// An Emitter says which sockets an event is for and how it travels. Like
// [socketio.Emitter] it is an immutable value: every method returns a new one, so it
// may be kept, shared and used concurrently. It is a [socketio.Target]: typed events
// can be emitted to it. The zero value can't be used.
//
//	news := redis.NewEmitter(client, nil).Of("/news")
//	err := news.To("sports").Volatile().Emit("goal", minute)
//
// The methods that send wait until the bus has the message, and not until a server or
// a client has received it: there is no response. They end with their context, and
// after [DefaultTimeout] if it has no deadline. An error does not always mean
// that nothing was sent: a connection may break before the bus confirms a message.
type Emitter struct {
	publisher Publisher
	ctx       context.Context // for Emit and ServerSideEmit; nil means context.Background
	namespace string
	message   adapter.Message // receivers and modifiers; its lists are not changed
	roomsOnly bool            // To was called: without rooms there is no receiver
}

var _ socketio.Target = Emitter{}

// New returns an Emitter for all sockets of the namespace "/". Programs call the
// constructors of an adapter instead.
func New(p Publisher) Emitter { return Emitter{publisher: p, namespace: "/"} }

// WithContext sets the context of Emit and ServerSideEmit.
func (e Emitter) WithContext(ctx context.Context) Emitter {
	e.ctx = ctx
	return e
}

// Of chooses another namespace. The slash at its beginning may be left out.
func (e Emitter) Of(namespace string) Emitter {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	e.namespace = namespace
	return e
}

// To limits the receivers to the sockets in any of the rooms, besides those of rooms
// named by an earlier To. A socket in several of them receives the event once. An
// emitter whose To was given no room at all, such as To(list...) with an empty list,
// has no receiver, and sends nothing but events for servers.
func (e Emitter) To(rooms ...string) Emitter {
	e.roomsOnly = true
	e.message.Rooms = append(slices.Clip(e.message.Rooms), rooms...)
	return e
}

// Except removes the sockets in any of the rooms. The ID of a socket is a room.
func (e Emitter) Except(rooms ...string) Emitter {
	e.message.Except = append(slices.Clip(e.message.Except), rooms...)
	return e
}

// Volatile lets the event be dropped for clients that cannot take it at once.
func (e Emitter) Volatile() Emitter {
	e.message.Volatile = true
	return e
}

// Compress overrides whether the event is compressed for clients with which
// compression was negotiated.
func (e Emitter) Compress(on bool) Emitter {
	e.message.Compress = adapter.CompressNever
	if on {
		e.message.Compress = adapter.CompressAlways
	}
	return e
}

// Emit sends an event to the matching sockets. The arguments are those of
// [socketio.Emitter.Emit] without a callback. The error wraps [socketio.ErrReserved] for
// a reserved name, says which argument can't be encoded, or is that of the bus.
func (e Emitter) Emit(event string, args ...any) error {
	if sio.Reserved(event) {
		return fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	return e.emit(adapter.Broadcast, event, args)
}

// ServerSideEmit sends an event to all servers that have the namespace, whatever the
// rooms. Its errors are those of Emit.
func (e Emitter) ServerSideEmit(event string, args ...any) error {
	switch event {
	case "connect", "connection", "new_namespace", "error": // a Node server that does not handle "error" exits
		return fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	return e.emit(adapter.Emit, event, args)
}

func (e Emitter) emit(kind adapter.Kind, event string, args []any) error {
	encoded, err := socketio.EncodeArgs(args...)
	if err != nil {
		return fmt.Errorf("socketio: event %q: %w", event, err)
	}
	data := sio.AppendString([]byte{'['}, event)
	for i := range encoded.Len() {
		data = append(append(data, ','), encoded.Raw(i)...)
	}
	e.message.Data, e.message.Binary = append(data, ']'), encoded.Binary()
	ctx := e.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	return e.publish(ctx, kind)
}

// Join makes the matching sockets join rooms.
func (e Emitter) Join(ctx context.Context, rooms ...string) error {
	e.message.Targets = rooms
	return e.publish(ctx, adapter.Join)
}

// Leave makes the matching sockets leave rooms.
func (e Emitter) Leave(ctx context.Context, rooms ...string) error {
	e.message.Targets = rooms
	return e.publish(ctx, adapter.Leave)
}

// Disconnect disconnects the matching sockets from the namespace.
func (e Emitter) Disconnect(ctx context.Context) error {
	return e.publish(ctx, adapter.Disconnect)
}

// CloseConnections closes the connections of the matching sockets.
func (e Emitter) CloseConnections(ctx context.Context) error {
	e.message.Close = true
	return e.publish(ctx, adapter.Disconnect)
}

// Reconnect makes the clients of the matching sockets reconnect, as
// [socketio.Socket.Reconnect] does. Servers of Node.js ignore it.
func (e Emitter) Reconnect(ctx context.Context) error {
	return e.publish(ctx, adapter.Reconnect)
}

func (e Emitter) publish(ctx context.Context, kind adapter.Kind) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.roomsOnly && len(e.message.Rooms) == 0 && kind != adapter.Emit {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	e.message.Kind = kind
	return e.publisher.Publish(ctx, e.namespace, &e.message)
}
