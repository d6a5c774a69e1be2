package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// A load is one run of socketio load.
type load struct {
	d       *dialer
	url     string
	clients int
	ramp    time.Duration
	during  time.Duration
	rate    float64 // events a second, of each client
	event   string
	ack     bool
	size    int
	join    string
	rooms   int
	receive string
	storm   time.Duration
	id      string

	joined    atomic.Int64 // clients that are joined now
	everyone  atomic.Int64 // clients that have ever joined
	gaveUp    atomic.Int64 // clients that do not try any more
	emitted   atomic.Uint64
	pending   atomic.Int64
	acked     atomic.Uint64
	refused   atomic.Uint64 // events that Emit refused
	failed    atomic.Uint64 // events whose ack failed
	received  counts        // events, by name
	packetsIn counts        // packets, by type
	packets   counts        // packets that were sent, by type
	errors    counts        // by reason
	acks      histogram
	delivery  histogram
	lateness  histogram
	rejoined  histogram
	storms    atomic.Int64
}

func loadTest(ctx context.Context, c *invocation) error {
	l := &load{d: c.dialer(), id: fmt.Sprintf("%x", rand.Uint32())}
	f := c.flags
	f.IntVar(&l.clients, "clients", 100, "how many clients")
	f.DurationVar(&l.ramp, "ramp", 5*time.Second, "the time in which they connect, evenly")
	f.DurationVar(&l.during, "for", 10*time.Second, "how long all of them emit")
	f.Float64Var(&l.rate, "rate", 1, "events a second that each client emits")
	f.StringVar(&l.event, "event", "message", "name of the `event`; its argument is an object with the time and the room")
	f.BoolVar(&l.ack, "ack", false, "wait for an answer to each event, and measure how long it takes")
	f.IntVar(&l.size, "size", 0, "at least so many `bytes` of data in each event")
	f.StringVar(&l.join, "join", "", "`event` that is emitted once by each client, with the name of a room")
	f.IntVar(&l.rooms, "rooms", 10, "how many rooms there are, with -join")
	f.StringVar(&l.receive, "receive", "", "`event` of the server that carries the same object: how long it takes is measured")
	f.DurationVar(&l.storm, "storm", 0, "cut all connections at once after this `time` of each, and measure the reconnections")
	file := f.String("json", "", "`file` for the report as JSON, - for the standard output in place of the text")
	quiet := f.Bool("quiet", false, "no progress")
	if err := c.parse(0, 1); err != nil {
		return err
	}
	l.url = "http://127.0.0.1:3000" // nothing else is loaded unless it is named
	if len(c.args) > 0 {
		l.url = c.args[0]
	}
	if l.clients < 1 || l.rate < 0 || l.rooms < 1 {
		return &exitError{exitUsage, errors.New("-clients and -rooms are 1 at least, -rate is not negative")}
	}
	progress := c.stderr
	if *quiet {
		progress = io.Discard
	}
	r, err := l.run(ctx, progress)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	switch *file {
	case "-":
		_, err = c.stdout.Write(text)
	case "":
		_, err = io.WriteString(c.stdout, r.String())
	default:
		if _, err = io.WriteString(c.stdout, r.String()); err == nil {
			err = os.WriteFile(*file, text, 0o666)
		}
	}
	if err == nil && r.Joined == 0 {
		err = &exitError{exitFailed, errors.New("no client could join")}
	}
	return err
}

// run runs the clients, and returns the report.
func (l *load) run(ctx context.Context, progress io.Writer) (*report, error) {
	if _, err := l.d.options(0); err != nil {
		return nil, err
	}
	if _, err := client.New(l.url, nil); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	start := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		l.progress(ctx, progress, start)
	}()

	emitting, end := context.WithCancel(ctx)
	defer end()
	users := make([]*user, l.clients)
	var running sync.WaitGroup
	for i := range users {
		users[i] = &user{load: l, number: i}
		running.Go(func() { users[i].run(ctx, emitting) })
	}
	stormed := make(chan struct{})
	go func() {
		defer close(stormed)
		l.stormy(emitting, users)
	}()
	wait(ctx, l.ramp)
	l.settle(ctx)
	wait(ctx, l.during)
	end()
	<-stormed
	l.drain(ctx)
	r := l.report(time.Since(start))
	stop()
	running.Wait()
	<-shown
	for _, u := range users {
		r.add(u.stats)
	}
	r.finish()
	return r, nil
}

// wait waits for a time, or for the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// settle waits until every client has joined or failed, or for the timeout.
func (l *load) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.d.timeout)
	defer cancel()
	for ctx.Err() == nil && l.everyone.Load()+l.gaveUp.Load() < int64(l.clients) {
		wait(ctx, 10*time.Millisecond)
	}
}

// drain waits until all answers have come, and nothing else comes.
func (l *load) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.d.timeout)
	defer cancel()
	last, quiet := uint64(0), 0
	for ctx.Err() == nil && quiet < 10 {
		wait(ctx, 50*time.Millisecond)
		if now := l.packetsIn.total(); now == last && l.pending.Load() == 0 {
			quiet++
		} else {
			last, quiet = now, 0
		}
	}
}

// stormy cuts all connections, again and again.
func (l *load) stormy(ctx context.Context, users []*user) {
	for l.storm > 0 {
		wait(ctx, l.storm)
		if ctx.Err() != nil {
			return
		}
		l.storms.Add(1)
		for _, u := range users {
			u.cut()
		}
	}
}

// A user is one client of a load.
type user struct {
	load   *load
	number int
	stats  client.Stats

	mu    sync.Mutex
	conns []net.Conn
	since time.Time // when its connection was cut
}

func (u *user) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil && u.load.storm > 0 {
		u.mu.Lock()
		u.conns = append(u.conns, conn)
		u.mu.Unlock()
	}
	return conn, err
}

func (u *user) cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.conns {
		c.Close()
	}
	u.conns = nil
	u.since = time.Now()
}

// run connects, and emits until emitting ends. It disconnects when ctx ends.
func (u *user) run(ctx, emitting context.Context) {
	l := u.load
	wait(emitting, time.Duration(float64(l.ramp)*float64(u.number)/float64(l.clients)))
	if emitting.Err() != nil {
		return
	}
	opts, err := l.d.options(0)
	if err != nil {
		return // run has checked it
	}
	opts.Dial = u.dial
	opts.Offline = client.Refuse // an event that waits for a connection measures the outage
	opts.Hooks = &client.Hooks{
		PacketIn:  func(p client.Packet) { l.packetsIn.add(p.Type) },
		PacketOut: func(p client.Packet) { l.packets.add(p.Type) },
	}
	cl, err := client.New(l.url, opts)
	if err != nil {
		l.errors.add(reasonOf(err))
		return
	}
	s := cl.Of(l.d.namespaces[0])
	u.watch(cl, s)
	if err := s.Connect(emitting); err != nil {
		l.gaveUp.Add(1)
		if emitting.Err() == nil {
			l.errors.add(reasonOf(err))
		} else {
			l.errors.add("not joined in time")
		}
	} else {
		u.emit(emitting, s)
	}
	<-ctx.Done()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.d.timeout)
	defer cancel()
	_ = cl.Shutdown(closing) // what was not sent is in the stats
	u.stats = cl.Stats()
}

// watch counts what comes, and what becomes of the connection.
func (u *user) watch(cl *client.Client, s *client.Socket) {
	l := u.load
	s.OnConnect(func(j client.Joined) {
		l.joined.Add(1)
		if j.First {
			l.everyone.Add(1)
		}
		u.mu.Lock()
		since := u.since
		u.since = time.Time{}
		u.mu.Unlock()
		if !since.IsZero() {
			l.rejoined.add(time.Since(since))
		}
		if l.join != "" {
			_ = s.Emit(l.join, u.room()) // it is joined
		}
	})
	s.OnDisconnect(func(reason socketio.Reason) {
		l.joined.Add(-1)
		if reason != client.ReasonClient {
			l.errors.add("disconnected: " + string(reason))
		}
	})
	cl.OnState(func(c client.Change) {
		if c.To == client.Waiting && c.From == client.Connecting && c.Err != nil {
			l.errors.add("attempt failed: " + reasonOf(c.Err))
		}
	})
	s.OnAny(func(event string, args socketio.Args) {
		l.received.add(event)
		if l.receive != "" && event == l.receive {
			var sent message
			if args.Decode(&sent) == nil && sent.Load == l.id {
				l.delivery.add(time.Since(time.UnixMicro(sent.At)))
			}
		}
	})
}

// A message is the argument of the events.
type message struct {
	Load string `json:"load"` // the run
	Room string `json:"room"`
	At   int64  `json:"at"` // microseconds of Unix time
	Pad  string `json:"pad,omitempty"`
}

func (u *user) room() string { return fmt.Sprintf("room-%d", u.number%u.load.rooms) }

// emit emits at the rate, whatever the answers take.
func (u *user) emit(ctx context.Context, s *client.Socket) {
	l := u.load
	if l.rate == 0 {
		return
	}
	pad := strings.Repeat("x", l.size)
	interval := time.Duration(float64(time.Second) / l.rate)
	next := time.Now().Add(time.Duration(rand.Float64() * float64(interval)))
	for {
		wait(ctx, time.Until(next))
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		l.lateness.add(now.Sub(next))
		args := []any{message{l.id, u.room(), now.UnixMicro(), pad}}
		if l.ack {
			args = append(args, func(_ socketio.Args, err error) {
				l.pending.Add(-1)
				if err != nil {
					l.failed.Add(1)
					l.errors.add("no answer: " + reasonOf(err))
					return
				}
				l.acked.Add(1)
				l.acks.add(time.Since(now))
			})
			l.pending.Add(1)
		}
		l.emitted.Add(1)
		if err := s.Emit(l.event, args...); err != nil {
			l.refused.Add(1)
			l.errors.add("not emitted: " + reasonOf(err))
			if l.ack {
				l.pending.Add(-1)
			}
		}
		next = next.Add(interval)
	}
}

// reasonOf returns what errors of one kind have in common.
func reasonOf(err error) string {
	var handshake *client.HandshakeError
	var refused *client.RefusedError
	var lost *client.LostError
	var op *net.OpError
	switch {
	case errors.As(err, &refused):
		return "refused: " + refused.Err.Message
	case errors.As(err, &lost):
		return "connection lost: " + string(lost.Reason)
	case errors.As(err, &handshake) && handshake.Status != 0:
		return fmt.Sprintf("status %d %s", handshake.Status, handshake.Message)
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.Is(err, context.Canceled):
		return "stopped"
	case errors.Is(err, client.ErrOffline):
		return "offline"
	case errors.Is(err, client.ErrBufferFull):
		return "buffer full"
	case errors.Is(err, client.ErrTooManyAcks):
		return "too many pending answers"
	case errors.As(err, &op) && op.Err != nil:
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// progress prints a line each second.
func (l *load) progress(ctx context.Context, w io.Writer, start time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var emitted, acked, received uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e, a, r := l.emitted.Load(), l.acked.Load(), l.received.total()
		fmt.Fprintf(w, "%4.0fs  %d of %d joined   a second: %d emitted, %d answered, %d received   errors: %d\n",
			time.Since(start).Seconds(), l.joined.Load(), l.clients, e-emitted, a-acked, r-received, l.errors.total())
		emitted, acked, received = e, a, r
	}
}
