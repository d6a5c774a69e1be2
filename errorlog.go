package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// An errorLog writes errors to a [slog.Logger]. Clients can cause errors as fast as
// they can send, so each kind of error has a rate limit of its own.
//
// The messages are constants, and everything else is an attribute: clients may send
// line breaks, and the handler of [slog.Default] quotes attributes only. Attributes
// are plain values, so the handler does not call methods of the application's values.
type errorLog struct {
	to *slog.Logger // nil means slog.Default at the time of logging

	mu    sync.Mutex // guards the following
	kinds [errorKinds]logRate
}

// A logRate counts the lines of one kind of error.
type logRate struct {
	since    time.Time // the beginning of the second in which lines are counted
	lines    int
	withheld int // lines withheld since the last one
}

const (
	maxLogLines = 20  // of one kind, per second
	maxLogText  = 500 // bytes of a text, which a client may have sent
	maxFrames   = 32  // of the stack of a panic
)

// logKinds holds the level and message of each kind.
var logKinds = [errorKinds]struct {
	level   slog.Level
	message string
}{
	otherError:     {slog.LevelWarn, "socketio: error"},
	refusedError:   {slog.LevelInfo, "socketio: request refused"},
	packetError:    {slog.LevelInfo, "socketio: connection closed for a bad packet"},
	recoveryError:  {slog.LevelInfo, "socketio: session not recovered"},
	argumentError:  {slog.LevelInfo, "socketio: arguments do not fit the handler"},
	handlerError:   {slog.LevelWarn, "socketio: handler failed"},
	stuckError:     {slog.LevelWarn, "socketio: handler is stuck"},
	panicError:     {slog.LevelError, "socketio: panic"},
	unhandledEvent: {slog.LevelDebug, "socketio: event without a handler"},
	unansweredAck:  {slog.LevelDebug, "socketio: socket left without answers"},
}

func (l *errorLog) logger() *slog.Logger {
	if l.to != nil {
		return l.to
	}
	return slog.Default()
}

// write logs an error. s is nil if it concerns no socket, event is empty if it
// concerns no event.
func (l *errorLog) write(kind errorKind, s *Socket, event string, err error) {
	if !l.logger().Enabled(context.Background(), logKinds[kind].level) {
		return
	}
	if withheld, ok := l.allow(kind, time.Now()); ok {
		l.line(kind, s, withheld, describe(event, err)...)
	}
}

// line logs a line that allow has permitted.
func (l *errorLog) line(kind errorKind, s *Socket, withheld int, more ...slog.Attr) {
	style := &logKinds[kind]
	var attrs []slog.Attr
	if s != nil {
		attrs = append(attrs, slog.Any("socket", s))
	}
	attrs = append(attrs, more...)
	if withheld > 0 {
		attrs = append(attrs, slog.Int("withheld", withheld))
	}
	l.logger().LogAttrs(context.Background(), style.level, style.message, attrs...)
}

// describe returns the attributes for an error.
func describe(event string, err error) (attrs []slog.Attr) {
	add := func(key string, value any) {
		if text := shorten(fmt.Sprint(value), maxLogText); text != "" { // Sprint recovers panics of methods
			attrs = append(attrs, slog.String(key, text))
		}
	}
	var panicked *PanicError
	switch e := err.(type) { //nolint:errorlint // our own types, never wrapped: errors.As would call methods of the application
	case *RefusedError:
		attrs = append(attrs, slog.Int("status", e.Status), slog.Int("code", e.Code))
		add("message", e.Message)
		add("origin", e.Origin)
		add("host", e.Host)
		add("remote", e.RemoteAddr)
		if err = e.Err; err == nil {
			return attrs
		}
	case *PacketError:
		add("remote", e.RemoteAddr)
	case *StuckError:
		add("event", e.Event)
		add("handler", e.Handler)
		attrs = append(attrs, slog.Time("since", e.Since))
		return attrs
	}
	if errors.As(err, &panicked) {
		add("event", panicked.Event)
		add("panic", panicked.Value)
		return append(attrs, slog.Any("stack", frames(panicked.Stack)))
	}
	add("event", event)
	add("error", err)
	return attrs
}

// frames returns the functions of a stack in the format of debug.Stack, each with its
// file and line: from the function that panicked to the engine.
func frames(stack []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	var list []string
	for i := 1; i+1 < len(lines); i += 2 { // the first line names the goroutine
		if strings.HasPrefix(lines[i], "panic(") || strings.HasPrefix(lines[i], "runtime.Goexit") {
			list = list[:0] // the frames above handle the panic
			continue
		}
		if strings.HasPrefix(lines[i], "github.com/socketio-go/socketio/internal/engine.") {
			break // no application code below
		}
		name := lines[i]
		if end := strings.LastIndexByte(name, '('); end > 0 && !strings.HasPrefix(name, "created by ") {
			name = name[:end]
		}
		file, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
		list = append(list, name+" "+file)
	}
	return list[:min(len(list), maxFrames)]
}

// info logs at level Info, without a rate limit, if Options.Logger is set.
func (l *errorLog) info(text string, attrs ...any) {
	if l.to != nil {
		l.to.Info(text, attrs...)
	}
}

// allow reports whether another line may be written, and how many lines were withheld
// since the last one.
func (l *errorLog) allow(kind errorKind, now time.Time) (withheld int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.kinds[kind]
	if now.Sub(r.since) >= time.Second {
		r.since, r.lines = now, 0
	}
	if r.lines == maxLogLines {
		r.withheld++
		return 0, false
	}
	withheld, r.withheld = r.withheld, 0
	r.lines++
	return withheld, true
}

// shorten cuts text to n bytes, and marks the cut with "…".
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
