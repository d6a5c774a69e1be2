package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// silence is how much longer than BlockTime Redis may take to answer.
const silence = 5 * time.Second

var errTrimmed = errors.New("socketio: redis: entries of the stream were dropped before they were read")

// A stream is read by one goroutine for the seats of all its namespaces.
type stream struct {
	bus     *bus
	key     string
	options StreamsOptions
	opened  chan struct{} // closed when the first position is known

	// The reader's own.
	conn   rueidis.DedicatedClient
	last   entryID // that was read
	behind bool    // there was more to read than one answer could hold

	mu      sync.Mutex // guards the following
	members map[string]*streamsMember
	fault   error   // why nothing can be read
	reached entryID // everything up to it has been delivered
	waiters []waiter
}

func newStream(b *bus, key string, o StreamsOptions) *stream {
	return &stream{bus: b, key: key, options: o, opened: make(chan struct{}), members: map[string]*streamsMember{}}
}

// add lets m hear its namespace, remove does not.
func (s *stream) add(m *streamsMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[m.nsp] = m
}

func (s *stream) remove(m *streamsMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[m.nsp] == m {
		delete(s.members, m.nsp)
	}
}

func (s *stream) member(namespace string) *streamsMember {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[namespace]
}

// ready waits until everything that is appended from now on will be read, or
// gone is closed.
func (s *stream) ready(ctx context.Context, gone <-chan struct{}) error {
	select {
	case <-s.opened:
		return nil
	case <-gone:
		return errClosed
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return fmt.Errorf("socketio: redis: %w, because of: %w", ctx.Err(), s.fault)
	}
	return fmt.Errorf("socketio: redis: %w", ctx.Err())
}

// read ends with the bus.
func (s *stream) read() {
	for retry := (backoff{}); ; {
		begun := time.Now()
		err := s.session()
		if s.bus.ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.fault = err
		s.mu.Unlock()
		if time.Since(begun) > lastPause {
			retry = backoff{}
		}
		if !retry.wait(s.bus.ctx) {
			return
		}
	}
}

// session connects and reads on until that fails.
func (s *stream) session() error {
	s.conn, _ = s.bus.client.Dedicate()
	stop := context.AfterFunc(s.bus.ctx, s.conn.Close) // the end does not wait for a silent peer
	defer func() {
		stop()
		s.conn.Close()
	}()
	if err := s.position(); err != nil {
		return err
	}
	for {
		if err := s.step(); err != nil {
			return err
		}
	}
}

// position finds where to read on.
func (s *stream) position() error {
	// What these contexts bound is the client's own timeout.
	replies := s.conn.DoMulti(context.Background(), s.oldest(), s.newest())
	oldest, err := firstID(replies[0])
	if err != nil {
		return err
	}
	newest, err := firstID(replies[1])
	if err != nil {
		return err
	}
	select {
	case <-s.opened:
	default:
		s.last = newest
		s.reach()
		close(s.opened)
		return nil
	}
	if newest.compare(s.last) < 0 { // it is not the stream that it was
		s.last = newest
		s.reach()
		s.lost()
	} else {
		s.missed(oldest, s.last)
	}
	return nil
}

// oldest and newest ask for the first and the last entry.
func (s *stream) oldest() rueidis.Completed {
	return s.bus.client.B().Xrange().Key(s.key).Start("-").End("+").Count(1).Build()
}

func (s *stream) newest() rueidis.Completed {
	return s.bus.client.B().Xrevrange().Key(s.key).End("+").Start("-").Count(1).Build()
}

// missed reports a loss if the oldest entry of the stream comes after what had
// been read.
func (s *stream) missed(oldest, read entryID) {
	if read != (entryID{}) && oldest.compare(read) > 0 {
		s.lost()
	}
}

// lost tells all seats that they may not have heard everything.
func (s *stream) lost() {
	s.mu.Lock()
	members := make([]*streamsMember, 0, len(s.members))
	for _, m := range s.members {
		members = append(members, m)
	}
	s.mu.Unlock()
	for _, m := range members {
		m.lost(0, errTrimmed)
	}
}

// step reads what there is, or waits for it.
func (s *stream) step() error {
	o := s.options
	ctx, cancel := context.WithTimeout(context.Background(), o.BlockTime+silence)
	defer cancel()
	read := s.bus.client.B().Xread().Count(int64(o.ReadCount)).Block(max(o.BlockTime.Milliseconds(), 1)).
		Streams().Key(s.key).Id(s.last.String()).Build()
	commands := []rueidis.Completed{read}
	if s.behind {
		commands = []rueidis.Completed{s.oldest(), read}
	}
	replies := s.conn.DoMulti(ctx, commands...)
	if s.behind {
		oldest, err := firstID(replies[0])
		if err != nil {
			return err
		}
		s.missed(oldest, s.last)
	}
	streams, err := replies[len(replies)-1].AsXRead()
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("socketio: redis: reading %s: %w", s.key, err)
	}
	entries := streams[s.key]
	// Who is overtaken by what Redis drops finds a stream that is full.
	full := len(entries) >= min(o.ReadCount, o.MaxLen)
	if full && !s.behind {
		oldest, err := firstID(s.conn.Do(context.Background(), s.oldest()))
		if err != nil {
			return err
		}
		s.missed(oldest, s.last)
	}
	s.behind = full
	for _, e := range entries {
		if s.last, err = parseEntryID(e.ID); err != nil {
			return err
		}
		if m := s.member(e.FieldValues["nsp"]); m != nil {
			m.receiveEntry(e.FieldValues)
		}
	}
	if len(entries) > 0 {
		s.reach()
	}
	return nil
}

// An entryID names an entry: milliseconds and a number. Later ones are larger.
type entryID struct{ time, seq uint64 }

func parseEntryID(s string) (id entryID, err error) {
	first, second, ok := strings.Cut(s, "-")
	if ok {
		if id.time, err = strconv.ParseUint(first, 10, 64); err == nil {
			id.seq, err = strconv.ParseUint(second, 10, 64)
		}
	}
	if !ok || err != nil {
		return entryID{}, fmt.Errorf("socketio: redis: %q names no entry of a stream", s)
	}
	return id, nil
}

func (id entryID) String() string {
	return strconv.FormatUint(id.time, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

func (id entryID) compare(other entryID) int {
	return cmp.Or(cmp.Compare(id.time, other.time), cmp.Compare(id.seq, other.seq))
}

// firstID returns the ID of the only entry, or the zero ID if there is none.
func firstID(reply rueidis.RedisResult) (entryID, error) {
	entries, err := reply.AsXRange()
	switch {
	case err != nil:
		return entryID{}, fmt.Errorf("socketio: redis: reading a stream: %w", err)
	case len(entries) == 0:
		return entryID{}, nil
	}
	return parseEntryID(entries[0].ID)
}
