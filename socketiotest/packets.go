package socketiotest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

// keptPackets is how many packets a failure shows.
const keptPackets = 20

// packets are the last packets of a connection, in both directions.
type packets struct {
	mu      sync.Mutex // guards the following
	began   time.Time  // when the first packet was sent
	lines   []string
	total   int
	pids    map[string]bool   // the namespaces whose sessions can be recovered
	pending map[string]string // the events that wait for an ack of the server, by namespace and id
}

// hooks returns hooks that note the packets and call the hooks of the test.
func (p *packets) hooks(test *client.Hooks) *client.Hooks {
	var in, out func(client.Packet)
	if test != nil {
		in, out = test.PacketIn, test.PacketOut
	}
	return &client.Hooks{
		PacketIn:  func(packet client.Packet) { p.add(false, packet, in) },
		PacketOut: func(packet client.Packet) { p.add(true, packet, out) },
	}
}

func (p *packets) add(sent bool, packet client.Packet, next func(client.Packet)) {
	p.note(show(sent, packet))
	id := fmt.Sprint(packet.Namespace, " ", packet.ID)
	p.mu.Lock()
	switch {
	case packet.Type == "connect" && !sent:
		var session struct{ PID string }
		_ = json.Unmarshal([]byte(packet.Data), &session)
		if p.pids == nil {
			p.pids = make(map[string]bool)
		}
		p.pids[packet.Namespace] = session.PID != ""
	case packet.Type == "event" && sent && packet.ID >= 0:
		if p.pending == nil {
			p.pending = make(map[string]string)
		}
		p.pending[id] = describe(packet.Event, packet.Args)
	case packet.Type == "ack" && !sent:
		delete(p.pending, id)
	}
	p.mu.Unlock()
	if next != nil {
		next(packet)
	}
}

// recovers reports whether the server appends offsets to events.
func (p *packets) recovers(namespace string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pids[namespace]
}

// acks returns the events that wait for an ack.
func (p *packets) acks() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.pending {
		list = append(list, e)
	}
	slices.Sort(list)
	return list
}

// note adds a line.
func (p *packets) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() {
		p.began = time.Now()
	}
	p.total++
	line := fmt.Sprintf("%7.3fs %s", time.Since(p.began).Seconds(), text)
	if p.lines = append(p.lines, line); len(p.lines) > keptPackets {
		p.lines = slices.Delete(p.lines, 0, 1)
	}
}

// show shows a packet as the namespace and what it does there.
func show(sent bool, packet client.Packet) string {
	arrow := "←"
	if sent {
		arrow = "→"
	}
	text := packet.Data
	switch packet.Type {
	case "event":
		text = describe(packet.Event, packet.Args)
	case "ack":
		text = describe("", packet.Args)
	}
	if packet.ID >= 0 {
		text = fmt.Sprintf("#%d %s", packet.ID, text)
	}
	return strings.TrimRight(fmt.Sprintf("%s %s %s %s", arrow, packet.Namespace, packet.Type, shorten(text)), " ")
}

// String shows the packets, the newest last.
func (p *packets) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total == 0 {
		return "no packet was sent or received"
	}
	return fmt.Sprintf("the last %d of %d packets (→ sent, ← received):\n\t%s", len(p.lines), p.total, strings.Join(p.lines, "\n\t"))
}

// describe shows an event like a call, and an ack without a name.
func describe(name string, args socketio.Args) string {
	list := make([]string, 0, args.Len())
	for _, v := range valuesOf(args) {
		list = append(list, showValue(v))
	}
	text := "(" + strings.Join(list, ", ") + ")"
	if name == "" {
		return text
	}
	return fmt.Sprintf("%q%s", name, text)
}

func errorText(e *socketio.Error) string {
	if len(e.Data) == 0 {
		return fmt.Sprintf("%q", e.Message)
	}
	return fmt.Sprintf("%q, data %s", e.Message, shorten(string(e.Data)))
}

// maxShown is how many bytes of one value a failure shows.
const maxShown = 200

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:maxShown], ""), len(s))
}
