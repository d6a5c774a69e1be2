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

// An errorLog writes what people should know. Clients can cause errors as fast as
// they can send, so each kind of them has a rate of its own: none of them fills
// the log, nor hides another.
//
// Its messages are constants, and all that varies is an attribute: the handler of
// [slog.Default] quotes attributes only, and what clients send may have line breaks.
// Attributes are plain values, so that no method of the application's is called
// by the handler.
type errorLog struct {
	to *slog.Logger // nil means slog.Default, when something is logged

	mu    sync.Mutex // guards the following
	kinds [errorKinds]logRate
}

// A logRate counts the lines of one kind of errors.
type logRate struct {
	since    time.Time // when the second began for which lines are counted
	lines    int
	withheld int // since the last line
}

const (
	maxLogLines = 20  // of one kind, per second
	maxLogText  = 500 // bytes of a text, which may be a client's
	maxFrames   = 32  // of a panic's stack
)

// logKinds is how each kind is logged.
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

// write logs an error that concerns s, or nobody, and an event, if one is named.
func (l *errorLog) write(kind errorKind, s *Socket, event string, err error) {
	if !l.logger().Enabled(context.Background(), logKinds[kind].level) {
		return
	}
	if withheld, ok := l.allow(kind, time.Now()); ok {
		l.line(kind, s, withheld, describe(event, err)...)
	}
}

// line logs a line that allow has allowed.
func (l *errorLog) line(kind errorKind, s *Socket, withheld int, more ...slog.Attr) {
	how := &logKinds[kind]
	var attrs []slog.Attr
	if s != nil {
		attrs = append(attrs, slog.String("socket", s.logID()), slog.String("namespace", shorten(s.ns.name, maxLogText)))
	}
	attrs = append(attrs, more...)
	if withheld > 0 {
		attrs = append(attrs, slog.Int("withheld", withheld))
	}
	l.logger().LogAttrs(context.Background(), how.level, how.message, attrs...)
}

// describe returns what a line says of an error.
func describe(event string, err error) (attrs []slog.Attr) {
	add := func(key string, value any) {
		if text := shorten(fmt.Sprint(value), maxLogText); text != "" { // Sprint survives a method that panics
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

// frames returns the functions of a stack as debug.Stack writes it, from the
// one that has panicked to the engine, each with its file and line.
func frames(stack []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	var list []string
	for i := 1; i+1 < len(lines); i += 2 { // the first line names the goroutine
		if strings.HasPrefix(lines[i], "panic(") || strings.HasPrefix(lines[i], "runtime.Goexit") {
			list = list[:0] // what came before handles the panic
			continue
		}
		if strings.HasPrefix(lines[i], "github.com/socketio-go/socketio/internal/engine.") {
			break // what is below is never the application's
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

// info logs good news.
func (l *errorLog) info(text string, attrs ...any) {
	if l.to != nil {
		l.to.Info(text, attrs...)
	}
}

// allow reports whether one line more may be written, and how many have not been
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

// shorten returns at most n bytes of text, and says so if that is not all.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
