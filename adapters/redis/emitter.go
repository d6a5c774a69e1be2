package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/internal/sio"
)

// An Emitter emits to the clients of a cluster from a program that is no server of
// it: a worker, a job, a command. It describes which sockets are meant and how, as
// [socketio.Emitter] does, and is an immutable value that may be kept, shared
// and used concurrently.
//
// Its methods that take a context wait until Redis has the message, not until
// anybody has received it; nobody answers.
type Emitter struct {
	client    rueidis.Client
	format    format
	namespace string
	m         adapter.Message // whom and how; its lists are not changed
	limited   bool            // To was called: only rooms are meant, even if there are none
}

// A format makes the command that sends a message.
type format func(namespace string, m *adapter.Message) (rueidis.Completed, error)

// EmitterOptions of [NewEmitter].
type EmitterOptions struct {
	// Prefix is that of the servers. The default is [DefaultPrefix].
	Prefix string
}

// NewEmitter returns an Emitter for a cluster of [New], in the format of
// @socket.io/redis-emitter 5. It means all sockets of the namespace "/".
func NewEmitter(client rueidis.Client, opts *EmitterOptions) Emitter {
	key := DefaultPrefix
	if opts != nil && opts.Prefix != "" {
		key = opts.Prefix
	}
	return Emitter{client: client, namespace: "/", format: func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		c := classic{key, namespace}
		uid := ""
		if m.Kind == adapter.Broadcast || m.Kind == adapter.Emit {
			uid = adapter.ExternalSender
		}
		w := newWriter(m, classicPacks(m))
		w.classic(m, uid, "", namespace)
		return client.B().Publish().Channel(c.channelFor(m)).Message(rueidis.BinaryString(w.b)).Build(), w.err
	}}
}

// NewShardedEmitter returns an Emitter for a cluster of [NewSharded], whose
// servers have the same opts.
func NewShardedEmitter(client rueidis.Client, opts *ShardedOptions) Emitter {
	o := opts.withDefaults()
	return Emitter{client: client, namespace: "/", format: func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		w := newWriter(m, len(m.Binary) > 0)
		w.envelope(m, adapter.ExternalSender, namespace)
		channel := channelsOf(o.Prefix, namespace).forRequest(m, o.SubscriptionMode)
		return client.B().Spublish().Channel(channel).Message(rueidis.BinaryString(w.b)).Build(), w.err
	}}
}

// NewStreamsEmitter returns an Emitter for a cluster of [NewStreams], whose
// servers have the same opts, in the format of @socket.io/redis-streams-emitter.
func NewStreamsEmitter(client rueidis.Client, opts *StreamsOptions) Emitter {
	var o StreamsOptions
	if opts != nil {
		o = *opts
	}
	o.setDefaults()
	return Emitter{client: client, namespace: "/", format: func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		e := entry{
			key: streamKey(o.StreamName, o.StreamCount, namespace), maxLen: strconv.Itoa(o.MaxLen),
			uid: adapter.ExternalSender, nsp: namespace,
		}
		c, err := e.command(client, m)
		return c.cmd, err
	}}
}

// Of means the sockets of another namespace instead.
func (e Emitter) Of(namespace string) Emitter {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	e.namespace = namespace
	return e
}

// To means the sockets in any of the rooms, besides those of rooms named before.
// With an empty list, and no room named before or after, it means no socket, and
// nothing is sent.
func (e Emitter) To(rooms ...string) Emitter {
	e.limited = true
	e.m.Rooms = slices.Concat(e.m.Rooms, rooms)
	return e
}

// Except leaves out the sockets in any of the rooms. A socket's ID is a room.
func (e Emitter) Except(rooms ...string) Emitter {
	e.m.Except = slices.Concat(e.m.Except, rooms)
	return e
}

// Volatile makes events be dropped for clients that are not ready to receive
// them.
func (e Emitter) Volatile() Emitter {
	e.m.Volatile = true
	return e
}

// Compress says whether events are compressed, where servers and clients are able to.
func (e Emitter) Compress(on bool) Emitter {
	e.m.Compress = adapter.CompressNever
	if on {
		e.m.Compress = adapter.CompressAlways
	}
	return e
}

// Emit sends an event to the sockets. The arguments are those of
// [socketio.Emitter.Emit]. The error is [socketio.ErrReserved] for a reserved
// name, says which argument can't be encoded, or comes from Redis.
func (e Emitter) Emit(ctx context.Context, event string, args ...any) error {
	if sio.Reserved(event) {
		return fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	return e.emit(ctx, adapter.Broadcast, event, args)
}

// ServerSideEmit sends an event to all servers that have the namespace; rooms do not
// matter. The errors are those of Emit.
func (e Emitter) ServerSideEmit(ctx context.Context, event string, args ...any) error {
	switch event {
	case "connect", "connection", "new_namespace", "error": // the last ends Node servers that do not handle it
		return fmt.Errorf("%w %q", socketio.ErrReserved, event)
	}
	return e.emit(ctx, adapter.Emit, event, args)
}

func (e Emitter) emit(ctx context.Context, kind adapter.Kind, event string, args []any) error {
	a, err := socketio.EncodeArgs(args...)
	if err != nil {
		return err
	}
	e.m.Kind, e.m.Binary = kind, a.Binary()
	e.m.Data = append(sio.AppendString([]byte{'['}, event), ',')
	for i := range a.Len() {
		e.m.Data = append(append(e.m.Data, a.Raw(i)...), ',')
	}
	e.m.Data[len(e.m.Data)-1] = ']'
	return e.send(ctx)
}

// Join makes the sockets enter rooms.
func (e Emitter) Join(ctx context.Context, rooms ...string) error {
	e.m.Kind, e.m.Targets = adapter.Join, rooms
	return e.send(ctx)
}

// Leave makes the sockets leave rooms.
func (e Emitter) Leave(ctx context.Context, rooms ...string) error {
	e.m.Kind, e.m.Targets = adapter.Leave, rooms
	return e.send(ctx)
}

// Disconnect makes the sockets leave the namespace.
func (e Emitter) Disconnect(ctx context.Context) error {
	e.m.Kind = adapter.Disconnect
	return e.send(ctx)
}

// CloseConnections closes the connections of the sockets.
func (e Emitter) CloseConnections(ctx context.Context) error {
	e.m.Kind, e.m.Close = adapter.Disconnect, true
	return e.send(ctx)
}

// Reconnect closes the connections of the sockets so that their clients come back
// by themselves. Servers of Node.js ignore it.
func (e Emitter) Reconnect(ctx context.Context) error {
	e.m.Kind = adapter.Reconnect
	return e.send(ctx)
}

func (e Emitter) send(ctx context.Context) error {
	if e.limited && len(e.m.Rooms) == 0 && e.m.Kind != adapter.Emit {
		return ctx.Err()
	}
	cmd, err := e.format(e.namespace, &e.m)
	if err == nil {
		err = e.client.Do(ctx, cmd).Error()
	}
	if err != nil {
		return fmt.Errorf("socketio: redis: emitting: %w", err)
	}
	return nil
}
