package tests_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A fault is what code of the application does once, at the place where the server
// calls it, for one client.
type fault struct {
	t        *testing.T
	front    string // the URL of a server in front of srv, for some places
	kind     string
	via      carrier
	armed    atomic.Bool
	carrying atomic.Bool   // the place has been reached, and what it causes is to fail
	done     chan struct{} // closed when it begins
	release  chan struct{} // closed when it may end
	srv      *siotest.Server
	other    *socketio.Server // of the same cluster, for some places
	socket   atomic.Pointer[socketio.Socket]
}

var faultKinds = []string{"panic", "Goexit", "nil pointer", "block", "re-enter"}

// act is what the functions of the application call at their place.
func (m *fault) act() {
	switch {
	case m.via.act == nil:
		m.strike()
	case m.armed.Load():
		m.carrying.Store(true)
		m.via.act(m)
	}
}

// strikeCarried is strike for what other code than the carrier also calls.
func (m *fault) strikeCarried() {
	if m.carrying.Load() {
		m.strike()
	}
}

// strike does what the fault is.
func (m *fault) strike() {
	if !m.armed.CompareAndSwap(true, false) {
		return
	}
	close(m.done)
	switch m.kind {
	case "panic":
		panic("fault")
	case "Goexit":
		runtime.Goexit()
	case "nil pointer":
		var p *struct{ value int }
		p.value++
	case "block":
		<-m.release
	case "re-enter":
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		_ = m.srv.Emit("re-enter")
		_, _ = m.srv.EmitWithAck(ctx, "re-enter")
		_ = m.srv.Stats()
		m.srv.Of("/re-enter")
		if s := m.socket.Load(); s != nil {
			_ = s.Emit("re-enter")
			_, _ = s.EmitWithAck(ctx, "re-enter")
			_ = s.Join("re-enter")
			_ = s.To("re-enter").Emit("re-enter")
			s.Leave("re-enter")
			s.Handshake()
			_ = s.Disconnect()
			_ = s.CloseConnection()
		}
	}
}

// A place is where the server calls code of the application.
type place struct {
	name     string
	options  func(m *fault, o *socketio.Options)
	install  func(m *fault, srv *siotest.Server)
	early    bool                              // it is called before the client has joined
	trigger  func(m *fault, c *siotest.Client) // what the client does; nil means `421["e",1]`
	quiet    bool                              // the panic is an error of a call, or ends in OnError or the Logger itself
	own      bool                              // the goroutine is not the server's: Shutdown does not wait for it
	closes   bool                              // the server is being shut down
	harmless bool                              // nothing panics
	value    bool                              // the place is that of a value: it has no carriers
	not      map[string]string                 // kinds and carriers that can't occur, and why
}

// A carrier is how the fault of a function strikes: at once, or by a value.
type carrier struct {
	name    string
	options func(m *fault, o *socketio.Options)
	act     func(m *fault)
	quiet   bool
}

// carriers are the kinds of values that any function of the application can have
// called, directly or by its own panic. The rest of the values have places of their
// own.
var carriers = []carrier{
	{name: "itself"},
	{name: "a Marshaler", quiet: true, act: func(m *fault) { _ = m.srv.Emit("x", badJSON{m}) }},
	{name: "a TextMarshaler", quiet: true, act: func(m *fault) { _ = m.srv.Emit("x", []any{badText{m}}) }},
	{name: "a context", quiet: true, act: func(m *fault) {
		_, _ = m.srv.EmitWithAck(badContext{context.Background(), m, "Deadline"}, "x")
	}},
	{name: "a Codec", quiet: true, options: func(m *fault, o *socketio.Options) { o.Codec = badCodec{m, "carried"} },
		act: func(m *fault) { _ = m.srv.Emit("x") }},
	{name: "the Error of a panic's value", options: func(m *fault, o *socketio.Options) { o.Logger = discard },
		act: func(m *fault) { panic(&badError{m, "Error"}) }},
	{name: "the Logger", options: func(m *fault, o *socketio.Options) { o.Logger = badLogger(m) },
		act: func(m *fault) { panic("carried") }},
	{name: "OnError", quiet: true, options: func(m *fault, o *socketio.Options) {
		o.OnError = func(*socketio.Socket, error) { m.strikeCarried() }
	}, act: func(m *fault) { panic("carried") }},
}

// leftOut are the values that only places of their own call, and why.
var leftOut = []string{
	"fs.FS elsewhere: only a request for a file of the browser client opens it",
	"Unmarshaler elsewhere: the server decodes arguments for handlers only; Args.Decode calls it on the goroutine of its caller, as any function",
	"bodies, responses and connections elsewhere: only the transports read and write",
	"Is of an error: no error of the application is compared with another",
	"the factory of an interceptor: there is none",
	"Unwrap of a panic's value: a PanicError is looked for, and is found before",
	"LogValuer: lines of the log hold texts only; see TestNoMethodOfTheLogIsCalled",
}

// Nothing that a function or a value of the application does ends the process,
// or is noticed by another client.
func TestApplicationCannotEndTheProcess(t *testing.T) {
	if os.Getenv("SOCKETIO_FAULTS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestApplicationCannotEndTheProcess$", "-test.v", "-test.timeout=5m", "-test.parallel=32")
		cmd.Env = append(os.Environ(), "SOCKETIO_FAULTS=1")
		out, err := cmd.CombinedOutput()
		counted := regexp.MustCompile(`cells: (\d+)`).FindSubmatch(out)
		if err != nil || counted == nil {
			t.Fatalf("the process ended with %v:\n%s", err, failures(out))
		}
		for _, line := range regexp.MustCompile(`(?m)^left out: .*$`).FindAll(out, -1) {
			t.Logf("%s", line)
		}
		t.Logf("%s cells", counted[1])
		if n, _ := strconv.Atoi(string(counted[1])); n < minCells {
			t.Errorf("only %d cells", n)
		}
		return
	}
	var cells atomic.Int32
	t.Cleanup(func() { fmt.Println("cells:", cells.Load()) })
	for _, why := range leftOut {
		fmt.Println("left out:", why)
	}
	for _, p := range places() {
		for _, via := range carriers {
			if p.value && via.act != nil {
				continue
			}
			if why, never := p.not[via.name]; never {
				fmt.Printf("left out: %s/%s: %s\n", p.name, via.name, why)
				continue
			}
			for _, kind := range faultKinds {
				if why, never := p.not[kind]; never && via.act == nil {
					fmt.Printf("left out: %s/%s: %s\n", p.name, kind, why)
					continue
				}
				t.Run(p.name+"/"+via.name+"/"+kind, func(t *testing.T) {
					t.Parallel()
					cells.Add(1)
					testFault(t, p, via, kind)
				})
			}
		}
	}
}

const minCells = 1800

// failures returns the lines of a test's output that are not about what has passed.
func failures(out []byte) []byte {
	return regexp.MustCompile(`(?m)^(=== .*|\s*--- PASS.*|left out.*)\n`).ReplaceAll(out, nil)
}

func testFault(t *testing.T, p place, via carrier, kind string) {
	m := &fault{t: t, kind: kind, via: via, done: make(chan struct{}), release: make(chan struct{})}
	opts := &socketio.Options{AckTimeout: 100 * time.Millisecond}
	if p.options != nil {
		p.options(m, opts)
	}
	if via.options != nil {
		via.options(m, opts)
	}
	srv := siotest.ServeInMemory(t, opts)
	m.srv = srv
	bystander := srv.Join(t, siotest.WebSocket)
	srv.Use(func(_ context.Context, s *socketio.Socket) error { m.socket.CompareAndSwap(nil, s); return nil })
	if p.install != nil {
		p.install(m, srv)
	}
	released := false
	free := func() {
		if !released {
			released = true
			close(m.release)
		}
	}
	t.Cleanup(free)
	victim := srv.Open(t, siotest.WebSocket)
	trigger := p.trigger
	if p.early {
		m.armed.Store(true)
		victim.Write("40")
	} else {
		victim.Write("40")
		victim.WantConnect("/")
		victim.WantNothing()
		m.armed.Store(true)
		if trigger == nil {
			trigger = says(`421["e",1]`)
		}
	}
	triggered := make(chan struct{})
	go func() {
		defer close(triggered)
		if trigger != nil {
			trigger(m, victim)
		}
	}()
	siotest.Receive(t, m.done) // the place was reached
	if !p.closes {
		newcomer := srv.Open(t, siotest.WebSocket)
		newcomer.Write("40")
		for _, c := range []*siotest.Client{bystander, newcomer} {
			c.Write(`421["echo",1]`)
			for packet := c.Read(); packet != `431[1]`; { // what the fault emits may come before
				packet = c.Read()
			}
		}
	}
	switch kind {
	case "panic", "Goexit", "nil pointer":
		if !p.quiet && !via.quiet {
			wantPanicError(t, srv)
		}
		if !p.harmless && kind != "Goexit" || !p.quiet && !via.quiet {
			wantCounted(t, srv)
		}
	case "block":
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if via.act != nil { // it has begun to close when the function returns
			time.AfterFunc(40*time.Millisecond, free)
		}
		if err := srv.Shutdown(ctx); err == nil && !p.own && via.act == nil {
			t.Error("Shutdown returned no error")
		}
		if via.act == nil {
			free()
		}
	}
	<-triggered
}

// wantPanicError waits until OnError is called with a PanicError.
func wantPanicError(t *testing.T, srv *siotest.Server) {
	t.Helper()
	for {
		var p *socketio.PanicError
		if errors.As(siotest.Receive(t, srv.Errors), &p) {
			return
		}
	}
}

// wantCounted waits until a panic is counted.
func wantCounted(t *testing.T, srv *siotest.Server) {
	t.Helper()
	siotest.WaitFor(t, "a panic to be counted", func() bool { return srv.Stats().Panics > 0 })
}
