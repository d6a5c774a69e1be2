package redis

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/rueidis"

	"github.com/socketio-go/socketio/adapter"
)

// readPage is how many entries are read at once to restore a session.
const readPage = 500

var (
	offsetFormat = regexp.MustCompile(`^[0-9]+-[0-9]+$`)
	errSession   = errors.New("socketio: redis: a malformed session")
)

// Position implements [adapter.LogBus].
func (m *streamsMember) Position(offset string) (int64, bool) {
	if !offsetFormat.MatchString(offset) {
		return 0, false
	}
	id, err := parseEntryID(offset)
	position := id.position()
	return position, err == nil && (position > 0 || id == entryID{})
}

// Offset implements [adapter.LogBus]. As in Node, it is the ID of the entry.
func (m *streamsMember) Offset(position int64) string { return entryAt(position).String() }

// SaveSession implements [adapter.LogBus]. Node servers can restore the session too.
func (m *streamsMember) SaveSession(s *adapter.Session, ttl time.Duration) error {
	w := writer{pack: true, binary: s.Binary}
	w.object(4 + count(s.State != nil))
	w.key("sid")
	w.text(s.ID)
	w.key("pid")
	w.text(s.PID)
	w.key("rooms")
	w.texts(s.Rooms)
	w.key("data")
	if len(s.Data) == 0 {
		w.object(0) // Node requires an object
	} else {
		w.value(s.Data)
	}
	if s.State != nil {
		w.key("state")
		w.text(string(s.State))
	}
	if w.err != nil {
		return fmt.Errorf("socketio: redis: session: %w", w.err)
	}
	key, value := m.sessionPrefix+s.PID, base64.StdEncoding.EncodeToString(w.b)
	cmd := m.bus.client.B().Set().Key(key).Value(value).PxMilliseconds(max(milliseconds(ttl), 1)).Build()
	return m.enqueue(command{cmd: cmd, size: len(key) + len(value), keyed: true})
}

// TakeSession implements [adapter.LogBus]. The command is queued behind the sessions
// that this server saves.
func (m *streamsMember) TakeSession(ctx context.Context, pid string) (*adapter.Session, error) {
	key := m.sessionPrefix + pid
	reply, err := m.request(ctx, m.bus.client.B().Getdel().Key(key).Build())
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("socketio: redis: taking a session: %w", err)
	}
	value, err := reply.ToString()
	if err != nil {
		return nil, fmt.Errorf("socketio: redis: taking a session: %w", err)
	}
	return decodeSession(value)
}

// request queues a command with a key, and waits for the reply. Other connections of the
// client may lead to a node that is not the master any more.
func (s *member) request(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	type result struct {
		reply rueidis.RedisMessage
		err   error
	}
	results := make(chan result, 1)
	err := s.enqueue(command{cmd: cmd, keyed: true, control: true, done: func(reply rueidis.RedisMessage, err error) {
		results <- result{reply, err}
	}})
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	select {
	case a := <-results:
		return a.reply, a.err
	case <-s.stopped:
		return rueidis.RedisMessage{}, adapter.ErrLeft
	case <-ctx.Done():
		return rueidis.RedisMessage{}, ctx.Err()
	}
}

func decodeSession(value string) (*adapter.Session, error) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSession, err)
	}
	s := new(adapter.Session)
	var data payload
	r := reader{b: raw, pack: true}
	for left := r.open(object); r.more(&left); {
		switch key := r.key(); {
		case r.null():
		case key == "sid":
			s.ID = r.text()
		case key == "pid":
			s.PID = r.text()
		case key == "rooms":
			s.Rooms = r.rooms(nil)
		case key == "data":
			if err := data.value(r.skip(), true); err != nil {
				r.fail(err)
			}
		case key == "state":
			s.State = []byte(r.text())
		default:
			r.skip()
		}
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("%w: %w", errSession, err)
	}
	s.Data, s.Binary = data.buf, data.binary
	return s, nil
}

// ReadAfter implements [adapter.LogBus]. Like session recovery in Node, it fails if the
// entry at the position was evicted.
func (m *streamsMember) ReadAfter(ctx context.Context, position int64) (list []*adapter.Message, err error) {
	if !m.unconfirmed.complete() {
		return nil, fmt.Errorf("socketio: redis: events are not in the stream: %w", adapter.ErrEvicted)
	}
	s := m.stream
	for from := entryAt(position); ; {
		reply, err := m.request(ctx, s.bus.client.B().Xrange().Key(s.key).Start("("+from.String()).End("+").Count(readPage).Build())
		if err != nil {
			return nil, fmt.Errorf("socketio: redis: reading %s: %w", s.key, err)
		}
		page, err := reply.AsXRange()
		if err != nil {
			return nil, fmt.Errorf("socketio: redis: reading %s: %w", s.key, err)
		}
		for _, e := range page {
			if from, err = parseEntryID(e.ID); err != nil {
				return nil, err
			}
			if e.FieldValues["nsp"] != m.nsp {
				continue
			}
			if e.FieldValues[gapField] != "" {
				return nil, fmt.Errorf("socketio: redis: events are not in the stream: %w", adapter.ErrEvicted)
			}
			if msg := m.decodeEvent(e.FieldValues); msg != nil && from.position() > 0 {
				msg.Position = from.position()
				list = append(list, msg)
			}
		}
		if len(page) < readPage {
			break
		}
	}
	// If the entry at the position is still there, none behind it was evicted while they
	// were read.
	reply, err := m.request(ctx, s.oldest())
	if err != nil {
		return nil, fmt.Errorf("socketio: redis: reading %s: %w", s.key, err)
	}
	oldest, err := firstEntry(reply)
	switch {
	case err != nil:
		return nil, err
	case oldest == entryID{}, oldest.compare(entryAt(position)) > 0:
		return nil, adapter.ErrEvicted
	}
	return list, nil
}

// decodeEvent decodes an entry. It returns nil if it is not an event.
func (m *streamsMember) decodeEvent(values map[string]string) *adapter.Message {
	d := streamsMember{nsp: m.nsp, decoder: decoder{nsp: m.nsp, wants: func(...string) bool { return true }}}
	msg, err := d.decode(values)
	if err != nil || msg == nil || msg.Kind != adapter.Broadcast || msg.ID != "" {
		return nil
	}
	return msg
}
