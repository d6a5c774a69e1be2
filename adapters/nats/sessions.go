package nats

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/socketio-go/socketio/adapter"
)

// sessions are the sessions that are being saved to the bucket. A few goroutines do so.
// They exist while there is work.
type sessions struct {
	log     *logReader
	running sync.WaitGroup // the goroutines

	mu      sync.Mutex // guards the following
	queue   []*saving
	pending map[string]*saving // by key, including those that are being saved
	size    int64              // of the values in pending, in bytes
	busy    int                // the number of goroutines
	idle    chan struct{}      // closed when nothing is pending; nil if nothing waits for that
	lost    int
	ended   bool
}

type saving struct {
	key   string
	value []byte
	done  chan struct{} // closed when it was saved, or that has failed
}

const (
	maxSavers   = 16
	saveTimeout = 5 * time.Second
)

// A savedSession is a session in the bucket.
type savedSession struct {
	adapter.Session
	Expires time.Time
}

var (
	errGap     = errors.New("socketio: nats: no session is saved while events are not in the stream")
	errSession = errors.New("socketio: nats: a malformed session")
)

// sessionKey returns the key of a session. A private id that a client sends may be any
// text.
func sessionKey(pid string) string {
	sum := sha256.Sum256([]byte(pid))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SaveSession implements [adapter.LogBus].
func (r *logReader) SaveSession(s *adapter.Session, ttl time.Duration) error {
	if !r.unconfirmed.complete() {
		return errGap // the session would have to end before the gap
	}
	value, err := json.Marshal(savedSession{*s, time.Now().Add(ttl)})
	if err != nil {
		return fmt.Errorf("socketio: nats: session: %w", err)
	}
	if limit := r.a.conn.MaxPayload(); limit > 0 && int64(len(value)+headerSize) > limit {
		return fmt.Errorf("socketio: nats: a session of %d bytes is more than NATS allows", len(value))
	}
	q := &r.sessions
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended || r.outbox.hasLeft():
		return adapter.ErrLeft
	case q.size+int64(len(value)) > r.a.opts.MaxPending:
		return adapter.ErrBacklog
	}
	one := &saving{sessionKey(s.PID), value, make(chan struct{})}
	q.queue = append(q.queue, one)
	if q.pending == nil {
		q.pending = make(map[string]*saving)
	}
	q.pending[one.key] = one
	q.size += int64(len(value))
	if q.busy < maxSavers {
		q.busy++
		q.running.Go(q.work)
	}
	return nil
}

// work saves sessions until the queue is empty.
func (q *sessions) work() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.busy--
			if q.busy == 0 && q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.mu.Unlock()
			return
		}
		one := q.queue[0]
		q.queue = q.queue[1:]
		ended := q.ended
		q.mu.Unlock()
		err := adapter.ErrLeft
		if !ended {
			err = q.put(one)
		}
		q.mu.Lock()
		if q.pending[one.key] == one {
			delete(q.pending, one.key)
		}
		q.size -= int64(len(one.value))
		if err != nil {
			q.lost++
		}
		lost := q.lost
		if ended = q.log.ctx.Err() != nil; !ended {
			q.lost = 0
		}
		q.mu.Unlock()
		close(one.done)
		if lost > 0 && !ended {
			q.log.host.Lost(lost, err)
		}
	}
}

func (q *sessions) put(one *saving) error {
	ctx, cancel := context.WithTimeout(q.log.ctx, saveTimeout)
	defer cancel()
	kv, err := q.log.jetStream.keys(ctx)
	if err == nil {
		_, err = kv.Put(ctx, one.key, one.value)
	}
	if err != nil {
		return fmt.Errorf("socketio: nats: saving a session: %w", err)
	}
	return nil
}

// TakeSession implements [adapter.LogBus]. It waits until this server has saved that
// session.
func (r *logReader) TakeSession(ctx context.Context, pid string) (*adapter.Session, error) {
	key := sessionKey(pid)
	r.sessions.mu.Lock()
	one := r.sessions.pending[key]
	r.sessions.mu.Unlock()
	if one != nil {
		select {
		case <-one.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("socketio: nats: taking a session: %w", ctx.Err())
		}
	}
	value, err := r.jetStream.take(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("socketio: nats: taking a session: %w", err)
	}
	if value == nil {
		return nil, nil
	}
	var s savedSession
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", errSession, err)
	}
	if s.PID != pid || !time.Now().Before(s.Expires) {
		return nil, nil
	}
	return &s.Session, nil
}

// take removes the value of a key from the bucket, for one caller only.
func (j *jetStream) take(ctx context.Context, key string) ([]byte, error) {
	kv, err := j.keys(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = kv.Delete(ctx, key, jetstream.LastRevision(entry.Revision()))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return nil, nil // another server has taken it
	}
	if err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

// keys returns the bucket.
func (j *jetStream) keys(ctx context.Context) (jetstream.KeyValue, error) {
	if kv := j.kv.Load(); kv != nil {
		return *kv, nil
	}
	kv, err := j.js.KeyValue(ctx, j.bucket())
	if err == nil {
		j.kv.Store(&kv)
	}
	return kv, err
}

// flushed waits until no session is being saved.
func (q *sessions) flushed(ctx context.Context) error {
	q.mu.Lock()
	if q.busy == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	quiet := q.idle
	q.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end waits until nothing runs any more, and returns how many sessions were not saved.
// The member's ctx has ended.
func (q *sessions) end() (lost int) {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.running.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}
