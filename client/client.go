package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/socketio-go/socketio/internal/eioclient"
)

// A Client is one connection to a server, shared by the namespaces that are
// joined. Its methods On, Emit and so on are those of the [Socket] of "/". All
// methods may be called concurrently and after Close.
type Client struct {
	main *Socket
	opts Options
	base *url.URL
	cfg  eioclient.Config
	own  atomic.Pointer[http.Transport] // of polling, if no other client uses it

	ctx    context.Context // of attempts and callbacks; ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup // goroutines

	emitted  atomic.Uint64
	volatile atomic.Uint64
	refusing atomic.Bool // Shutdown or Close has been called

	mu         sync.Mutex // guards the following, and the sockets
	state      State
	others     map[string]*Socket // those of other namespaces than "/"
	order      []*Socket          // in the order of Of
	closed     bool
	conn       *conn
	conns      []*conn            // those that have not ended, which may be one that closes beside a new one
	connecting bool               // connect runs
	cancelDial context.CancelFunc // of the attempt under way; nil if there is none
	wake       chan struct{}      // closed when connect must look again; nil unless it waits
	attempts   int                // since the last stable connection
	restart    bool               // the next attempt is a first one
	lost       bool               // a connection was lost: the next attempt waits
	lastErr    error              // why
	buffered   int64              // bytes of all buffers
	past       eioclient.Counts   // of the connections that have ended
	dropped    Dropped
	unsent     int // events handed back after refusing was set
	inbox      inbox
	changed    chan struct{} // closed when Shutdown must look again; nil unless it waits
	observers  []*func(Change)
	changes    []Change
	notifying  bool
}

// New returns a client of the server at rawURL, whose scheme is http, https, ws
// or wss and whose path is the endpoint; "" and "/" mean "/socket.io/". It does
// no I/O.
func New(rawURL string, opts *Options) (*Client, error) {
	d, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	c := &Client{opts: d, base: base}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cfg = c.engineConfig()
	c.main = &Socket{client: c, namespace: "/"}
	c.order = []*Socket{c.main}
	return c, nil
}

// parseURL checks a server's URL and returns it with the scheme http or https.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("client: %w", errors.Unwrap(err)) // the URL itself may hold a password
	}
	switch u.Scheme {
	case "http", "https":
	case "ws", "wss":
		u.Scheme = "http" + strings.TrimPrefix(u.Scheme, "ws")
	default:
		return nil, fmt.Errorf("client: the scheme of a URL is http, https, ws or wss, not %q", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("client: a URL without a host")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket.io/"
	}
	u.Fragment = ""
	return u, nil
}

// Of returns the socket of a namespace, the same one for the same name. It is
// not joined before [Socket.Connect] is called.
func (c *Client) Of(namespace string) *Socket {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.socketLocked([]byte(namespace))
	if s == nil {
		s = &Socket{client: c, namespace: namespace}
		if c.others == nil {
			c.others = make(map[string]*Socket)
		}
		c.others[namespace] = s
		c.order = append(c.order, s)
	}
	return s
}

// socketLocked returns the socket of a namespace, or nil.
func (c *Client) socketLocked(namespace []byte) *Socket {
	if string(namespace) == "/" {
		return c.main
	}
	return c.others[string(namespace)]
}

// spawn runs fn on a goroutine that Shutdown waits for. The caller is such a
// goroutine, or holds mu and has seen that the client is not closed, or closes it:
// Shutdown begins to wait later.
func (c *Client) spawn(fn func()) {
	c.tasks.Add(1)
	go func() {
		defer c.tasks.Done()
		fn()
	}()
}

// changedLocked lets Shutdown look again.
func (c *Client) changedLocked() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Shutdown refuses new events, waits until what is buffered has been sent and
// the pending answers have come, leaves every namespace and closes the
// connection. When ctx ends first it closes at once; the error is then that of
// ctx and, if events were not sent, an *[UnsentError]. It waits for handlers, so
// that it must not be called by one.
func (c *Client) Shutdown(ctx context.Context) error {
	err := c.finish(ctx)
	c.close()
	done := make(chan struct{})
	go func() { // ends when the tasks have
		c.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	c.mu.Lock()
	unsent := c.unsent
	c.mu.Unlock()
	if unsent > 0 {
		err = errors.Join(err, &UnsentError{Events: unsent})
	}
	return err
}

// finish is Shutdown until everything has been sent.
func (c *Client) finish(ctx context.Context) error {
	c.mu.Lock()
	c.refusing.Store(true)
	for !c.closed && c.unfinishedLocked() {
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
	}
	k := c.conn
	c.mu.Unlock()
	for _, s := range c.list() {
		_ = s.Disconnect()
	}
	if k == nil {
		return nil
	}
	select {
	case <-k.session.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unfinishedLocked reports whether Shutdown must wait: for answers, or for
// buffered events of a namespace that is to be joined.
func (c *Client) unfinishedLocked() bool {
	for _, s := range c.order {
		if s.active && (len(s.acks) > 0 || len(s.buffer) > 0 || len(s.deliveries) > 0) {
			return true
		}
	}
	return false
}

// Close closes the connection at once. It does not wait for handlers that run.
func (c *Client) Close() error {
	c.close()
	return nil
}

func (c *Client) close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	c.refusing.Store(true)
	conns := c.conns
	c.conn = nil
	for _, s := range c.order {
		s.leaveLocked(ReasonClient, ErrClosed)
	}
	c.wakeLocked()
	c.changedLocked()
	c.setStateLocked(Change{To: Closed})
	c.mu.Unlock()
	c.cancel()
	for _, k := range conns {
		k.session.Discard(eioclient.ForcedClose, nil)
	}
	c.closeIdle()
}

func runAll(fns []func()) {
	for _, fn := range fns {
		fn()
	}
}

// list returns the sockets.
func (c *Client) list() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Socket(nil), c.order...)
}
