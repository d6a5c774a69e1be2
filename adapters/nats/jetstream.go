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

// JetStreamOptions configures an [Adapter] that keeps events in JetStream. The
// zero value of every field means its default. All servers of a cluster have the
// same: the last to start decides.
type JetStreamOptions struct {
	Options
	// Stream is the name of the stream, which is created when it is missing and
	// updated when a server starts; that of the bucket with the sessions begins
	// with it. Empty means Prefix, with "_" for what a name can't have.
	Stream string
	// MaxAge is how long events are kept, and sessions at most. It should be more than
	// the Window of recovery. Zero means 10 minutes.
	MaxAge time.Duration
	// MaxBytes bounds the stream. JetStream reserves that much. Zero means 256 MiB.
	MaxBytes int64
	// MaxMsgs bounds the events in the stream. Zero means no bound.
	MaxMsgs int64
	// Replicas is how many NATS servers keep the stream. Zero means 1.
	Replicas int
	// Memory keeps the stream and the sessions in the NATS server's memory instead of
	// its disk.
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

// NewJetStream is [New] for servers with Options.Recovery, whose clients recover
// their sessions on whatever server they come back to. Events that can be
// recovered go through a stream of JetStream, volatile ones, those that ask for
// answers and everything else do not. Sessions are kept in a bucket. It needs JetStream;
// where that is not enabled, Ready says so.
//
// An event is on its way to the clients of the same server, too, when it is
// read from the stream. When JetStream does not take it within a second they get it
// all the same, and it is tried for a while to hand it to the others; who
// was cut off across such a gap gets a new session.
//
// Servers with an adapter of New and of NewJetStream don't belong into one
// cluster. What an [Emitter] emits is delivered, but not recovered.
func NewJetStream(conn *natsgo.Conn, opts *JetStreamOptions) *Adapter {
	o := opts.withDefaults()
	js, err := jetstream.New(conn)
	if err != nil { // of options, and there are none
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
	made atomic.Bool // the stream and the bucket have been there
	kv   atomic.Pointer[jetstream.KeyValue]
	// How long a server waits for what it has recorded to come back from the log, in
	// nanoseconds.
	timeout atomic.Int64
}

// duplicates is how long JetStream knows which messages it has.
func (j *jetStream) duplicates() time.Duration { return min(2*time.Minute, j.opts.MaxAge) }

// stream returns the stream, with its present state, after it has made it if there
// is none.
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
		err = jetstream.ErrJetStreamNotEnabled // nobody else would respond
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

// isHopeless reports whether an error will not pass by itself.
func isPermanent(err error) bool {
	return errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// baseOf returns the position before the first of a stream. It grows faster than
// the numbers of messages, so that positions in a stream that was made anew are
// beyond those of the one before.
func baseOf(info *jetstream.StreamInfo) int64 { return info.Created.UnixMicro() }
