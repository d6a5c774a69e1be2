package nats

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/socketio-go/socketio/adapter"
)

// Position implements [adapter.LogBus].
func (r *logReader) Position(offset string) (int64, bool) {
	position, err := strconv.ParseInt(offset, 36, 64)
	return position, err == nil && position >= 0 && r.Offset(position) == offset
}

// Offset implements [adapter.LogBus]. Positions differ between streams, so offsets do.
func (r *logReader) Offset(position int64) string { return strconv.FormatInt(position, 36) }

// ReadAfter implements [adapter.LogBus].
func (r *logReader) ReadAfter(ctx context.Context, position int64) ([]*adapter.Message, error) {
	if !r.unconfirmed.complete() {
		return nil, fmt.Errorf("socketio: nats: events are not in the stream: %w", adapter.ErrEvicted)
	}
	stream, err := r.jetStream.stream(ctx)
	if err != nil {
		return nil, err
	}
	from, err := locate(stream.CachedInfo(), position)
	if err != nil {
		return nil, err
	}
	end, err := newest(ctx, stream, r.prefix+logSub)
	if err != nil {
		return nil, fmt.Errorf("socketio: nats: reading stream %q: %w", r.jetStream.opts.Stream, err)
	}
	var list []*adapter.Message
	if end > from {
		if list, err = r.between(ctx, stream, position-int64(from), from, end); err != nil {
			return nil, err
		}
	}
	// If nothing is evicted now, nothing behind the position was evicted while it was
	// read.
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("socketio: nats: stream %q: %w", r.jetStream.opts.Stream, err)
	}
	if _, err = locate(info, position); err != nil {
		return nil, err
	}
	return list, nil
}

// locate returns the sequence number of a position, if everything behind it is in the
// stream.
func locate(info *jetstream.StreamInfo, position int64) (number uint64, err error) {
	at := position - baseOf(info)
	if at < 0 || uint64(at) > info.State.LastSeq || info.State.FirstSeq > uint64(at)+1 {
		return 0, adapter.ErrEvicted
	}
	return uint64(at), nil
}

// between returns the events after one message of the stream, up to another one that
// exists.
func (r *logReader) between(ctx context.Context, stream jetstream.Stream, base int64, from, end uint64) (list []*adapter.Message, err error) {
	consumer, messages, err := r.jetStream.consume(ctx, stream, r.prefix+logSub, from+1)
	if err != nil {
		return nil, err
	}
	defer r.jetStream.deleteConsumer(stream, consumer)
	defer messages.Stop()
	var u assembler
	for number, next := uint64(0), uint64(1); number < end; next++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("socketio: nats: reading stream %q: %w", r.jetStream.opts.Stream, err)
		}
		at, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		if at.Sequence.Consumer != next {
			return nil, fmt.Errorf("%w: %w", adapter.ErrEvicted, errSkipped)
		}
		if number = at.Sequence.Stream; number > end {
			break
		}
		what, missing, err := u.assemble(m.Data(), r.inbox.limit)
		switch {
		case err == errParts, missing > 0, what.whole && what.kind == kindGap:
			return nil, fmt.Errorf("socketio: nats: events are not in the stream: %w", adapter.ErrEvicted)
		case err != nil, !what.event():
			continue // the reader of the log counts it
		}
		var d decoder
		if msg, err := d.decode(what.head); err == nil {
			msg.Position, msg.Seq = base+int64(number), 0
			list = append(list, msg)
		}
	}
	return list, nil
}
