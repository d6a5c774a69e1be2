package nats

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/sio"
)

// EmitterOptions configures an [Emitter]. The zero value of every field means
// its default.
type EmitterOptions struct {
	// Prefix is that of the cluster's adapters. Empty means "socketio".
	Prefix string
}

// An Emitter sends events to the clients of a cluster, from a program that
// serves none itself. It is an immutable value like [socketio.Emitter]: every
// method returns a new one, so it may be kept, shared and extended.
//
//	emitter := nats.NewEmitter(bus, nil)
//	emitter.Of("/news").To("sports").Emit("goal", minute)
//
// Its methods hand a message to the connection, whose Publish may wait for the
// network; nobody answers. Messages of one goroutine arrive in order. An error is
// that of the connection, or says what can't be encoded.
type Emitter struct {
	conn      *natsgo.Conn
	prefix    string
	sender    string
	namespace string
	message   adapter.Message // whom it is for, and how it travels
	limited   bool            // To was called: only rooms are meant, even if there are none
}

// NewEmitter returns an emitter for the namespace "/". A nil opts means the
// defaults. It panics if the prefix can't begin a subject.
func NewEmitter(conn *natsgo.Conn, opts *EmitterOptions) Emitter {
	var o Options
	if opts != nil {
		o.Prefix = opts.Prefix
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return Emitter{
		conn:      conn,
		prefix:    o.withDefaults().Prefix,
		sender:    emitterPrefix + hex.EncodeToString(id[:]),
		namespace: "/",
	}
}

// Of chooses a namespace. The slash at its beginning may be left out.
func (e Emitter) Of(namespace string) Emitter {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	e.namespace = namespace
	return e
}

// To limits what is meant to the sockets in any of the rooms, besides those of
// rooms named by an earlier To. A socket in several of them is meant once. With an
// empty list, and no room named before or after, no socket is meant, and nothing
// is sent.
func (e Emitter) To(rooms ...string) Emitter {
	e.limited = true
	e.message.Rooms = append(slices.Clip(e.message.Rooms), rooms...)
	return e
}

// Except leaves out the sockets in any of the rooms.
func (e Emitter) Except(rooms ...string) Emitter {
	e.message.Except = append(slices.Clip(e.message.Except), rooms...)
	return e
}

// Volatile lets the event be dropped for clients that cannot take it at once.
func (e Emitter) Volatile() Emitter {
	e.message.Volatile = true
	return e
}

// Compress says whether the event is to be compressed, where the servers compress
// at all.
func (e Emitter) Compress(on bool) Emitter {
	e.message.Compress = adapter.CompressNever
	if on {
		e.message.Compress = adapter.CompressAlways
	}
	return e
}

// Emit sends an event to the matching sockets. The arguments are those of
// [socketio.Emitter.Emit] less functions. The error wraps [socketio.ErrReserved] for
// a reserved name.
func (e Emitter) Emit(event string, args ...any) error {
	if sio.Reserved(event) {
		return fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	return e.event(adapter.Broadcast, event, args)
}

// ServerSideEmit sends an event to the servers themselves.
func (e Emitter) ServerSideEmit(event string, args ...any) error {
	return e.event(adapter.Emit, event, args)
}

// Join makes the matching sockets enter rooms.
func (e Emitter) Join(rooms ...string) error {
	e.message.Targets = rooms
	return e.publish(adapter.Join)
}

// Leave makes the matching sockets leave rooms.
func (e Emitter) Leave(rooms ...string) error {
	e.message.Targets = rooms
	return e.publish(adapter.Leave)
}

// Disconnect makes the matching sockets leave the namespace.
func (e Emitter) Disconnect() error { return e.publish(adapter.Disconnect) }

// CloseConnections disconnects the matching sockets with their connections.
func (e Emitter) CloseConnections() error {
	e.message.Close = true
	return e.publish(adapter.Disconnect)
}

// Reconnect closes the connections of the matching sockets so that their clients
// come back by themselves.
func (e Emitter) Reconnect() error { return e.publish(adapter.Reconnect) }

func (e Emitter) event(kind adapter.Kind, event string, args []any) error {
	encoded, err := socketio.EncodeArgs(slices.Concat([]any{event}, args)...)
	if err != nil {
		return fmt.Errorf("socketio: nats: event %q: %w", event, err)
	}
	for i := range encoded.Len() {
		e.message.Data = append(append(e.message.Data, ','), encoded.Raw(i)...)
	}
	e.message.Data[0] = '['
	e.message.Data = append(e.message.Data, ']')
	e.message.Binary = encoded.Binary()
	return e.publish(kind)
}

func (e Emitter) publish(kind adapter.Kind) error {
	if e.limited && len(e.message.Rooms) == 0 && kind != adapter.Emit {
		return nil
	}
	e.message.Kind = kind
	data, err := appendMessage(make([]byte, 0, messageSize(&e.message)), e.sender, barrier{}, &e.message)
	if err != nil {
		return err
	}
	if err := post(e.conn, subject(e.prefix, e.namespace, all), e.sender, 0, data); err != nil {
		return fmt.Errorf("socketio: nats: %w", err)
	}
	return nil
}
