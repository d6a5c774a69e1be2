package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/emitter"
)

// EmitterOptions of [NewEmitter].
type EmitterOptions struct {
	// Prefix is that of the servers. The default is [DefaultPrefix].
	Prefix string
}

// NewEmitter returns an Emitter for a cluster of [New], in the format of
// @socket.io/redis-emitter 5.
func NewEmitter(client rueidis.Client, opts *EmitterOptions) emitter.Emitter {
	return emitter.New(externalSender{client, classicFormat(client, opts)})
}

// NewShardedEmitter returns an Emitter for a cluster of [NewSharded], whose
// servers have the same opts.
func NewShardedEmitter(client rueidis.Client, opts *ShardedOptions) emitter.Emitter {
	return emitter.New(externalSender{client, shardedFormat(client, opts)})
}

// NewStreamsEmitter returns an Emitter for a cluster of [NewStreams], whose
// servers have the same opts, in the format of @socket.io/redis-streams-emitter.
func NewStreamsEmitter(client rueidis.Client, opts *StreamsOptions) emitter.Emitter {
	return emitter.New(externalSender{client, streamsFormat(client, opts)})
}

// An externalSender publishes for programs outside the cluster.
type externalSender struct {
	client rueidis.Client
	format format
}

// A format makes the command that sends a message.
type format func(namespace string, m *adapter.Message) (rueidis.Completed, error)

// Publish implements [emitter.Publisher].
func (s externalSender) Publish(ctx context.Context, namespace string, m *adapter.Message) error {
	cmd, err := s.format(namespace, m)
	if err == nil {
		err = s.client.Do(ctx, cmd).Error()
	}
	if err != nil {
		return fmt.Errorf("socketio: redis: emitting: %w", err)
	}
	return nil
}

func classicFormat(client rueidis.Client, opts *EmitterOptions) format {
	prefix := DefaultPrefix
	if opts != nil && opts.Prefix != "" {
		prefix = opts.Prefix
	}
	return func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		uid := ""
		if m.Kind == adapter.Broadcast || m.Kind == adapter.Emit {
			uid = adapter.ExternalSender
		}
		w := newWriter(m, classicPacks(m))
		w.classic(m, uid, "", namespace)
		channel := classic{prefix, namespace}.channelFor(m)
		return client.B().Publish().Channel(channel).Message(rueidis.BinaryString(w.b)).Build(), w.err
	}
}

func shardedFormat(client rueidis.Client, opts *ShardedOptions) format {
	o := opts.withDefaults()
	return func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		w := newWriter(m, len(m.Binary) > 0)
		w.envelope(m, adapter.ExternalSender, namespace)
		channel := channelsOf(o.Prefix, namespace).forRequest(m, o.SubscriptionMode)
		return client.B().Spublish().Channel(channel).Message(rueidis.BinaryString(w.b)).Build(), w.err
	}
}

func streamsFormat(client rueidis.Client, opts *StreamsOptions) format {
	var o StreamsOptions
	if opts != nil {
		o = *opts
	}
	o.setDefaults()
	return func(namespace string, m *adapter.Message) (rueidis.Completed, error) {
		e := entry{
			key: streamKey(o.StreamName, o.StreamCount, namespace), maxLen: strconv.Itoa(o.MaxLen),
			uid: adapter.ExternalSender, nsp: namespace,
		}
		c, err := e.command(client, m)
		return c.cmd, err
	}
}
