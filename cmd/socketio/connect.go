package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

const help = `  EVENT [ARGUMENT...]        emit an event; arguments are JSON, words, or @file for binary data
  emit EVENT [ARGUMENT...]   the same
  ask EVENT [ARGUMENT...]    emit it and show the answer
  join NAMESPACE [AUTH]      join a namespace, and use it
  use NAMESPACE              use one that is joined
  leave [NAMESPACE]          leave it
  cut                        cut the network connection: the client reconnects
  disconnect, reconnect      leave all namespaces, and join them again
  status                     transport, ids and counters
  help, quit
`

// A session is one run of socketio connect.
type session struct {
	c    *invocation
	d    *dialer
	cl   *client.Client
	show *printer
	asks sync.WaitGroup // and joins

	upgrades bool // connections begin with polling

	mu      sync.Mutex
	current string
	joined  []string                 // in order
	shown   map[string]chan struct{} // by namespace: that it is joined was shown
	conns   map[net.Conn]bool
	leaving bool
}

func connect(ctx context.Context, c *invocation) error {
	d := c.dialer()
	if err := c.parse(1, 1); err != nil {
		return err
	}
	in, isFile := c.stdin.(*os.File)
	interactive := isFile && term.IsTerminal(int(in.Fd()))
	attempts := 1
	if interactive {
		attempts = 0
	}
	opts, err := d.options(attempts)
	if err != nil {
		return err
	}
	s := &session{c: c, d: d, current: d.namespaces[0], conns: make(map[net.Conn]bool), shown: make(map[string]chan struct{})}
	opts.Dial = s.dial
	s.upgrades = opts.Transports[0] == socketio.Polling && !opts.DisableUpgrade
	s.cl, err = client.New(c.args[0], opts)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer s.cl.Close()
	out, isFile := c.stdout.(*os.File)
	colored := isFile && term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == ""
	s.show = &printer{w: c.stdout, colored: colored}
	if interactive {
		return s.terminal(ctx, in)
	}
	return s.pipe(ctx)
}

// terminal reads commands that a person types.
func (s *session) terminal(ctx context.Context, in *os.File) error {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(int(in.Fd()), state) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, s.c.stdout}, "")
	if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
		_ = t.SetSize(width, height) // it is drawn for 80 columns otherwise
	}
	s.show.w = t
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.watch(ctx)
	go func() { _ = s.joinAll(ctx) }() // it shows its error
	lines, next := make(chan string), make(chan bool, 1)
	go func() { // a read of a terminal can't be interrupted
		defer close(lines)
		for range next {
			t.SetPrompt(s.prompt())
			line, err := t.ReadLine()
			if err != nil { // Ctrl-D and Ctrl-C are io.EOF
				return
			}
			lines <- line
		}
	}()
	for open := true; open; {
		next <- true
		select {
		case line, ok := <-lines:
			open = ok && s.command(ctx, t, line)
		case <-ctx.Done():
			open = false
		}
	}
	s.show.line(dim, "bye")
	return nil
}

// pipe reads commands from a program, one after another.
func (s *session) pipe(ctx context.Context) error {
	s.watch(ctx)
	if err := s.joinAll(ctx); err != nil {
		return err
	}
	lines := bufio.NewScanner(s.c.stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() && ctx.Err() == nil {
		if !s.command(ctx, s.c.stdout, lines.Text()) {
			break
		}
		s.asks.Wait() // so that the output has the order of the commands
	}
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	return s.d.close(ctx, s.cl)
}

// dial opens a connection that the command cut can close.
func (s *session) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
	}
	return conn, err
}

func (s *session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
	clear(s.conns)
}

func (s *session) prompt() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current + "> "
}

// watch shows what becomes of the connection.
func (s *session) watch(ctx context.Context) {
	s.cl.OnState(func(c client.Change) {
		switch c.To {
		case client.Connected:
			if s.upgrades { // it may have happened already
				go s.upgrade(ctx)
			}
		case client.Waiting:
			s.show.line(red, "%v; next attempt in %v", c.Err, c.Delay.Round(time.Millisecond))
		case client.Idle:
			if c.Err != nil {
				s.show.line(red, "%v", c.Err)
			}
		}
	})
}

func name(t socketio.Transport) string {
	switch t {
	case socketio.WebSocket:
		return "websocket"
	case socketio.Polling:
		return "polling"
	}
	return "nothing"
}

// upgrade shows when a connection changes from polling to WebSocket.
func (s *session) upgrade(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && s.cl.State() == client.Connected {
		if s.cl.Transport() == socketio.WebSocket {
			s.show.line(green, "upgraded to websocket")
			return
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// joinAll joins the namespaces of the flags.
func (s *session) joinAll(ctx context.Context) error {
	for _, n := range s.d.namespaces {
		if err := s.join(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// join joins a namespace, and shows its events.
func (s *session) join(ctx context.Context, namespace string) error {
	socket := s.cl.Of(namespace)
	if socket.Connected() {
		return nil
	}
	s.mu.Lock()
	shown, known := s.shown[namespace]
	if !known {
		shown = make(chan struct{}, 1)
		s.shown[namespace] = shown
		s.joined = append(s.joined, namespace)
	}
	s.mu.Unlock()
	if !known {
		socket.OnConnect(func(j client.Joined) {
			recovered := ""
			if j.Recovered {
				recovered = ", recovered"
			}
			s.show.line(green, "joined %s as %s over %s%s", namespace, j.ID, name(s.cl.Transport()), recovered)
			select {
			case shown <- struct{}{}:
			default:
			}
		})
		socket.OnDisconnect(func(reason socketio.Reason) {
			s.mu.Lock()
			leaving := s.leaving
			s.mu.Unlock()
			if !leaving {
				s.show.line(red, "left %s: %s", namespace, reason)
			}
		})
		socket.OnAny(func(event string, args socketio.Args) {
			s.show.event(namespace, event, decoded(args))
		})
	}
	if err := socket.Connect(ctx); err != nil {
		err = failure("join", err)
		s.show.line(red, "%v", err)
		return &exitError{err.(*exitError).code, nil} //nolint:errorlint,forcetypeassert // failure returns no other
	}
	select { // before what is done next
	case <-shown:
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return nil
}

// command runs one line. It returns false to quit.
func (s *session) command(ctx context.Context, out io.Writer, line string) bool {
	list := words(line)
	if len(list) == 0 {
		return true
	}
	namespace := s.use("")
	if len(list) > 1 && strings.HasPrefix(list[1], "/") {
		namespace = list[1]
	}
	switch verb, rest := list[0], list[1:]; verb {
	case "quit", "exit":
		return false
	case "help", "?":
		fmt.Fprint(out, help)
	case "emit":
		s.emit(rest)
	case "ask":
		s.ask(ctx, rest)
	case "join":
		if len(rest) == 0 || !strings.HasPrefix(rest[0], "/") {
			s.show.line(red, "usage: join NAMESPACE [AUTH]")
			break
		}
		if len(rest) > 1 {
			s.d.setAuth(namespace, json.RawMessage(rest[1]))
		}
		s.use(namespace)
		s.asks.Go(func() { _ = s.join(ctx, namespace) }) // it shows its error
	case "use":
		s.use(namespace)
	case "leave":
		_ = s.cl.Of(namespace).Disconnect() // it is left
	case "cut":
		s.cut()
	case "disconnect":
		for _, n := range s.namespaces() {
			_ = s.cl.Of(n).Disconnect()
		}
	case "reconnect":
		for _, n := range s.namespaces() {
			s.asks.Go(func() { _ = s.join(ctx, n) })
		}
	case "status":
		s.status()
	default:
		s.emit(list)
	}
	return true
}

// use sets the current namespace unless it is "", and returns it.
func (s *session) use(namespace string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if namespace != "" {
		s.current = namespace
	}
	return s.current
}

func (s *session) namespaces() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.joined...)
}

func (s *session) emit(list []string) {
	if len(list) == 0 {
		s.show.line(red, "usage: emit EVENT [ARGUMENT...]")
		return
	}
	args, err := parseArguments(list[1:])
	if err == nil {
		err = s.cl.Of(s.use("")).Emit(unquoted(list[0]), args...)
	}
	if err != nil {
		s.show.line(red, "%v", err)
	}
}

// unquoted returns the name of an event, which may be a JSON string.
func unquoted(word string) string {
	var name string
	if json.Unmarshal([]byte(word), &name) == nil {
		return name
	}
	return word
}

func (s *session) ask(ctx context.Context, list []string) {
	if len(list) == 0 {
		s.show.line(red, "usage: ask EVENT [ARGUMENT...]")
		return
	}
	args, err := parseArguments(list[1:])
	if err != nil {
		s.show.line(red, "%v", err)
		return
	}
	namespace, event := s.use(""), unquoted(list[0])
	s.asks.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, s.d.timeout)
		defer cancel()
		start := time.Now()
		answer, err := s.cl.Of(namespace).EmitWithAck(ctx, event, args...)
		if err != nil {
			s.show.line(red, "%v", failure(event, err))
			return
		}
		s.show.answer(event, decoded(answer), time.Since(start))
	})
}

func (s *session) status() {
	s.show.line(dim, "%s over %s", s.cl.State(), name(s.cl.Transport()))
	for _, n := range s.namespaces() {
		if socket := s.cl.Of(n); socket.Connected() {
			s.show.line(dim, "%s as %s", n, socket.ID())
		} else {
			s.show.line(dim, "%s is not joined", n)
		}
	}
	st := s.cl.Stats()
	s.show.line(dim, "emitted %d, written %d, buffered %d, dropped %d", st.Emitted, st.Written, st.Buffered, st.Dropped.Total())
}
