package socketiotest

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// A Client is a real client, of package client, with expectations. Events are queued
// for the expectations in the order in which they arrive, except those for which the
// test has registered a handler with On, [client.On] or [client.Handle].
//
// An expectation that fails ends the test, so expectations must be called by the
// goroutine of the test. They wait for the [Patience] at most. The methods of
// [client.Socket] may be called concurrently.
type Client struct {
	*client.Socket
	T testing.TB // gets the failures

	name      string
	namespace string
	line      *line

	mu      sync.Mutex // guards the following
	events  []event    // not yet expected
	seen    uint64     // events
	joined  []client.Joined
	left    []socketio.Reason
	final   socketio.Reason // why the client does not reconnect; "" if it does
	waits   string          // the expectation that waits
	changed chan struct{}   // closed and replaced with every change
}

// A line is one connection, which the clients of several namespaces share.
type line struct {
	host     *Host
	client   *client.Client
	link     *Link
	packets  packets
	upgrades bool

	mu    sync.Mutex // guards the following
	auths map[string]any
}

// An event is one that has arrived.
type event struct {
	name string
	args socketio.Args
}

func (e event) String() string { return describe(e.name, e.args) }

// listen queues what arrives.
func (c *Client) listen() {
	c.Socket = c.line.client.Of(c.namespace)
	c.OnAny(func(name string, args socketio.Args) {
		handled := c.HasHandlers(name)
		c.change(func() {
			c.seen++
			if !handled {
				c.events = append(c.events, event{name, args})
			}
		})
	})
	c.OnConnect(func(j client.Joined) {
		c.change(func() { c.joined, c.final = append(c.joined, j), "" })
	})
	c.OnDisconnect(func(r socketio.Reason) {
		c.line.packets.note(fmt.Sprintf("%s disconnected: %s", c.namespace, r))
		c.change(func() {
			c.left = append(c.left, r)
			if r == client.ReasonServer || r == client.ReasonClient {
				c.final = r
			}
		})
	})
}

func (c *Client) change(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.line.host.wait)
}

// connect joins the namespace and drops the note of it.
func (c *Client) connect(what string) (err error) {
	ctx, cancel := c.context()
	defer cancel()
	c.line.host.leaks.start(func() { err = c.Connect(ctx) })
	if err != nil {
		return err
	}
	if !c.await(what, func() bool { return len(c.joined) > 0 || len(c.left) > 0 }) {
		return fmt.Errorf("no connection within %v", c.line.host.wait)
	}
	c.change(func() { c.joined = nil })
	if c.line.upgrades {
		return c.upgraded(ctx)
	}
	return nil
}

// upgraded waits until the connection has moved to WebSocket.
func (c *Client) upgraded(ctx context.Context) error {
	again := time.NewTicker(settlePause)
	defer again.Stop()
	for c.Transport() != socketio.WebSocket {
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("no upgrade to WebSocket within %v", c.line.host.wait)
		}
	}
	return nil
}

// Connect joins the namespace; see [client.Socket.Connect]. [Host.Connect] has called it.
func (c *Client) Connect(ctx context.Context) (err error) {
	c.change(func() { c.final = "" })
	pprof.Do(ctx, c.line.host.leaks.labels, func(ctx context.Context) { err = c.Socket.Connect(ctx) })
	return err
}

// await waits until ready, which is called under mu. It reports false if that does not
// happen within the patience.
func (c *Client) await(what string, ready func() bool) bool {
	timer := time.NewTimer(c.line.host.wait)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = what
	for !ready() {
		changed := c.changed
		c.mu.Unlock()
		expired := false
		select {
		case <-changed:
		case <-timer.C:
			expired = true
		}
		c.mu.Lock()
		if expired && !ready() {
			return false // waits is for the failure
		}
	}
	c.waits = ""
	return true
}

// fail ends the test.
func (c *Client) fail(format string, args ...any) {
	c.T.Helper()
	if c.line.host.bubble {
		synctest.Wait() // a handler that is about to return is no hint
	}
	c.T.Fatalf("socketiotest: client %s: %s%s\n%s", c.name, fmt.Sprintf(format, args...), c.line.host.hints(), &c.line.packets)
}

// failWaiting ends the test after a wait that was in vain.
func (c *Client) failWaiting(format string, args ...any) {
	c.T.Helper()
	c.fail("%s%s", fmt.Sprintf(format, args...), c.line.host.waiting())
}

// next takes the next event, and waits for it.
func (c *Client) next(what string) event {
	c.T.Helper()
	ok := c.await(what, func() bool { return len(c.events) > 0 || c.final != "" })
	c.mu.Lock()
	final := c.final
	var e event
	more := len(c.events) > 0
	if more {
		e, c.events = c.events[0], c.events[1:]
	}
	c.mu.Unlock()
	switch {
	case more:
	case ok:
		c.fail("%s: no event will arrive: the client has disconnected: %s", what, final)
	default:
		c.failWaiting("%s: no event within %v", what, c.line.host.wait)
	}
	return e
}

// Next returns the next event, which must be e.
func Next[T any](c *Client, e socketio.Event[T]) T {
	c.T.Helper()
	what := fmt.Sprintf("Next(%q)", string(e))
	got := c.next(what)
	if got.name != string(e) {
		c.fail("%s: the next event is %v", what, got)
	}
	return decode[T](c, what, got)
}

// Await skips events up to the next e, and returns that.
func Await[T any](c *Client, e socketio.Event[T]) T {
	c.T.Helper()
	what := fmt.Sprintf("Await(%q)", string(e))
	return decode[T](c, what, c.skipTo(what, string(e)))
}

func decode[T any](c *Client, what string, e event) (v T) {
	c.T.Helper()
	if err := e.args.Decode(&v); err != nil {
		c.fail("%s: %v does not fit a %T: %v", what, e, v, err)
	}
	return v
}

// Expect checks the next event and all its arguments, which are those that the server
// passes to Emit. They are compared by what they are encoded to: as JSON, and binary data
// as bytes. The offset that a server with [socketio.Options].Recovery appends is ignored.
func (c *Client) Expect(name string, args ...any) {
	c.T.Helper()
	want, err := socketio.EncodeArgs(args...)
	if err != nil {
		c.fail("Expect(%q): %v", name, err)
	}
	got := c.next(fmt.Sprintf("Expect(%q)", name))
	w, g := valuesOf(want), valuesOf(got.args)
	if len(g) == len(w)+1 && c.line.packets.recovers(c.namespace) {
		g = g[:len(w)]
	}
	switch text := diff(w, g); {
	case got.name != name:
		c.fail("Expect: another event\n\twant %s\n\tgot  %v", describe(name, want), got)
	case text != "":
		c.fail("Expect: other arguments\n\twant %s\n\tgot  %v%s", describe(name, want), got, text)
	}
}

// Until skips events up to the next one of that name, and returns its arguments.
// [Await] does the same for typed events.
func (c *Client) Until(name string) socketio.Args {
	c.T.Helper()
	return c.skipTo(fmt.Sprintf("Until(%q)", name), name).args
}

func (c *Client) skipTo(what, name string) event {
	c.T.Helper()
	var skipped []string
	var found *event
	take := func() bool {
		for found == nil && len(c.events) > 0 {
			e := c.events[0]
			c.events = c.events[1:]
			if e.name == name {
				found = &e
				break
			}
			skipped = append(skipped, e.String())
		}
		return found != nil || c.final != ""
	}
	ok := c.await(what, take)
	if found != nil {
		return *found
	}
	text := "; it skipped none"
	if len(skipped) > 0 {
		text = "; it skipped\n\t" + strings.Join(skipped, "\n\t")
	}
	if ok {
		c.fail("%s: the event will not arrive: the client has disconnected: %s%s", what, c.final, text)
	}
	c.failWaiting("%s: the event has not arrived within %v%s", what, c.line.host.wait, text)
	return event{}
}

// Nothing waits until the server has nothing more to do, see [Host.Settle], and checks
// that every event has been expected.
func (c *Client) Nothing() {
	c.T.Helper()
	c.line.host.Settle()
	c.mu.Lock()
	var unread []string
	for _, e := range c.events {
		unread = append(unread, e.String())
	}
	c.mu.Unlock()
	if len(unread) > 0 {
		c.fail("Nothing: %d events are left\n\t%s", len(unread), strings.Join(unread, "\n\t"))
	}
}

// Drain waits until the server has nothing more to do, see [Host.Settle], and discards
// the events that have arrived.
func (c *Client) Drain() {
	c.T.Helper()
	c.line.host.Settle()
	c.change(func() { c.events = nil })
}

// Ask emits an event and returns the arguments of the ack. The test fails if no ack
// arrives, or if it is an error. The function [Ask] does the same for typed calls.
func (c *Client) Ask(name string, args ...any) socketio.Args {
	c.T.Helper()
	return Ask(c, socketio.Call[all, all](name), all{args: args}).got
}

// AskError emits an event that the server must refuse, and returns its error. The
// function [AskError] does the same for typed calls.
func (c *Client) AskError(name string, args ...any) *socketio.Error {
	c.T.Helper()
	return AskError(c, socketio.Call[all, all](name), all{args: args})
}

// all stands for all arguments of an event or ack.
type all struct {
	args []any
	got  socketio.Args
}

// An asker sends a call and keeps what the ack consists of.
type asker struct {
	*client.Socket
	got socketio.Args
}

// EmitWithAck implements [socketio.Caller].
func (a *asker) EmitWithAck(ctx context.Context, event string, args ...any) (_ socketio.Args, err error) {
	if whole, ok := args[0].(all); len(args) == 1 && ok {
		args = whole.args
	}
	a.got, err = a.Socket.EmitWithAck(ctx, event, args...)
	return a.got, err
}

// Ask sends a call and returns the result. The test fails if the server refuses it, or
// does not respond.
func Ask[Req, Res any](c *Client, call socketio.Call[Req, Res], req Req) Res {
	c.T.Helper()
	res, _, err := do(c, fmt.Sprintf("Ask(%q)", string(call)), call, req)
	if err != nil {
		var refused *socketio.Error
		if errors.As(err, &refused) {
			c.fail("Ask(%q): the server refused: %s", string(call), errorText(refused))
		}
		if errors.As(err, new(*socketio.DecodeError)) {
			c.fail("Ask(%q): %v", string(call), err)
		}
		c.failWaiting("Ask(%q): %v", string(call), err)
	}
	return res
}

// AskError sends a call that the server must refuse, and returns its error.
func AskError[Req, Res any](c *Client, call socketio.Call[Req, Res], req Req) *socketio.Error {
	c.T.Helper()
	_, got, err := do(c, fmt.Sprintf("AskError(%q)", string(call)), call, req)
	var refused *socketio.Error
	switch {
	case err == nil:
		c.fail("AskError(%q): the server did not refuse: it responded with %s", string(call), describe("", got))
	case !errors.As(err, &refused):
		c.failWaiting("AskError(%q): %v", string(call), err)
	}
	return refused
}

func do[Req, Res any](c *Client, what string, call socketio.Call[Req, Res], req Req) (res Res, got socketio.Args, err error) {
	ctx, cancel := c.context()
	defer cancel()
	c.mu.Lock()
	c.waits = what
	c.mu.Unlock()
	to := &asker{Socket: c.Socket}
	res, err = call.Do(ctx, to, req)
	if whole, ok := any(&res).(*all); ok {
		whole.got = to.got
		var decode *socketio.DecodeError
		if errors.As(err, &decode) { // nothing was to be decoded
			err = nil
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return res, to.got, fmt.Errorf("no ack within %v", c.line.host.wait)
	}
	c.mu.Lock()
	c.waits = ""
	c.mu.Unlock()
	return res, to.got, err
}

// Left waits until the client has left its namespace or has lost its connection, and
// returns why. Each reason is returned once.
func (c *Client) Left() socketio.Reason {
	c.T.Helper()
	if !c.await("Left", func() bool { return len(c.left) > 0 }) {
		c.failWaiting("Left: the client is still connected after %v", c.line.host.wait)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.left[0]
	c.left = c.left[1:]
	return r
}

// Reconnect cuts the connection and waits until the client has joined again. What it
// returns says whether the server has recovered the session.
func (c *Client) Reconnect() client.Joined {
	c.T.Helper()
	if c.Transport() == socketio.Polling {
		c.line.host.Settle() // a poll must be under way, or the cut is not noticed
	}
	c.change(func() { c.joined, c.left = nil, nil })
	c.line.link.Cut()
	c.Left()
	return c.Rejoined()
}

// Rejoined waits until a client that has lost its connection has joined again. Each
// time is returned once.
func (c *Client) Rejoined() client.Joined {
	c.T.Helper()
	if !c.await("Rejoined", func() bool { return len(c.joined) > 0 || c.final != "" }) {
		c.failWaiting("Rejoined: the client has not connected within %v", c.line.host.wait)
	}
	c.mu.Lock()
	final := c.final
	more := len(c.joined) > 0
	var j client.Joined
	if more {
		j, c.joined = c.joined[0], c.joined[1:]
	}
	c.mu.Unlock()
	if !more {
		c.fail("Rejoined: the client does not reconnect: it has disconnected: %s", final)
	}
	return j
}

// Close closes the connection at once, with all its namespaces, and returns when the
// server has seen that; see [Host.Settle].
func (c *Client) Close() {
	c.T.Helper()
	if c.Transport() == socketio.Polling {
		c.line.host.Settle() // a poll must be under way, or the server does not see the end
	}
	_ = c.line.client.Close()
	c.line.host.Settle()
}

// Link returns the network between the client and the server.
func (c *Client) Link() *Link { return c.line.link }

// Transport returns the transport in use; see [client.Client.Transport].
func (c *Client) Transport() socketio.Transport { return c.line.client.Transport() }
