package socketiotest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// bubbleLimit is how long a test in a bubble may take, by its clock.
	bubbleLimit = 24 * time.Hour
	// beforeTimeout is how long before the timeout of "go test" a test is ended.
	beforeTimeout = 5 * time.Second
)

// watch ends a test that hangs.
func (h *Host) watch() {
	limit := h.within
	var deadline time.Time
	if t, ok := h.t.(interface{ Deadline() (time.Time, bool) }); ok && !h.bubble {
		deadline, _ = t.Deadline()
	}
	switch {
	case limit > 0:
	case h.bubble:
		limit = bubbleLimit
	case deadline.IsZero():
		return
	default:
		rest := time.Until(deadline)
		limit = rest - min(beforeTimeout, rest/10)
	}
	timer := time.AfterFunc(limit, func() {
		panic(fmt.Sprintf("socketiotest: %s has not ended after %v%s", h.t.Name(), limit.Round(time.Millisecond), h.report()))
	})
	h.t.Cleanup(func() { timer.Stop() })
}

// waiting says what every client waits for.
func (h *Host) waiting() string {
	clients := h.list()
	if len(clients) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nthe clients:")
	for _, c := range clients {
		fmt.Fprintf(&b, "\n\t%s: %s", c.name, c.state())
	}
	return b.String()
}

// state says what a client waits for.
func (c *Client) state() string {
	var list []string
	c.mu.Lock()
	switch {
	case c.Connected():
		list = append(list, "connected")
	case c.final != "":
		list = append(list, "disconnected: "+string(c.final))
	default:
		list = append(list, c.line.client.State().String())
	}
	if c.waits != "" {
		list = append(list, "waits in "+c.waits)
	}
	for _, e := range c.line.packets.acks() {
		list = append(list, "waits for the ack of "+e)
	}
	for _, e := range c.events[:min(len(c.events), 3)] {
		list = append(list, "has not expected "+e.String())
	}
	if n := len(c.events) - 3; n > 0 {
		list = append(list, fmt.Sprintf("nor %d more events", n))
	}
	c.mu.Unlock()
	if _, _, frozen := c.line.link.activity(); frozen {
		list = append(list, "its link is frozen")
	}
	return strings.Join(list, "; ")
}

// hints says what else a reader of a failure should know: handlers that run, and events
// that have no handler.
func (h *Host) hints() string {
	var b strings.Builder
	for _, io := range h.servers {
		b.WriteString(handlersOf(io))
	}
	h.mu.Lock()
	unhandled := slices.Compact(slices.Sorted(slices.Values(h.unhandled)))
	errs := slices.Clone(h.errs)
	h.mu.Unlock()
	for _, event := range unhandled {
		fmt.Fprintf(&b, "\nthe server has no handler for %q", event)
	}
	for _, err := range errs {
		fmt.Fprintf(&b, "\nthe server reported: %v", err)
	}
	return b.String()
}

// report is what the panic of a test that hangs says.
func (h *Host) report() string {
	var b strings.Builder
	b.WriteString(h.hints())
	b.WriteString(h.waiting())
	for _, l := range h.lines() {
		fmt.Fprintf(&b, "\nclient %s: %s", l.name, &l.packets)
	}
	return b.String()
}
