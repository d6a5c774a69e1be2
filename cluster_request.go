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

// A NoResponseError says that servers of the cluster did not respond in time. The
// results of the others are returned beside it.
type NoResponseError struct {
	// Servers are the names of these servers, as far as they are known: there may be
	// fewer than Count.
	Servers []string
	Count   int   // how many did not respond; 0 if that is not known
	Err     error // why the wait ended, such as ctx's error
}

func (e *NoResponseError) Error() string {
	if e.Count == 0 {
		return fmt.Sprintf("socketio: cluster: unknown servers did not respond: %v", e.Err)
	}
	names := ""
	if len(e.Servers) > 0 {
		names = " (" + strings.Join(e.Servers, ", ") + ")"
	}
	return fmt.Sprintf("socketio: cluster: %d servers did not respond%s: %v", e.Count, names, e.Err)
}

// Unwrap returns Err.
func (e *NoResponseError) Unwrap() error { return e.Err }

// A request is sent to the other servers. Each of them responds once. To a
// broadcast, each of their clients also responds once.
type request struct {
	cn         *clusterNamespace
	id         string
	kind       adapter.Kind
	changed    chan struct{}
	onResponse func(m *adapter.Message) error // called for every response that is not ignored, under mu

	mu             sync.Mutex      // guards the following
	done           bool            // the wait has ended
	servers        int             // that have responded
	clients        int             // to which they have sent the broadcast
	acks           int             // of these clients
	responded      map[string]bool // the servers that have responded, by name
	pendingClients map[string]int  // by server name: its clients that have not responded
}

// maxClients bounds the clients of other servers for which a broadcast waits. Each of
// them becomes a reply, even without a response.
const maxClients = 1 << 20

var errCount = errors.New("too many clients or acks")

// sendRequest publishes a request. The caller calls wait or cancel.
func (cn *clusterNamespace) sendRequest(m *adapter.Message, onResponse func(m *adapter.Message) error) (*request, error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	req := &request{
		cn:             cn,
		id:             hex.EncodeToString(id[:]),
		changed:        make(chan struct{}, 1),
		kind:           m.Kind,
		onResponse:     onResponse,
		responded:      make(map[string]bool),
		pendingClients: make(map[string]int),
	}
	cn.mu.Lock()
	cn.requests[req.id] = req
	cn.mu.Unlock()
	m.ID = req.id
	if err := cn.publish(m); err != nil {
		req.cancel()
		return nil, err
	}
	return req, nil
}

// cancel ends the request: later responses are ignored.
func (req *request) cancel() {
	req.mu.Lock()
	req.done = true
	req.mu.Unlock()
	req.cn.mu.Lock()
	delete(req.cn.requests, req.id)
	req.cn.mu.Unlock()
}

// handleResponse passes a response to its request, unless that has ended.
func (cn *clusterNamespace) handleResponse(m *adapter.Message) {
	cn.mu.Lock()
	req := cn.requests[m.ID]
	cn.mu.Unlock()
	if req == nil {
		return
	}
	if err := req.response(m); err != nil {
		cn.Malformed(err)
	}
}

func (req *request) response(m *adapter.Message) error {
	req.mu.Lock()
	defer req.mu.Unlock()
	switch {
	case req.done || m.Kind != adapter.Acked && req.responded[m.From]:
		return nil
	case m.Kind == adapter.Acked && req.acks == maxClients:
		return errCount
	case m.Kind == adapter.Acked:
		req.acks++
		req.pendingClients[m.From]--
	case req.kind == adapter.Broadcast && (m.Count < 0 || m.Count > maxClients-req.clients):
		return errCount
	default:
		req.servers++
		req.responded[m.From] = m.From != ""
		if req.kind == adapter.Broadcast {
			req.clients += m.Count
			req.pendingClients[m.From] += m.Count
		}
	}
	select {
	case req.changed <- struct{}{}:
	default:
	}
	return req.onResponse(m)
}

// peersInterval is how often wait checks that a server without a response is still in
// the cluster.
const peersInterval = time.Second

// wait waits for the responses of all servers that were in the cluster at the
// beginning and still are. It ends early if ctx ends or this server stops. The
// error is a *[NoResponseError]. The request is done when wait returns.
func (req *request) wait(ctx context.Context) error {
	defer req.cancel()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(req.cn.ctx, func() { cancel(ErrClosed) })()
	ticker := time.NewTicker(peersInterval)
	defer ticker.Stop()
	peers, err := req.cn.member.Peers(ctx)
	for err != nil { // try again until ctx ends
		select {
		case <-ticker.C:
			peers, err = req.cn.member.Peers(ctx)
		case <-ctx.Done():
			return &NoResponseError{Err: cmp.Or(context.Cause(ctx), err)}
		}
	}
	for !req.complete(peers) {
		select {
		case <-req.changed:
		case <-ticker.C:
			if now, err := req.cn.member.Peers(ctx); err == nil {
				peers = stillAlive(peers, now)
			}
		case <-ctx.Done():
			return req.noResponse(peers, context.Cause(ctx))
		}
	}
	return nil
}

// stillAlive returns the servers that are in both sets.
func stillAlive(before, now adapter.Peers) adapter.Peers {
	if before.IDs == nil || now.IDs == nil {
		return adapter.Peers{Count: min(before.Count, now.Count)}
	}
	ids := slices.DeleteFunc(slices.Clone(before.IDs), func(id string) bool { return !slices.Contains(now.IDs, id) })
	return adapter.Peers{Count: len(ids), IDs: ids}
}

func (req *request) complete(peers adapter.Peers) bool {
	servers, _, clients := req.missing(peers)
	return servers+clients == 0
}

// missing counts the servers that have not responded, with their names if they are
// known, and the clients of the others that have not.
func (req *request) missing(peers adapter.Peers) (servers int, names []string, clients int) {
	req.mu.Lock()
	defer req.mu.Unlock()
	if peers.IDs == nil {
		for _, n := range req.pendingClients {
			clients += max(n, 0)
		}
		return max(peers.Count-req.servers, 0), nil, clients
	}
	for _, id := range peers.IDs {
		if !req.responded[id] {
			names = append(names, id)
		}
		clients += max(req.pendingClients[id], 0)
	}
	return len(names), names, clients
}

// pendingByServer returns, by server, how many of its clients have not responded.
func (req *request) pendingByServer() map[string]int {
	req.mu.Lock()
	defer req.mu.Unlock()
	return maps.Clone(req.pendingClients)
}

func (req *request) noResponse(peers adapter.Peers, err error) error {
	servers, names, _ := req.missing(peers)
	if servers == 0 {
		return err // all servers responded, some clients did not
	}
	return &NoResponseError{Servers: names, Count: servers, Err: err}
}

// respond sends a response to the server that sent req.
func (cn *clusterNamespace) respond(req *adapter.Message, m adapter.Message) {
	m.To, m.ID = req.From, req.ID
	if err := cn.publish(&m); err != nil {
		cn.ns.srv.reportError(nil, err)
	}
}

// serveBroadcastRequest emits the event of another server to clients of this one, and
// sends their acks to that server.
func (cn *clusterNamespace) serveBroadcastRequest(e Emitter, m *adapter.Message, event string, enc *encoder) error {
	req := &adapter.Message{From: m.From, ID: m.ID} // m is only valid until Deliver returns
	id := firstBroadcastAck + cn.ns.acks.Add(1)
	msg, err := eventMessage(cn.ns, id, enc)
	if err != nil {
		return err
	}
	msg.SetCompression(e.compress)
	sockets := e.localSockets()
	cn.respond(m, adapter.Message{Kind: adapter.Clients, Count: len(sockets)})
	out := cn.ns.outgoing(event, msg, true)
	timeout := m.Timeout
	setDefault(&timeout, cn.ns.srv.opts.AckTimeout)
	var sent []*Socket
	for _, socket := range sockets {
		settle := func(args Args, err error) {
			if err == context.DeadlineExceeded {
				return // the wait has ended
			}
			response := adapter.Message{Kind: adapter.Acked, Failed: err != nil, Data: []byte("[]")}
			if args.Len() > 0 {
				response.Data, response.Binary = args.array(), args.bin
			}
			cn.respond(req, response)
		}
		_, err := socket.registerAck(id, timeout, &pendingAck{settle: settle, done: socket.ackTimer(event)})
		if err == nil {
			sent = append(sent, socket)
			err = socket.ask(msg, event, e.volatile)
		}
		if err != nil {
			socket.takeAck(id)
			settle(Args{}, err)
		}
	}
	out.notify(sent...)
	return nil
}
