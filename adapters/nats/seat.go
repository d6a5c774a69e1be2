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

// A clusterMember implements [adapter.Member].
type member struct {
	a                *Adapter
	id               string
	token            string // of the namespace
	prefix           string // of the subjects of the namespace
	broadcastSubject string // the subject of all its servers
	host             adapter.Host
	outbox           outbox
	inbox            inbox
	peers            peers

	ctx     context.Context // of what runs
	cancel  context.CancelFunc
	link    link
	subs    [2]atomic.Pointer[natsgo.Subscription]
	dropped int        // messages to this seat alone that the connection had to drop; used by listen only
	log     *logReader // nil if there is no log
	leaving sync.Once
	left    chan struct{} // closed by Leave
	stopped chan struct{} // closed when nothing runs any more
}

// introductions is how long the others have to answer the greeting of a seat
// before it is ready: who counts the cluster's sockets then is to know them.
const announcements = 200 * time.Millisecond

// grace is how long Leave waits for what was published to reach the server.
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

// flush waits until the server has seen what the connection has sent, however
// often the connection is lost. The error is that of ctx, or of a connection
// that will not come back.
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
		case <-time.After(50 * time.Millisecond): // until listen knows of it too
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// ID implements [adapter.Member].
func (s *member) ID() string { return s.id }

var errNoSuchServer = errors.New("socketio: nats: an answer without a proper recipient")

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
		return nil // the servers are clients that cannot take it at once
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

// barrier returns what of the log is behind what is published now.
func (s *member) barrier() barrier {
	if s.log == nil {
		return barrier{}
	}
	return s.log.unconfirmed.barrier()
}

// greet tells the others that this seat is there and asks who they are.
func (s *member) announce() { s.publishControl(kindHello, broadcastSub) }

// beat tells the others that this seat is there, and forgets those that are not.
func (s *member) heartbeat() {
	s.publishControl(kindAlive, broadcastSub)
	s.checkPermissions()
	s.peers.purge()
	s.inbox.purge(s.a.opts.HeartbeatTimeout)
	if sub := s.subs[1].Load(); sub != nil {
		if n, err := sub.Dropped(); err == nil && n > s.dropped {
			s.host.Lost(n-s.dropped, natsgo.ErrSlowConsumer) // others show as gaps
			s.dropped = n
		}
	}
}

func (s *member) publishControl(kind byte, recipient string) {
	s.outbox.putControl(s.prefix+recipient, appendHead(nil, kind, 0, 0, s.id))
}

// receive takes what came from the connection.
func (s *member) receive(m *natsgo.Msg) {
	direct := m.Sub == s.subs[1].Load()
	if !direct && m.Sub != s.subs[0].Load() {
		return // this seat is not ready, or it was for the one before it
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

// finish sends what is left and ends what runs.
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
			_ = sub.Unsubscribe() // the connection may be closed
		}
	}
	s.inbox.end()
	s.a.mu.Lock()
	delete(s.a.allMembers, s)
	s.a.mu.Unlock()
	close(s.stopped)
}

// farewell sends what was published, and that this seat leaves. It does not
// wait for a connection that nothing has to be sent on.
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
