//go:build linux

package loadgen

import (
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"
)

// Config says which server to drive, and how.
type Config struct {
	Addr  string // host:port
	Debug string // of the fixture's debug port, if it has one
	PID   int    // of the server, for its CPU time and memory

	Remote   string // cluster: host:port of the server that the receivers are on
	Redis    string // cluster: host:port of what joins the servers
	PerEvent bool   // cluster: the cost is that of an event, not of a delivery

	Everybody bool // broadcast: an event is in flight until all have it, not only its publisher

	Connections int           // zero means the scenario's own number
	Window      int           // messages in flight, for each connection or publisher
	Rate        float64       // messages a second over all connections, in place of Window
	Payload     int           // bytes
	Stalled     int           // slow: connections that never read
	Rooms       int           // rooms: of each connection
	Handshakes  int           // under way at a time
	WarmUp      time.Duration // before the measured time
	Duration    time.Duration // the measured time
	Settle      time.Duration // idle: before memory is read
	After       time.Duration // idle, rooms: between the end of the connections and what is left
}

// A Result is what one run of a scenario has found.
type Result struct {
	Scenario string   `json:"scenario"`
	Error    string   `json:"error,omitempty"`
	Cost     *Cost    `json:"cost,omitempty"`
	Latency  *Latency `json:"latency,omitempty"`
	Faults   *Faults  `json:"faults,omitempty"`
	Idle     *Idle    `json:"idle,omitempty"`
	Slow     *Slow    `json:"slow,omitempty"`
	Rooms    *Rooms   `json:"rooms,omitempty"`
	Bus      *Bus     `json:"bus,omitempty"`
	Left     *Left    `json:"left,omitempty"`
}

// A scenario fills in a result. The loop has no connection yet.
type scenario struct {
	about    string
	defaults Config
	run      func(l *loop, cfg *Config, r *Result) error
}

var scenarios = map[string]scenario{
	"echo":       {"events that the server sends back", Config{Connections: 50, Window: 1, Payload: 64}, echo},
	"ack":        {"events that the server answers", Config{Connections: 50, Window: 1, Payload: 64}, ack},
	"binary":     {"events with an attachment that the server sends back", Config{Connections: 50, Window: 4, Payload: 1024}, binaryEcho},
	"polling":    {"echo over long-polling", Config{Connections: 50, Window: 1, Payload: 64}, polling},
	"broadcast":  {"events to a room that all connections are in", Config{Connections: 1000, Window: 4, Payload: 64}, broadcast},
	"cluster":    {"events to a room on another server of a cluster", Config{Connections: 1000, Window: 4, Payload: 64}, cluster},
	"slow":       {"broadcast without, then with members that never read", Config{Connections: 200, Window: 4, Payload: 8 << 10, Stalled: 3}, slow},
	"idle":       {"connections that do nothing, then drop without a close frame", Config{Connections: 5000}, idle},
	"membership": {"10 members of a room that all connections are in leave and join it", Config{Connections: 9000, Window: 4}, membership},
	"rooms":      {"many rooms of one socket each", Config{Connections: 1000, Window: 1, Payload: 64, Rooms: 100}, rooms},
}

// Scenarios returns the names of the scenarios, each with what it does.
func Scenarios() map[string]string {
	about := make(map[string]string, len(scenarios))
	for name, s := range scenarios {
		about[name] = s.about
	}
	return about
}

// Run runs a scenario. What goes wrong is in the result.
func Run(name string, cfg Config) Result {
	result := Result{Scenario: name}
	s, ok := scenarios[name]
	if !ok {
		result.Error = fmt.Sprintf("no scenario %q; there are %v", name, slices.Sorted(maps.Keys(scenarios)))
		return result
	}
	cfg.setDefaults(s.defaults)
	if _, err := RaiseFileLimit(); err != nil {
		result.Error = err.Error()
		return result
	}
	runtime.LockOSThread() // the loop's goroutine should not wander
	defer runtime.UnlockOSThread()
	l, err := newLoop(cfg.Addr)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	defer l.close()
	if err := s.run(l, &cfg, &result); err != nil {
		result.Error = err.Error()
	}
	return result
}

func (cfg *Config) setDefaults(d Config) {
	setDefault(&cfg.Connections, d.Connections)
	setDefault(&cfg.Window, d.Window)
	setDefault(&cfg.Payload, d.Payload)
	setDefault(&cfg.Stalled, d.Stalled)
	setDefault(&cfg.Rooms, d.Rooms)
	setDefault(&cfg.Handshakes, 32)
	setDefault(&cfg.WarmUp, 1200*time.Millisecond)
	setDefault(&cfg.Duration, 3*time.Second)
	setDefault(&cfg.Settle, 3*time.Second)
	setDefault(&cfg.After, 5*time.Second)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// numberLen is the length of a sequence number at the head of a payload.
const numberLen = 8

// text returns a payload of printable characters.
func text(n int) []byte {
	b := make([]byte, max(n, numberLen))
	for i := range b {
		b[i] = 'a' + byte(i%16)
	}
	return b
}

// putNumber writes a sequence number over the head of a payload.
func putNumber(payload []byte, n uint32) {
	hex.Encode(payload, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// number reads what putNumber wrote.
func number(payload []byte) (n uint32, ok bool) {
	var b [numberLen / 2]byte
	if len(payload) < numberLen {
		return 0, false
	}
	if _, err := hex.Decode(b[:], payload[:numberLen]); err != nil {
		return 0, false
	}
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}

// decimal reads the number that b begins with.
func decimal(b []byte) (n uint32, rest []byte) {
	for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		n = n*10 + uint32(b[0]-'0')
		b = b[1:]
	}
	return n, b
}
