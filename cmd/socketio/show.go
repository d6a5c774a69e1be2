package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A color is a sequence of a terminal.
type color string

const (
	red   color = "\x1b[31m"
	green color = "\x1b[32m"
	cyan  color = "\x1b[36m"
	dim   color = "\x1b[2m"
	bold  color = "\x1b[1m"
	off         = "\x1b[0m"
)

// A printer writes lines, in colors if it is for a person.
type printer struct {
	mu      sync.Mutex
	w       io.Writer
	colored bool
}

func (p *printer) in(c color, text string) string {
	if !p.colored {
		return text
	}
	return string(c) + text + off
}

func (p *printer) write(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, text)
}

// line writes something about the connection.
func (p *printer) line(c color, format string, args ...any) {
	p.write(p.in(c, "* "+printable(fmt.Sprintf(format, args...))))
}

// event writes an event of the server.
func (p *printer) event(namespace, event string, args []any) {
	p.write(p.in(dim, printable(namespace)) + " " + p.in(bold, printable(event)) + p.values(args))
}

// answer writes the answer to an event.
func (p *printer) answer(event string, args []any, took time.Duration) {
	p.write(p.in(dim, "answer to ") + p.in(bold, printable(event)) + p.in(dim, fmt.Sprintf(" after %v", took.Round(100*time.Microsecond))) + p.values(args))
}

func (p *printer) values(args []any) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(" " + p.value(a))
	}
	return b.String()
}

// value returns JSON on one line, with the size of binary data in place of it.
func (p *printer) value(v any) string {
	switch v := v.(type) {
	case []byte:
		return p.in(red, fmt.Sprintf("<binary %d bytes>", len(v)))
	case string:
		return p.in(green, printable(asJSONLine(v)))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = p.value(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, p.in(cyan, printable(asJSONLine(k)))+": "+p.value(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return asJSONLine(v)
}

// printable returns text without characters that could control the terminal: what a
// server sends is not trusted.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
