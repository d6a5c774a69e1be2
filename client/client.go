package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
)

// A Client is one connection to a server, shared by the namespaces that are
// joined. Its methods On, Emit and so on are those of the [Socket] of "/". All
// methods may be called concurrently and after Close.
type Client struct {
	main *Socket
	opts Options
	base *url.URL
	own  *http.Transport  // that no other client uses; nil if there is none
	cfg  eioclient.Config // without URL and Header

	ctx    context.Context // of attempts and callbacks; ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup // goroutines

	emitted  atomic.Uint64
	volatile atomic.Uint64
	refusing atomic.Bool // Shutdown or Close has been called

	mu         sync.Mutex // guards the following, and the sockets
	state      State
	sockets    map[string]*Socket
	order      []*Socket // in the order of Of
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
	c := &Client{opts: d, base: base, sockets: make(map[string]*Socket)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cfg, c.own = engineConfig(&d)
	c.cfg.Tasks = &c.tasks
	c.main = c.Of("/")
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

// engineConfig returns the settings for the engine, and the transport that must be
// closed with the client.
func engineConfig(o *Options) (eioclient.Config, *http.Transport) {
	poller := &http.Client{}
	if o.HTTPClient != nil {
		*poller = *o.HTTPClient
		poller.Timeout = 0
	}
	if poller.Jar == nil {
		poller.Jar, _ = cookiejar.New(nil) // never fails without options
	}
	base := http.DefaultTransport.(*http.Transport)
	own := false // the transport is a copy of ours
	switch t := poller.Transport.(type) {
	case nil:
		base, own = base.Clone(), true
	case *http.Transport:
		base = t
		if o.Dial != nil || o.TLS != nil {
			base, own = t.Clone(), true
		}
	default: // it decides for itself how to connect
	}
	if own {
		if o.Dial != nil {
			base.DialContext = o.Dial
		}
		if o.TLS != nil {
			base.TLSClientConfig = o.TLS
		}
		poller.Transport = base
	}
	cfg := eioclient.Config{
		Upgrade:        !o.DisableUpgrade && o.Transports[0] == socketio.Polling,
		Poller:         poller,
		Jar:            poller.Jar,
		Dial:           base.DialContext,
		Proxy:          base.Proxy,
		TLS:            base.TLSClientConfig,
		Compression:    o.Compression,
		WriteTimeout:   o.WriteTimeout,
		UpgradeTimeout: o.UpgradeTimeout,
		MaxMessage:     o.MaxPayload,
		MaxQueue:       o.MaxQueue,
		Now:            o.Now,
	}
	if cfg.TLS != nil { // net/http adds HTTP/2 to its own, which has no WebSocket
		cfg.TLS = cfg.TLS.Clone()
		cfg.TLS.NextProtos = nil
	}
	if cfg.Dial == nil {
		cfg.Dial = http.DefaultTransport.(*http.Transport).DialContext
	}
	for _, t := range o.Transports {
		if t == socketio.Polling {
			cfg.Transports = append(cfg.Transports, eioclient.Polling)
		} else {
			cfg.Transports = append(cfg.Transports, eioclient.WebSocket)
		}
	}
	if !own {
		return cfg, nil
	}
	return cfg, base
}

// closeIdle closes the connections of polling that are kept for later requests.
func (c *Client) closeIdle() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Of returns the socket of a namespace, the same one for the same name. It is
// not joined before [Socket.Connect] is called.
func (c *Client) Of(namespace string) *Socket {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sockets[namespace]
	if s == nil {
		s = &Socket{client: c, namespace: namespace}
		c.sockets[namespace] = s
		c.order = append(c.order, s)
	}
	return s
}

// spawn runs fn on a goroutine that Shutdown waits for. The caller holds mu, or
// is such a goroutine.
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
