package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStreamOptions configures an [Adapter] with a log in JetStream. The zero value of
// every field means its default. All servers of a cluster should have the same options:
// those of the last one to start are used.
type JetStreamOptions struct {
	Options
	// Stream is the name of the stream. It is created when it is missing, and updated
	// when a server starts. The bucket for sessions has the name with "_sessions"
	// appended. Empty means Prefix, with "_" for characters that a name can't have.
	Stream string
	// MaxAge is how long events are kept, and the longest time that sessions are. It
	// should be more than the Window of recovery. Zero means 10 minutes.
	MaxAge time.Duration
	// MaxBytes bounds the stream. JetStream reserves that much. Zero means 256 MiB.
	MaxBytes int64
	// MaxMsgs bounds the events in the stream. Zero means no bound.
	MaxMsgs int64
	// Replicas is the number of NATS servers that store the stream. Zero means 1.
	Replicas int
	// Memory stores the stream and the sessions in memory instead of on disk.
	Memory bool
}

func (o *JetStreamOptions) withDefaults() JetStreamOptions {
	var d JetStreamOptions
	if o != nil {
		d = *o
	}
	d.Options = d.Options.withDefaults()
	if d.Stream == "" {
		d.Stream = strings.Map(func(r rune) rune {
			if r < 0x80 && plain(byte(r)) {
				return r
			}
			return '_'
		}, d.Prefix)
	}
	if d.MaxAge == 0 {
		d.MaxAge = 10 * time.Minute
	}
	if d.MaxBytes == 0 {
		d.MaxBytes = 256 << 20
	}
	if d.MaxMsgs == 0 {
		d.MaxMsgs = -1
	}
	if d.Replicas == 0 {
		d.Replicas = 1
	}
	if strings.ContainsFunc(d.Stream, func(r rune) bool { return r >= 0x80 || !plain(byte(r)) }) {
		panic(`socketio: nats: JetStreamOptions.Stream may have letters, digits, "-" and "_" only`)
	}
	if d.MaxAge < time.Second || d.MaxBytes < 0 || d.MaxMsgs < -1 || d.Replicas < 0 {
		panic("socketio: nats: JetStreamOptions: a bound is negative, or MaxAge shorter than a second")
	}
	return d
}

// NewJetStream is [New] for servers with Options.Recovery: clients recover their
// sessions on any server. Events that can be recovered go through a stream of JetStream.
// Volatile events, events with acks and all other messages do not. Sessions are kept in
// a bucket. If JetStream is not enabled, Ready returns an error.
//
// An event reaches clients, those of the same server too, when it has been read from the
// stream. If JetStream does not accept it within a second, the clients of the same
// server get it directly, and the adapter keeps trying for a while to append it for the
// others. A client that was disconnected across such a gap gets a new session.
//
// Servers with adapters of New and of NewJetStream must not be in one cluster. Events of
// external senders are delivered, but not recovered.
func NewJetStream(conn *natsgo.Conn, opts *JetStreamOptions) *Adapter {
	o := opts.withDefaults()
	js, err := jetstream.New(conn)
	if err != nil { // it fails only for invalid options
		panic(err)
	}
	j := &jetStream{js: js, opts: o}
	j.timeout.Store(int64(appendTimeout))
	return newAdapter(conn, o.Options, j)
}

// A jetStream is the stream of all namespaces, and the bucket.
type jetStream struct {
	js   jetstream.JetStream
	opts JetStreamOptions
	made atomic.Bool // the stream and the bucket were found or created
	kv   atomic.Pointer[jetstream.KeyValue]
	// How long a server waits for its own events to come back from the log, in
	// nanoseconds.
	timeout atomic.Int64
}

// duplicates is how long JetStream recognizes a message that was sent again.
func (j *jetStream) duplicates() time.Duration { return min(2*time.Minute, j.opts.MaxAge) }

// stream returns the stream with its present state. It creates the stream if it is
// missing.
func (j *jetStream) stream(ctx context.Context) (jetstream.Stream, error) {
	if j.made.Load() {
		stream, err := j.js.Stream(ctx, j.opts.Stream)
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return stream, err
		}
	}
	storage := jetstream.FileStorage
	if j.opts.Memory {
		storage = jetstream.MemoryStorage
	}
	stream, err := j.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        j.opts.Stream,
		Description: "events of Socket.IO servers",
		Subjects:    []string{j.opts.Prefix + ".*." + logSub},
		Discard:     jetstream.DiscardOld,
		MaxAge:      j.opts.MaxAge,
		MaxBytes:    j.opts.MaxBytes,
		MaxMsgs:     j.opts.MaxMsgs,
		Replicas:    j.opts.Replicas,
		Storage:     storage,
		Duplicates:  j.duplicates(),
	})
	if errors.Is(err, natsgo.ErrNoResponders) {
		err = jetstream.ErrJetStreamNotEnabled // no other response is possible
	}
	if err != nil {
		return nil, fmt.Errorf("socketio: nats: making stream %q: %w", j.opts.Stream, err)
	}
	kv, err := j.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:      j.bucket(),
		Description: "sessions of Socket.IO clients that were cut off",
		TTL:         j.opts.MaxAge,
		Replicas:    j.opts.Replicas,
		Storage:     storage,
	})
	if err != nil {
		return nil, fmt.Errorf("socketio: nats: making bucket %q: %w", j.bucket(), err)
	}
	j.kv.Store(&kv)
	j.made.Store(true)
	return stream, nil
}

func (j *jetStream) bucket() string { return j.opts.Stream + "_sessions" }

// isPermanent reports whether an error will last until the configuration changes.
func isPermanent(err error) bool {
	return errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// baseOf returns the position before the first entry of a stream. It grows faster than
// sequence numbers, so positions in a recreated stream are greater than those in the
// earlier one.
func baseOf(info *jetstream.StreamInfo) int64 { return info.Created.UnixMicro() }
