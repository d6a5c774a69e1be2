package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// positionInterval is how often members whose namespace is quiet get the position of the
// stream.
const positionInterval = time.Second

// readTimeout is how much longer than BlockTime Redis may take to respond.
const readTimeout = 5 * time.Second

var errTrimmed = errors.New("socketio: redis: entries of the stream were dropped before they were read")

// A stream is read by one goroutine for the members of all its namespaces.
type stream struct {
	bus     *bus
	key     string
	options StreamsOptions
	opened  chan struct{} // closed when the first position is known

	// Used by the reader only.
	conn          *nodeConn
	last          entryID   // the last entry that was read
	lagging       bool      // there were more entries than one read returns
	lastPublished time.Time // when the members last got the position

	mu      sync.Mutex // guards the following
	members map[string]*streamsMember
	fault   error     // why the stream can't be read
	reading *nodeConn // the connection that reads it
	at      entryID   // the entry that was delivered last or is being delivered
	reached entryID   // everything up to it has been delivered
	waiters []waiter

	faultMu sync.Mutex // held while the fault is reported to members
}

func newStream(b *bus, key string, o StreamsOptions) *stream {
	return &stream{bus: b, key: key, options: o, opened: make(chan struct{}), members: map[string]*streamsMember{}}
}

// add makes m receive the entries of its namespace, remove ends that.
func (s *stream) add(m *streamsMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[m.nsp] = m
	m.start = s.at
}

// startOf returns the last entry before those that m receives.
func (s *stream) startOf(m *streamsMember) entryID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.start
}

func (s *stream) remove(m *streamsMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[m.nsp] == m {
		delete(s.members, m.nsp)
	}
}

// enter notes that an entry is being delivered, and returns the member that it is for,
// or nil.
func (s *stream) enter(id entryID, namespace string) *streamsMember {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = id
	return s.members[namespace]
}

// open notes after which entry reading begins.
func (s *stream) open(id entryID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = id
	for _, m := range s.members {
		m.start = id
	}
	close(s.opened)
}

// all returns the members.
func (s *stream) all() []*streamsMember {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.members))
}

// read reads the stream until the bus ends.
func (s *stream) read() {
	for retry := (backoff{}); ; {
		begun := time.Now()
		err := s.session()
		if s.bus.ctx.Err() != nil {
			return
		}
		s.setFault(err)
		if time.Since(begun) > lastPause {
			retry = backoff{}
		}
		if !retry.wait(s.bus.ctx) {
			return
		}
	}
}

// session connects and reads until that fails.
func (s *stream) session() error {
	if b := s.bus; b.nodes.cluster && b.nodes.topology() == nil {
		if _, err := b.nodes.refresh(b.ctx); err != nil {
			return err
		}
	}
	line, err := s.bus.dial(s.owner())
	if err != nil {
		return err
	}
	defer line.close()
	s.conn = line
	s.setReading(line)
	defer s.setReading(nil)
	if err := s.position(); err != nil {
		return err
	}
	s.setFault(nil)
	for {
		if err := s.step(); err != nil {
			return err
		}
	}
}

// owner returns the address of the node that has the stream, in Redis Cluster.
func (s *stream) owner() string {
	if t := s.bus.nodes.topology(); t != nil {
		return t.owner(s.bus.slot(s.key))
	}
	return ""
}

func (s *stream) setReading(l *nodeConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = l
}

// reconnect closes the reading connection if its node is not the master any more: a read
// may wait long for a reply there. With force it closes it in any case.
func (s *stream) reconnect(force bool) {
	s.mu.Lock()
	l := s.reading
	s.mu.Unlock()
	if l == nil {
		return
	}
	owner := s.owner()
	if !s.bus.nodes.cluster {
		owner = s.bus.nodes.master()
	}
	if force || owner != "" && l.addr != "" && l.addr != owner {
		l.close()
	}
}

// setFault notes why the stream can't be read; nil means that it can.
func (s *stream) setFault(err error) {
	s.mu.Lock()
	s.fault = err
	s.mu.Unlock()
	for _, m := range s.all() {
		m.readable()
	}
}

// readable reports to a member whether its stream can be read.
func (m *streamsMember) readable() {
	s := m.stream
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.mu.Lock()
	err := s.fault
	s.mu.Unlock()
	select {
	case <-m.positionKnown:
	default:
		if err == nil {
			return // begin has to deliver the first position before
		}
	}
	m.setCondition(reading, err)
}

// position finds the entry to continue after.
func (s *stream) position() error {
	// The client's timeout bounds these calls.
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
		if newest == (entryID{}) {
			if newest, err = s.addMarker(); err != nil {
				return err
			}
		}
		s.last = newest
		s.reach()
		s.open(newest)
		return nil
	}
	if newest.compare(s.last) < 0 { // it is another stream
		s.last = newest
		s.reach()
		s.lost()
	} else {
		s.missed(oldest, s.last)
	}
	return nil
}

// addMarker appends an entry without a meaning to an empty stream. As long as it is
// there, the entries after it are complete.
func (s *stream) addMarker() (entryID, error) {
	cmd := s.bus.client.B().Xadd().Key(s.key).Id("*").FieldValue().FieldValue("type", strconv.Itoa(typeNothing)).Build()
	id, err := s.conn.Do(context.Background(), cmd).ToString()
	if err != nil {
		return entryID{}, fmt.Errorf("socketio: redis: appending to %s: %w", s.key, err)
	}
	return parseEntryID(id)
}

// oldest and newest return commands that read the first and the last entry.
func (s *stream) oldest() rueidis.Completed {
	return s.bus.client.B().Xrange().Key(s.key).Start("-").End("+").Count(1).Build()
}

func (s *stream) newest() rueidis.Completed {
	return s.bus.client.B().Xrevrange().Key(s.key).End("+").Start("-").Count(1).Build()
}

// missed reports a loss if the oldest entry of the stream comes after the last one that
// was read.
func (s *stream) missed(oldest, read entryID) {
	if read != (entryID{}) && oldest.compare(read) > 0 {
		s.lost()
	}
}

// lost reports to all members that they may have missed entries.
func (s *stream) lost() {
	for _, m := range s.all() {
		m.lost(0, errTrimmed)
	}
}

// step reads the entries that are there, or waits for some.
func (s *stream) step() error {
	o := s.options
	ctx, cancel := context.WithTimeout(context.Background(), o.BlockTime+readTimeout)
	defer cancel()
	read := s.bus.client.B().Xread().Count(int64(o.ReadCount)).Block(max(o.BlockTime.Milliseconds(), 1)).
		Streams().Key(s.key).Id(s.last.String()).Build()
	var commands []rueidis.Completed
	if s.lagging {
		commands = append(commands, s.oldest())
	}
	at := len(commands)
	commands = append(commands, read)
	if !s.bus.nodes.cluster && !s.lagging {
		commands = append(commands, s.bus.client.B().Role().Build())
	}
	replies := s.conn.DoMulti(ctx, commands...)
	if s.lagging {
		oldest, err := firstID(replies[0])
		if err != nil {
			return err
		}
		s.missed(oldest, s.last)
	}
	streams, err := replies[at].AsXRead()
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("socketio: redis: reading %s: %w", s.key, err)
	}
	if at+1 < len(replies) {
		role, err := replies[at+1].ToMessage()
		if err := s.bus.checkMaster(s.conn, role, err); err != nil {
			return err // the entries are read again
		}
	}
	entries := streams[s.key]
	// Entries can be evicted before they are read only from a stream that is full.
	full := len(entries) >= min(o.ReadCount, o.MaxLen)
	if full && !s.lagging {
		oldest, err := firstID(s.conn.Do(context.Background(), s.oldest()))
		if err != nil {
			return err
		}
		s.missed(oldest, s.last)
	}
	s.lagging = full
	for _, e := range entries {
		if s.last, err = parseEntryID(e.ID); err != nil {
			return err
		}
		if m := s.enter(s.last, e.FieldValues["nsp"]); m != nil {
			m.receiveEntry(s.last, e.FieldValues)
		}
	}
	if len(entries) > 0 {
		s.reach()
	}
	if now := time.Now(); now.Sub(s.lastPublished) >= positionInterval {
		s.lastPublished = now
		for _, m := range s.all() {
			m.handleInOrder(func() {
				m.begin()
				m.publishPosition(s.last)
			})
		}
	}
	return nil
}

// An entryID is the ID of an entry: milliseconds and a number. Later IDs are larger.
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

// position returns the ID as one number. It returns 0 if the ID is too large: for the
// millionth entry in a millisecond, or in the year 2248.
func (id entryID) position() int64 {
	if id.time >= 1<<(63-seqBits) || id.seq >= 1<<seqBits {
		return 0
	}
	return int64(id.time<<seqBits | id.seq)
}

const seqBits = 20

// entryAt is the inverse of position.
func entryAt(position int64) entryID {
	return entryID{uint64(position) >> seqBits, uint64(position) & (1<<seqBits - 1)}
}

func (id entryID) compare(other entryID) int {
	return cmp.Or(cmp.Compare(id.time, other.time), cmp.Compare(id.seq, other.seq))
}

// firstID returns the ID of the only entry, or the zero ID if there is none.
func firstID(result rueidis.RedisResult) (entryID, error) {
	reply, err := result.ToMessage()
	if err != nil {
		return entryID{}, fmt.Errorf("socketio: redis: reading a stream: %w", err)
	}
	return firstEntry(reply)
}

func firstEntry(reply rueidis.RedisMessage) (entryID, error) {
	entries, err := reply.AsXRange()
	switch {
	case err != nil:
		return entryID{}, fmt.Errorf("socketio: redis: reading a stream: %w", err)
	case len(entries) == 0:
		return entryID{}, nil
	}
	return parseEntryID(entries[0].ID)
}
