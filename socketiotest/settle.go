package socketiotest

import (
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bridge"
)

// Settle returns when the server and the clients have nothing more to do. In a bubble
// of testing/synctest that is when every goroutine is blocked, as [synctest.Wait] says.
// Outside of one it is when no handler runs or waits, no packet waits to be sent, and no
// byte is under way; goroutines that handlers have started are not waited for. The test
// fails if that takes longer than the [Patience].
//
// It does not wait for time to pass: not for a reconnection that is delayed, and not for
// a client whose link is frozen.
func (h *Host) Settle() {
	h.t.Helper()
	if h.bubble {
		synctest.Wait()
		return
	}
	deadline := time.Now().Add(h.wait)
	pause := time.NewTicker(settlePause)
	defer pause.Stop()
	before, since := activity{}, time.Now()
	for {
		now := h.activity()
		if now != before || now.busy != "" {
			since = time.Now()
		}
		if now.busy == "" && now == before && time.Since(since) >= now.quiet {
			return
		}
		if before = now; time.Now().After(deadline) {
			h.t.Fatalf("socketiotest: Settle: not settled after %v: %s%s", h.wait, now.busy, h.waiting())
		}
		<-pause.C
	}
}

const (
	settlePause = time.Millisecond
	// quietTime is how long nothing must move where bytes under way cannot be counted.
	quietTime = 50 * time.Millisecond
)

// An activity is what has happened so far. If two in a row are equal and not busy,
// nothing has happened in between.
type activity struct {
	busy  string // what happens now; "" if nothing does
	quiet time.Duration

	bytes    int64
	messages uint64
	events   uint64
}

func (h *Host) activity() (a activity) {
	hosts := []*Host{h}
	if h.busUsed != nil {
		hosts = h.busUsed.hosts
		if n := h.busUsed.bus.Pending(); n > 0 {
			a.busy = fmt.Sprintf("%d messages are on the bus", n)
		}
	}
	for _, one := range hosts {
		one.addActivity(&a)
	}
	return a
}

func (a *activity) isBusy(format string, args ...any) {
	if a.busy == "" {
		a.busy = fmt.Sprintf(format, args...)
	}
}

func (h *Host) addActivity(a *activity) {
	if h.tcp {
		a.quiet = quietTime
	}
	polling := int64(0)
	for _, l := range h.lines() {
		bytes, idle, frozen := l.link.activity()
		a.bytes += bytes
		if !idle {
			a.isBusy("bytes of client %s are under way", l.name)
		}
		if frozen {
			a.quiet = quietTime
			continue
		}
		s := l.client.Stats()
		a.events += s.Emitted + s.Written + l.seen
		switch {
		case s.Pending > 0:
			a.isBusy("client %s has %d packets to send", l.name, s.Pending)
		case s.Handling > 0:
			a.isBusy("client %s handles %d events", l.name, s.Handling)
		}
		if l.client.Transport() == socketio.Polling {
			polling++
		}
	}
	if n := h.requests.Load(); n > 0 {
		a.isBusy("the server handles %d requests", n)
	}
	if a.quiet == 0 && h.polls.Load() < polling {
		a.isBusy("a client is about to poll")
	}
	for _, io := range h.servers {
		m := io.Stats().Messages
		a.messages += m.Emitted + m.Written + m.DroppedClosed + m.DroppedSlow + m.DroppedVolatile
		if list := bridge.Running(io); len(list) > 0 {
			a.isBusy("handlers run: %s", strings.Join(list, "; "))
		}
		if a.quiet == 0 && m.Pending > 0 {
			a.isBusy("the server has %d packets to send", m.Pending)
		}
	}
}

// A lineState is a connection and what its clients have received.
type lineState struct {
	*line
	name string
	seen uint64
}

// lines returns the connections of the clients.
func (h *Host) lines() (list []*lineState) {
	byLine := make(map[*line]*lineState)
	for _, c := range h.list() {
		l := byLine[c.line]
		if l == nil {
			l = &lineState{line: c.line, name: c.name}
			byLine[c.line] = l
			list = append(list, l)
		}
		c.mu.Lock()
		l.seen += c.seen
		c.mu.Unlock()
	}
	return list
}
