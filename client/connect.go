package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
)

// State is the state of a client's connection.
type State uint8

// The states. [Client] goes
//
//	Idle → Connecting → Connected    Connect was called, and a namespace is joined
//	Connecting → Waiting → Connecting    an attempt failed; the next one follows
//	Connected → Waiting → Connecting    the connection was lost
//	→ Idle    no namespace is to be joined any more
//	→ Closed    Shutdown or Close
const (
	Idle State = iota
	Connecting
	Connected
	Waiting // for the next attempt
	Closed
)

// String returns the name of the state in lower case.
func (s State) String() string {
	return [...]string{"idle", "connecting", "connected", "waiting", "closed"}[s]
}

// A Change is a change of state.
type Change struct {
	From, To  State
	Err       error              // why an attempt failed or the connection was lost; nil else
	Attempt   int                // since the last stable connection, counted from 0; of Connecting and Waiting
	Delay     time.Duration      // of Waiting
	Transport socketio.Transport // of Connected
}

// State returns the state of the connection.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// OnState adds a function that is told of every change of state, in order, and
// returns what removes it. It may block, which delays only the next changes.
func (c *Client) OnState(fn func(Change)) (off func()) {
	p := &fn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observers = append(c.observers[:len(c.observers):len(c.observers)], p)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.observers = without(c.observers, p)
	}
}

// without returns a copy of list without p.
func without[T comparable](list []T, p T) []T {
	rest := make([]T, 0, len(list))
	for _, other := range list {
		if other != p {
			rest = append(rest, other)
		}
	}
	return rest
}

func (c *Client) setStateLocked(change Change) {
	if c.state == Closed || c.state == change.To {
		return
	}
	change.From = c.state
	c.state = change.To
	c.changes = append(c.changes, change)
	if !c.notifying {
		c.notifying = true
		c.spawn(c.notify)
	}
}

// notify tells the observers of the changes.
func (c *Client) notify() {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in an observer
			c.spawn(c.notify)
		}
	}()
	for {
		c.mu.Lock()
		if len(c.changes) == 0 {
			c.changes, c.notifying = nil, false
			c.mu.Unlock()
			returned = true
			return
		}
		change := c.changes[0]
		c.changes = c.changes[1:]
		observers := c.observers
		c.mu.Unlock()
		for _, fn := range observers {
			c.guard(nil, "state", func() { (*fn)(change) })
		}
	}
}

// startLocked begins to connect if there is a reason to.
func (c *Client) startLocked() {
	if c.connecting || c.closed || c.conn != nil || !c.wantedLocked() {
		return
	}
	c.connecting = true
	c.spawn(c.connect)
}

// wantedLocked reports whether any namespace is to be joined.
func (c *Client) wantedLocked() bool {
	for _, s := range c.order {
		if s.active {
			return true
		}
	}
	return false
}

// wakeLocked lets connect look again, and ends an attempt that is not wanted.
func (c *Client) wakeLocked() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
	if c.cancelDial != nil && (c.closed || !c.wantedLocked()) {
		c.cancelDial()
	}
}

// connect is the goroutine that owns connecting: it makes attempts, with delays
// between them, until one succeeds, the server refuses for good, or no namespace
// is to be joined any more.
func (c *Client) connect() {
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a function of Options
			c.spawn(c.connect)
		}
	}()
	c.connectUntil()
	returned = true
}

func (c *Client) connectUntil() {
	var last error
	for {
		c.mu.Lock()
		if c.restart {
			c.restart, c.attempts, c.lost, last = false, 0, false, nil
		}
		if c.closed || !c.wantedLocked() {
			c.connecting, c.attempts, c.lost = false, 0, false
			c.setStateLocked(Change{To: Idle})
			c.mu.Unlock()
			return
		}
		attempt := c.attempts
		if limit := c.opts.MaxAttempts; limit > 0 && attempt >= limit {
			c.giveUpLocked(&AttemptsError{Attempts: attempt, Err: last})
			return
		}
		if attempt > 0 || c.lost {
			if last == nil {
				last = c.lastErr
			}
			if !c.waitLocked(max(attempt, 1), last) {
				continue
			}
			c.lost = false
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.opts.ConnectTimeout)
		c.attempts++
		c.cancelDial = cancel // which Close calls
		c.setStateLocked(Change{To: Connecting, Attempt: attempt})
		c.mu.Unlock()

		err := c.attempt(ctx, attempt)
		cancel()
		c.mu.Lock()
		c.cancelDial = nil
		if err == nil {
			c.connecting, c.restart = false, c.restart && c.conn == nil
			c.startLocked() // if it has been lost already
			c.mu.Unlock()
			return
		}
		last = err
		var refusal *HandshakeError
		if errors.As(err, &refusal) && refusal.Final {
			c.giveUpLocked(err)
			return
		}
		if !c.restart {
			c.failedLocked(err)
		}
		c.mu.Unlock()
	}
}

// failedLocked notes why the last attempt failed, for those who stop waiting.
func (c *Client) failedLocked(err error) {
	for _, s := range c.order {
		s.lastErr = err
	}
}

// giveUpLocked ends connecting for good, until Connect is called again, and
// unlocks mu.
func (c *Client) giveUpLocked(err error) {
	c.connecting, c.lost = false, false
	c.attempts = 0
	lost := false
	for _, s := range c.order {
		if s.active {
			lost = lost || len(s.waiters) == 0
			s.leaveLocked(ReasonError, err)
		}
	}
	c.setStateLocked(Change{To: Idle, Err: err})
	c.mu.Unlock()
	if lost { // no Connect returns it
		c.report(nil, err)
	}
}

// minDelay is the shortest delay between two attempts.
const minDelay = 50 * time.Millisecond

// delay returns how long to wait before an attempt, counted from 1.
func (c *Client) delay(attempt int) time.Duration {
	limit := c.opts.MaxDelay
	if attempt-1 < 62 {
		if d := c.opts.MinDelay << (attempt - 1); d > 0 && d>>(attempt-1) == c.opts.MinDelay {
			limit = min(limit, d)
		}
	}
	return max(minDelay, rand.N(limit+1))
}

// waitLocked waits before an attempt. It reports whether the time is over; if
// it is not, it has unlocked mu.
func (c *Client) waitLocked(attempt int, last error) bool {
	d := c.delay(attempt)
	c.setStateLocked(Change{To: Waiting, Attempt: attempt, Delay: d, Err: last})
	wake := make(chan struct{})
	c.wake = wake
	c.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			c.mu.Lock()
			c.wake = nil
			return true
		case <-wake:
			c.mu.Lock()
			if c.closed || c.restart {
				c.mu.Unlock()
				return false
			}
			wake = make(chan struct{})
			c.wake = wake
			c.mu.Unlock()
		}
	}
}

// attempt tries once to open a connection.
func (c *Client) attempt(ctx context.Context, attempt int) error {
	cfg, err := c.attemptConfig(ctx, attempt)
	if err != nil {
		return err
	}
	k := &conn{c: c}
	session, err := eioclient.Dial(ctx, cfg, k, k.opened)
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			err = errors.Join(err, cause)
		}
		return handshakeError(err)
	}
	if ctx.Err() != nil && c.unwanted() {
		session.Discard(eioclient.ForcedClose, nil)
	}
	return nil
}

// attemptConfig returns the settings for one attempt. They are those of the client
// where no attempt differs from others.
func (c *Client) attemptConfig(ctx context.Context, attempt int) (*eioclient.Config, error) {
	if c.opts.URL == nil && c.opts.Header == nil && c.base.User == nil {
		return &c.cfg, nil
	}
	cfg := c.cfg
	if fn := c.opts.URL; fn != nil {
		var raw string
		err := c.call("URL", func() (err error) { raw, err = fn(ctx, attempt); return err })
		if err == nil {
			cfg.URL, err = parseURL(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("client: Options.URL: %w", err)
		}
	}
	if fn := c.opts.Header; fn != nil {
		err := c.call("Header", func() (err error) { cfg.Header, err = fn(ctx); return err })
		if err != nil {
			return nil, fmt.Errorf("client: Options.Header: %w", err)
		}
	}
	if user := cfg.URL.User; user != nil {
		u := *cfg.URL
		u.User = nil
		cfg.URL = &u
		cfg.Header = withBasicAuth(cfg.Header, user.Username(), password(user))
	}
	return &cfg, nil
}

func (c *Client) unwanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || !c.wantedLocked()
}

func password(user interface{ Password() (string, bool) }) string {
	p, _ := user.Password()
	return p
}

func withBasicAuth(h http.Header, name, password string) http.Header {
	r := http.Request{Header: h.Clone()}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if r.Header.Get("Authorization") == "" {
		r.SetBasicAuth(name, password)
	}
	return r.Header
}

// Transport returns the transport in use, or 0 while there is no connection. It
// changes from [socketio.Polling] to [socketio.WebSocket] with an upgrade.
func (c *Client) Transport() socketio.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return 0
	}
	return c.conn.transport()
}
