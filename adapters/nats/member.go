package nats

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/socketio-go/socketio/adapter"
)

// A member implements [adapter.Member].
type member struct {
	a                *Adapter
	id               string
	token            string // of the namespace
	prefix           string // of its subjects
	broadcastSubject string // the subject that all its servers are subscribed to
	host             adapter.Host
	outbox           outbox
	inbox            inbox
	peers            peers

	ctx     context.Context // ends when the member stops
	cancel  context.CancelFunc
	link    link
	subs    [2]atomic.Pointer[natsgo.Subscription]
	dropped int        // messages only to this member that the connection dropped; used by listen only
	log     *logReader // nil if there is no log
	leaving sync.Once
	left    chan struct{} // closed by Leave
	stopped chan struct{} // closed when nothing runs any more
}

// announcements is how long a member waits for the responses to its announcement before
// it is ready, so that it counts all servers.
const announcements = 200 * time.Millisecond

// leaveGrace bounds how long Leave waits until the NATS server has what was published.
const leaveGrace = 3 * time.Second

func newMember(a *Adapter, namespace string, host adapter.Host) *member {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	s := &member{
		a:       a,
		id:      hex.EncodeToString(id[:]),
		token:   token(namespace),
		host:    host,
		left:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.link.begin(a.jetStream != nil)
	s.prefix = a.opts.Prefix + "." + s.token + "."
	s.broadcastSubject = s.prefix + broadcastSub
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.outbox = outbox{a: a, sender: s.id, lost: host.Lost, opened: make(chan struct{})}
	s.inbox = inbox{host: host, limit: a.opts.MaxPending, assemblies: make(map[string]*assembly)}
	s.peers = peers{timeout: a.opts.HeartbeatTimeout, lastSeen: make(map[string]*time.Time)}
	return s
}

// flush waits until the NATS server has received what the connection has sent, also
// across reconnects. The error is that of ctx, or of a connection that has failed.
func (s *member) flush() error {
	for {
		if err := s.a.connected(s.ctx); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(s.ctx, leaveGrace)
		err := s.a.conn.FlushWithContext(ctx)
		cancel()
		if err == nil {
			return nil
		}
		if s.a.failed.Load() {
			return fmt.Errorf("socketio: nats: %w", err)
		}
		select {
		case <-time.After(50 * time.Millisecond): // until listen has noticed too
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// ID implements [adapter.Member].
func (s *member) ID() string { return s.id }

var errNoSuchServer = errors.New("socketio: nats: a response without a valid receiver")

// Publish implements [adapter.Member].
func (s *member) Publish(m *adapter.Message) error {
	recipient := broadcastSub
	if m.To != "" || m.Kind.IsResponse() {
		recipient = m.To
		if !validName(recipient) || recipient == adapter.ExternalSender {
			return errNoSuchServer
		}
	}
	if s.a.failed.Load() {
		return natsgo.ErrConnectionClosed
	}
	if m.Volatile && !s.a.online.Load() {
		return nil // a volatile event is dropped while the servers can't take it
	}
	data, err := appendMessage(make([]byte, 0, messageSize(m)), s.id, s.barrier(), m)
	if err != nil {
		return err
	}
	if recipient == broadcastSub {
		return s.outbox.put(s.broadcastSubject, data, true)
	}
	return s.outbox.put(s.prefix+recipient, data, false)
}

// barrier returns what of the log precedes a message that is published now.
func (s *member) barrier() barrier {
	if s.log == nil {
		return barrier{}
	}
	return s.log.unconfirmed.barrier()
}

// announce announces this member, and requests that the others do the same.
func (s *member) announce() { s.publishControl(kindHello, broadcastSub) }

// heartbeat sends a heartbeat, and forgets servers whose heartbeats are missing.
func (s *member) heartbeat() {
	s.publishControl(kindAlive, broadcastSub)
	s.checkPermissions()
	s.peers.purge()
	s.inbox.purge(s.a.opts.HeartbeatTimeout)
	if sub := s.subs[1].Load(); sub != nil {
		if n, err := sub.Dropped(); err == nil && n > s.dropped {
			s.host.Lost(n-s.dropped, natsgo.ErrSlowConsumer) // losses of other messages show as gaps
			s.dropped = n
		}
	}
}

func (s *member) publishControl(kind byte, recipient string) {
	s.outbox.putControl(s.prefix+recipient, appendHead(nil, kind, 0, 0, s.id))
}

// receive handles a message of the connection.
func (s *member) receive(m *natsgo.Msg) {
	direct := m.Sub == s.subs[1].Load()
	if !direct && m.Sub != s.subs[0].Load() {
		return // this member is not ready, or the message was for an earlier one
	}
	h, err := decodeHead(m.Data)
	if err != nil {
		s.host.Malformed(err)
		return
	}
	if string(h.sender) == s.id {
		return
	}
	if !s.peers.seen(h) {
		s.host.Malformed(errPeers)
		return
	}
	switch h.kind {
	case kindHello:
		s.inbox.announced(h)
		s.publishControl(kindAlive, string(h.sender))
	case kindAlive:
		s.inbox.announced(h)
	case kindBye:
	case kindPart:
		s.inbox.assemble(h, direct)
	default:
		s.inbox.put(h, direct, 0)
	}
}

// Peers implements [adapter.Member].
func (s *member) Peers(ctx context.Context) (adapter.Peers, error) {
	if err := ctx.Err(); err != nil {
		return adapter.Peers{}, err
	}
	if s.outbox.hasLeft() {
		return adapter.Peers{}, adapter.ErrLeft
	}
	ids := s.peers.alive()
	return adapter.Peers{Count: len(ids), IDs: ids}, nil
}

// Leave implements [adapter.Member].
func (s *member) Leave() <-chan struct{} {
	s.leaving.Do(func() {
		s.a.mu.Lock()
		if s.a.members[s.token] == s {
			delete(s.a.members, s.token)
		}
		s.a.mu.Unlock()
		s.outbox.leave()
		s.link.leave()
		close(s.left)
		go s.finish() // until gone is closed
	})
	return s.stopped
}

// finish sends what waits, and stops the member.
func (s *member) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveGrace)
	defer cancel()
	err := s.announceLeave(ctx)
	s.cancel()
	s.link.end()
	if s.log != nil {
		s.log.end(err)
	}
	if n := s.outbox.discard(); n > 0 {
		s.host.Lost(n, err)
	}
	for i := range s.subs {
		if sub := s.subs[i].Load(); sub != nil {
			_ = sub.Unsubscribe() // it fails if the connection is closed
		}
	}
	s.inbox.end()
	s.a.mu.Lock()
	delete(s.a.allMembers, s)
	s.a.mu.Unlock()
	close(s.stopped)
}

// announceLeave sends what was published, and announces that this member leaves. If
// nothing waits it does not wait for the connection.
func (s *member) announceLeave(ctx context.Context) error {
	if !s.a.online.Load() && s.outbox.empty() {
		return nil
	}
	if err := s.outbox.waitOpen(ctx); err != nil {
		return err
	}
	if s.log != nil {
		if err := s.log.flushed(ctx); err != nil {
			return err
		}
	}
	s.publishControl(kindBye, broadcastSub)
	if err := s.outbox.flushed(ctx); err != nil {
		return err
	}
	return s.a.conn.FlushWithContext(ctx)
}
