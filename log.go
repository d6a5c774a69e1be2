package socketio

import (
	"errors"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// A logbook writes what an operator should see. Clients can cause errors as fast
// as they can send, so each kind of them has a rate of its own: none of them fills
// the log, nor hides another.
type logbook struct {
	to *slog.Logger // nil if nobody reads

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
	maxLogText  = 500 // bytes of an error's text, which may be the client's
)

// The kinds of errors that are counted apart.
const (
	connectionError = iota // bad packets, refused requests
	argumentError          // a DecodeError
	handlerError
	panicError
	errorKinds
)

// write logs an error that concerns s, or nobody.
func (l *logbook) write(s *Socket, err error) {
	if l.to == nil {
		return
	}
	withheld, ok := l.allow(kindOf(s, err), time.Now())
	if !ok {
		return
	}
	var attrs []any
	if s != nil {
		attrs = append(attrs, "socket", s.logID(), "namespace", s.ns.name)
	}
	if withheld > 0 {
		attrs = append(attrs, "withheld", withheld)
	}
	l.to.Warn(shorten(err.Error(), maxLogText), attrs...)
}

// info logs good news.
func (l *logbook) info(text string, attrs ...any) {
	if l.to != nil {
		l.to.Info(text, attrs...)
	}
}

// allow reports whether one line more may be written, and how many have not been
// since the last one.
func (l *logbook) allow(kind int, now time.Time) (withheld int, ok bool) {
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

func kindOf(s *Socket, err error) int {
	var panicked *PanicError
	var decode *DecodeError
	switch {
	case errors.As(err, &panicked):
		return panicError
	case errors.As(err, &decode):
		return argumentError
	case s != nil:
		return handlerError
	}
	return connectionError
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
