package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/socketio-go/socketio/adapter"
)

// A logReader is a member with a log. It implements [adapter.LogBus].
type logReader struct {
	*member
	jetStream   *jetStream
	unconfirmed unconfirmed
	sessions    sessions

	positionKnown chan struct{} // closed when the first position is known
	readerDone    chan struct{} // closed when read has returned
	changed       chan struct{} // the connection has changed

	mu      sync.Mutex // guards the following
	restart func()     // ends the session, so that read starts another

	// The following are used by the reader only.
	base          int64  // of the stream
	last          uint64 // the last entry that was read
	lastPublished int64  // the last position that was delivered to the host
	assembler
}

var _ adapter.LogBus = (*logReader)(nil)

func newLogReader(s *member, j *jetStream) *logReader {
	r := &logReader{
		member:        s,
		jetStream:     j,
		positionKnown: make(chan struct{}),
		readerDone:    make(chan struct{}),
		changed:       make(chan struct{}, 1),
	}
	r.unconfirmed.member = s
	r.sessions.log = r
	s.inbox.order.logs = true
	s.log = r
	return r
}

// wake restarts the reader, since the connection has changed.
func (r *logReader) wake() {
	r.mu.Lock()
	interrupt := r.restart
	r.mu.Unlock()
	if interrupt != nil {
		interrupt()
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// flushed waits until everything that was appended and saved is on the bus, unless the
// log can't be read.
func (r *logReader) flushed(ctx context.Context) error {
	if err := r.unconfirmed.flushed(ctx); err != nil {
		return err
	}
	return r.sessions.flushed(ctx)
}

// end waits until nothing runs any more. The member's ctx has ended.
func (r *logReader) end(reason error) {
	<-r.readerDone
	lost := r.unconfirmed.end() + r.sessions.end()
	if lost == 0 {
		return
	}
	if reason == nil {
		reason = errLog
	}
	r.host.Lost(lost, reason)
}

const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// read reads the log until the member leaves.
func (r *logReader) read() {
	defer close(r.readerDone)
	pause := firstPause
	for {
		err := r.session()
		if r.ctx.Err() != nil {
			return
		}
		if err != nil {
			r.notifyReadable(err)
		} else {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, lastPause)
		case <-r.changed:
		case <-r.ctx.Done():
			return
		}
	}
}

// notifyReadable reports whether the log can be read.
func (r *logReader) notifyReadable(err error) {
	if isPermanent(err) {
		err = fmt.Errorf("socketio: nats: recovery needs JetStream: %w", err)
	}
	r.setCondition(logging, err)
}

const (
	readAhead = 500         // messages
	heartbeat = time.Second // of the stream's consumer
)

var (
	errDropped = errors.New("socketio: nats: events were dropped from the stream before they were read")
	errSkipped = errors.New("socketio: nats: JetStream has skipped messages")
)

// session reads until that fails, or the connection has changed.
func (r *logReader) session() error {
	select {
	case <-r.outbox.opened: // the others know this member before they read its entries
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	if err := r.a.connected(r.ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	r.mu.Lock()
	r.restart = cancel
	r.mu.Unlock()
	stream, err := r.jetStream.stream(ctx)
	if err != nil {
		return err
	}
	if err := r.begin(stream.CachedInfo()); err != nil {
		return err
	}
	consumer, messages, err := r.jetStream.consume(ctx, stream, r.prefix+logSub, r.last+1)
	if err != nil {
		return err
	}
	defer r.jetStream.deleteConsumer(stream, consumer)
	defer messages.Stop()
	r.notifyReadable(nil)

	defer context.AfterFunc(ctx, messages.Stop)()

	for next := uint64(1); ; next++ {
		m, err := messages.Next(jetstream.NextMaxWait(r.a.opts.HeartbeatInterval))
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, natsgo.ErrTimeout) {
			if err := r.catchUp(ctx, stream); err != nil {
				return err
			}
			next--
			continue
		}
		if err != nil {
			return err
		}
		at, err := m.Metadata()
		if err != nil {
			return err
		}
		if at.Sequence.Consumer != next {
			return errSkipped
		}
		if err := r.receive(at.Sequence.Stream, m.Data()); err != nil {
			return err
		}
	}
}

// begin finds the entry to continue after.
func (r *logReader) begin(info *jetstream.StreamInfo) error {
	base := baseOf(info)
	switch {
	case r.base == 0:
		r.base, r.last = base, info.State.LastSeq
		if err := r.publishPosition(r.last); err != nil {
			r.base = 0
			return err
		}
		r.unconfirmed.begin()
		close(r.positionKnown)
	case base != r.base:
		r.base, r.last = base, 0
		r.parts = nil
		r.host.Lost(0, fmt.Errorf("%w: the stream was recreated", errDropped))
	case info.State.LastSeq > r.last && info.State.FirstSeq > r.last+1:
		r.host.Lost(0, errDropped)
	}
	return nil
}

// consume starts to read a subject of the stream.
func (j *jetStream) consume(ctx context.Context, stream jetstream.Stream, subject string, from uint64) (jetstream.Consumer, jetstream.MessagesContext, error) {
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       from,
		FilterSubject:     subject,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: 30 * time.Second, // after which JetStream deletes it, if deleteConsumer fails
	})
	if err != nil {
		return nil, nil, fmt.Errorf("socketio: nats: reading stream %q: %w", j.opts.Stream, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead),
		jetstream.PullHeartbeat(heartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		j.deleteConsumer(stream, consumer)
		return nil, nil, fmt.Errorf("socketio: nats: reading stream %q: %w", j.opts.Stream, err)
	}
	return consumer, messages, nil
}

// deleteConsumer deletes a consumer, if the connection is there.
func (j *jetStream) deleteConsumer(stream jetstream.Stream, consumer jetstream.Consumer) {
	if !j.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = stream.DeleteConsumer(ctx, consumer.CachedInfo().Name) // otherwise InactiveThreshold ends it
}

// catchUp delivers the end of the log as position while the namespace is quiet.
func (r *logReader) catchUp(ctx context.Context, stream jetstream.Stream) error {
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	if baseOf(info) != r.base {
		return errDropped
	}
	if r.base+int64(info.State.LastSeq) <= r.lastPublished {
		return nil
	}
	end, err := newest(ctx, stream, r.prefix+logSub)
	if err != nil || end > r.last {
		return err // or the entry will arrive
	}
	return r.publishPosition(info.State.LastSeq)
}

// newest returns the sequence number of the last message of a subject, or 0.
func newest(ctx context.Context, stream jetstream.Stream, subject string) (uint64, error) {
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}

func (r *logReader) publishPosition(number uint64) error {
	return r.deliver(delivery{head{kind: kindPosition}, r.base + int64(number)})
}

// deliver queues what was read. It fails only when the member leaves.
func (r *logReader) deliver(d delivery) error {
	if err := r.inbox.read(r.ctx, d); err != nil {
		return err
	}
	r.lastPublished = d.position
	return nil
}

// receive handles a message of the log.
func (r *logReader) receive(number uint64, data []byte) error {
	d := delivery{position: r.base + int64(number)}
	what, missing, err := r.assemble(data, r.inbox.limit)
	d.head = what.head
	own := string(d.sender) == r.id
	switch {
	case errors.Is(err, errParts):
		r.host.Lost(1, err)
	case err != nil:
		r.host.Malformed(err)
	case missing > 0 && !own:
		r.host.Lost(missing, errSkipped)
	}
	if own && what.whole && !r.unconfirmed.returned(d.number, d.position) || !what.event() {
		d.kind = kindPosition
	}
	r.last = number
	return r.deliver(d)
}
