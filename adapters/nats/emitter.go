package nats

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/emitter"
)

// EmitterOptions configures the Emitter of [NewEmitter].
type EmitterOptions struct {
	// Prefix is that of the cluster's adapters. Empty means "socketio".
	Prefix string
}

// NewEmitter returns an Emitter for a cluster of [New] or [NewJetStream]. Messages of
// one goroutine arrive in order. Each call waits until the NATS server has received
// the message; writing to the connection is bounded by its FlusherTimeout. A nil opts means the
// defaults. It panics if the prefix can't begin a subject.
func NewEmitter(conn *natsgo.Conn, opts *EmitterOptions) emitter.Emitter {
	var o Options
	if opts != nil {
		o.Prefix = opts.Prefix
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return emitter.New(externalSender{conn, o.withDefaults().Prefix, emitterPrefix + hex.EncodeToString(id[:])})
}

// An externalSender publishes for programs outside the cluster.
type externalSender struct {
	conn   *natsgo.Conn
	prefix string
	name   string
}

// Publish implements [emitter.Publisher].
func (s externalSender) Publish(ctx context.Context, namespace string, m *adapter.Message) error {
	data, err := appendMessage(make([]byte, 0, messageSize(m)), s.name, barrier{}, m)
	if err == nil {
		err = publishParts(s.conn, subject(s.prefix, namespace, broadcastSub), s.name, 0, data)
	}
	if err == nil {
		err = s.conn.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("socketio: nats: emitting: %w", err)
	}
	return nil
}
