package socketio

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio/adapter"
)

// A NoResponseError says that servers of the cluster did not answer. What the
// others answered is returned beside it.
type NoResponseError struct {
	// Servers are the names of those that are known by name; there may be fewer
	// than Count.
	Servers []string
	Count   int   // 0 if it is not known how many there are
	Err     error // why they are not waited for any longer, such as ctx's error
}

func (e *NoResponseError) Error() string {
	if e.Count == 0 {
		return fmt.Sprintf("socketio: cluster: it is not known who did not answer: %v", e.Err)
	}
	names := ""
	if len(e.Servers) > 0 {
		names = " (" + strings.Join(e.Servers, ", ") + ")"
	}
	return fmt.Sprintf("socketio: cluster: %d servers did not answer%s: %v", e.Count, names, e.Err)
}

// Unwrap returns Err.
func (e *NoResponseError) Unwrap() error { return e.Err }

// A request is what the other servers were asked. Each of them answers once, a
// broadcast's clients once each besides.
type request struct {
	cn         *clusterNamespace
	id         string
	kind       adapter.Kind
	changed    chan struct{}
	onResponse func(m *adapter.Message) error // called for every answer of use, under mu

	mu             sync.Mutex      // guards the following
	done           bool            // nobody waits any more
	servers        int             // that have answered
	clients        int             // that they have asked in turn
	acks           int             // of these
	responded      map[string]bool // those of them that have a name
	pendingClients map[string]int  // by the name of a server: its clients that have not answered
}

// maxClients is how many clients of other servers a broadcast waits for. Each of
// them is a reply in the end, whether it answers or not.
const maxClients = 1 << 20

var errCount = errors.New("more clients than are waited for")

// sendRequest publishes a question. The caller waits for the answers, or forgets it.
func (s *clusterNamespace) sendRequest(m *adapter.Message, take func(m *adapter.Message) error) (*request, error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	q := &request{
		cn:             s,
		id:             hex.EncodeToString(id[:]),
		changed:        make(chan struct{}, 1),
		kind:           m.Kind,
		onResponse:     take,
		responded:      make(map[string]bool),
		pendingClients: make(map[string]int),
	}
	s.mu.Lock()
	s.requests[q.id] = q
	s.mu.Unlock()
	m.ID = q.id
	if err := s.publish(m); err != nil {
		q.cancel()
		return nil, err
	}
	return q, nil
}

// cancel ends the question: later answers are ignored.
func (q *request) cancel() {
	q.mu.Lock()
	q.done = true
	q.mu.Unlock()
	q.cn.mu.Lock()
	delete(q.cn.requests, q.id)
	q.cn.mu.Unlock()
}

// handleResponse gives an answer to who asked, if somebody still waits for it.
func (s *clusterNamespace) handleResponse(m *adapter.Message) {
	s.mu.Lock()
	q := s.requests[m.ID]
	s.mu.Unlock()
	if q == nil {
		return
	}
	if err := q.response(m); err != nil {
		s.Malformed(err)
	}
}

func (q *request) response(m *adapter.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.done || m.Kind != adapter.Acked && q.responded[m.From]:
		return nil
	case m.Kind == adapter.Acked && q.acks == maxClients:
		return errCount
	case m.Kind == adapter.Acked:
		q.acks++
		q.pendingClients[m.From]--
	case q.kind == adapter.Broadcast && (m.Count < 0 || m.Count > maxClients-q.clients):
		return errCount
	default:
		q.servers++
		q.responded[m.From] = m.From != ""
		if q.kind == adapter.Broadcast {
			q.clients += m.Count
			q.pendingClients[m.From] += m.Count
		}
	}
	select {
	case q.changed <- struct{}{}:
	default:
	}
	return q.onResponse(m)
}

// peersInterval is how often it is looked whether a server that has not answered is
// still there.
const peersInterval = time.Second

// wait returns when every server has answered that was there at the beginning
// and still is, when ctx ends, or when this server stops, and forgets the question.
// The error is a *[NoResponseError].
func (q *request) wait(ctx context.Context) error {
	defer q.cancel()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(q.cn.ctx, func() { cancel(ErrClosed) })()
	look := time.NewTicker(peersInterval)
	defer look.Stop()
	peers, err := q.cn.member.Peers(ctx)
	for err != nil { // it may be known in time
		select {
		case <-look.C:
			peers, err = q.cn.member.Peers(ctx)
		case <-ctx.Done():
			return &NoResponseError{Err: cmp.Or(context.Cause(ctx), err)}
		}
	}
	for !q.complete(peers) {
		select {
		case <-q.changed:
		case <-look.C:
			if now, err := q.cn.member.Peers(ctx); err == nil {
				peers = stillAlive(peers, now)
			}
		case <-ctx.Done():
			return q.noResponse(peers, context.Cause(ctx))
		}
	}
	return nil
}

// stillAlive returns which of the servers of before are there now.
func stillAlive(before, now adapter.Peers) adapter.Peers {
	if before.IDs == nil || now.IDs == nil {
		return adapter.Peers{Count: min(before.Count, now.Count)}
	}
	ids := slices.DeleteFunc(slices.Clone(before.IDs), func(id string) bool { return !slices.Contains(now.IDs, id) })
	return adapter.Peers{Count: len(ids), IDs: ids}
}

func (q *request) complete(peers adapter.Peers) bool {
	servers, _, clients := q.missing(peers)
	return servers+clients == 0
}

// missing counts the servers that have not answered, names them if it can, and
// counts the clients of the others that have not.
func (q *request) missing(peers adapter.Peers) (servers int, names []string, clients int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if peers.IDs == nil {
		for _, n := range q.pendingClients {
			clients += max(n, 0)
		}
		return max(peers.Count-q.servers, 0), nil, clients
	}
	for _, id := range peers.IDs {
		if !q.responded[id] {
			names = append(names, id)
		}
		clients += max(q.pendingClients[id], 0)
	}
	return len(names), names, clients
}

// pendingByServer returns, by server, how many of its clients have not answered.
func (q *request) pendingByServer() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.pendingClients)
}

func (q *request) noResponse(peers adapter.Peers, err error) error {
	servers, names, _ := q.missing(peers)
	if servers == 0 {
		return err // clients were, not servers
	}
	return &NoResponseError{Servers: names, Count: servers, Err: err}
}

// respond sends an answer to the server that asked.
func (s *clusterNamespace) respond(to *adapter.Message, m adapter.Message) {
	m.To, m.ID = to.From, to.ID
	if err := s.publish(&m); err != nil {
		s.ns.srv.reportError(nil, err)
	}
}

// serveBroadcastRequest asks clients here for the answers that another server wants.
func (s *clusterNamespace) serveBroadcastRequest(e Emitter, m *adapter.Message, event string, enc *encoder) error {
	asked := &adapter.Message{From: m.From, ID: m.ID} // the rest is not kept
	id := firstBroadcastAck + s.ns.acks.Add(1)
	msg, err := enc.event(s.ns, id)
	if err != nil {
		return err
	}
	msg.SetCompression(e.compress)
	sockets := e.localSockets()
	s.respond(m, adapter.Message{Kind: adapter.Clients, Count: len(sockets)})
	out := s.ns.outgoing(event, msg, true)
	timeout := m.Timeout
	setDefault(&timeout, s.ns.srv.opts.AckTimeout)
	var told []*Socket
	for _, socket := range sockets {
		settle := func(args Args, err error) {
			if err == context.DeadlineExceeded {
				return // nobody waits any more
			}
			answer := adapter.Message{Kind: adapter.Acked, Failed: err != nil, Data: []byte("[]")}
			if args.Len() > 0 {
				answer.Data, answer.Binary = args.array(), args.bin
			}
			s.respond(asked, answer)
		}
		_, err := socket.registerAck(id, timeout, &pendingAck{settle: settle, done: socket.ackTimer(event)})
		if err == nil {
			told = append(told, socket)
			err = socket.ask(msg, event, e.volatile)
		}
		if err != nil {
			socket.takeAck(id)
			settle(Args{}, err)
		}
	}
	out.notify(told...)
	return nil
}
