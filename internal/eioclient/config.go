// Package eioclient is the client of Engine.IO 4 and 3: one connection over
// WebSocket or HTTP long-polling, with the upgrade from one to the other, the
// heartbeat, and a write queue. Reconnecting is the caller's concern.
package eioclient

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"context"

	"github.com/socketio-go/socketio/internal/eio"
)

// A Transport is how packets travel.
type Transport uint8

// The transports.
const (
	WebSocket Transport = iota
	Polling
)

// String returns the name of the transport in Engine.IO.
func (t Transport) String() string {
	if t == Polling {
		return "polling"
	}
	return "websocket"
}

// A Reason says why a session ended, in the words of the JavaScript client.
type Reason string

// The reasons.
const (
	ForcedClose    Reason = "forced close" // by Close or Discard
	PingTimeout    Reason = "ping timeout"
	TransportClose Reason = "transport close" // the server or the network ended it
	TransportError Reason = "transport error"
	ParseError     Reason = "parse error"
)

// Config says how to reach a server. Nothing in it may be changed while it is
// in use.
type Config struct {
	URL        *url.URL    // http or https, with the endpoint's path
	Header     http.Header // of every request
	Transports []Transport // tried in this order, at least one
	Upgrade    bool        // from polling to WebSocket
	V3         bool        // speak Engine.IO 3

	Poller      func() *http.Client // for polling; its Timeout must be 0
	Jar         http.CookieJar
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	Proxy       func(*http.Request) (*url.URL, error)
	TLS         func() *tls.Config
	Compression bool // offer permessage-deflate; the client itself sends uncompressed

	WriteTimeout   time.Duration // for each 64 KiB of a write
	UpgradeTimeout time.Duration
	MaxMessage     int64            // bytes of one message or one polling response
	MaxQueue       int64            // bytes that may wait to be written
	Now            func() time.Time // the wall clock
	Tasks          *sync.WaitGroup  // counts the goroutines of sessions
}

// A Receiver takes what a session reads.
type Receiver interface {
	// Receive is called for every message in the order sent, one at a time. data
	// is valid until it returns. It may run application code between turn.Begin
	// and turn.End if turn is not nil. It may block, which stops the reading.
	Receive(turn *Turn, data []byte, binary bool)
	// Closed is called once. unsent are the messages of which certainly no byte
	// has left. It must not block.
	Closed(reason Reason, err error, unsent []*Message)
}

// A HandshakeError says that a server could not be reached or refused the
// handshake.
type HandshakeError struct {
	Transport Transport
	Status    int    // of the HTTP response; 0 if there was none
	Code      int    // of Engine.IO's error, -1 if there was none
	Message   string // of Engine.IO's error
	Final     bool   // it will be the same at the next attempt
	Err       error
}

func (e *HandshakeError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s handshake", e.Transport)
	if e.Status != 0 {
		fmt.Fprintf(&text, ": status %d", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&text, ": %q", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&text, ": %v", e.Err)
	}
	return text.String()
}

// Unwrap returns what went wrong below, which may be nil.
func (e *HandshakeError) Unwrap() error { return e.Err }

// unsupportedVersion is Engine.IO's code for a version that the server does not
// speak.
const unsupportedVersion = 5

// refused describes a response that does not open a session.
func refused(t Transport, resp *http.Response) *HandshakeError {
	e := &HandshakeError{Transport: t, Status: resp.StatusCode, Code: -1}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	var answer struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Message != "" {
		e.Code, e.Message = answer.Code, answer.Message
	}
	e.Final = e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden ||
		e.Status == http.StatusBadRequest && e.Code == unsupportedVersion
	return e
}

// A handshake is the content of the OPEN packet.
type handshake struct {
	sid          string
	upgrades     []string
	pingInterval time.Duration
	pingTimeout  time.Duration
	maxPayload   int64
}

var errOpen = errors.New("malformed OPEN packet")

const (
	maxHeartbeat = 24 * time.Hour
	maxSID       = 1 << 10
)

// parseOpen reads the OPEN packet, which comes from an untrusted server.
func parseOpen(p eio.Packet) (h handshake, err error) {
	if p.Type != eio.Open || p.Binary {
		return h, fmt.Errorf("%w: the first packet is %v", errOpen, p.Type)
	}
	var open eio.Handshake
	if err := json.Unmarshal(p.Data, &open); err != nil {
		return h, fmt.Errorf("%w: %w", errOpen, err)
	}
	h = handshake{
		sid:          open.SID,
		upgrades:     open.Upgrades,
		pingInterval: time.Duration(open.PingInterval) * time.Millisecond,
		pingTimeout:  time.Duration(open.PingTimeout) * time.Millisecond,
		maxPayload:   open.MaxPayload,
	}
	inRange := func(ms int64) bool { return ms > 0 && ms <= maxHeartbeat.Milliseconds() }
	switch {
	case h.sid == "" || len(h.sid) > maxSID:
		return h, fmt.Errorf("%w: sid of %d bytes", errOpen, len(h.sid))
	case !inRange(open.PingInterval) || !inRange(open.PingTimeout):
		return h, fmt.Errorf("%w: pingInterval %d, pingTimeout %d", errOpen, open.PingInterval, open.PingTimeout)
	case h.maxPayload < 0:
		return h, fmt.Errorf("%w: maxPayload %d", errOpen, h.maxPayload)
	}
	return h, nil
}

// query returns the URL of a request.
func (c *Config) query(t Transport, sid string) *url.URL {
	u := *c.URL
	q := u.Query()
	q.Set("EIO", c.version())
	if c.V3 && t == Polling {
		q.Set("b64", "1") // payloads are text
	}
	q.Set("transport", t.String())
	if sid != "" {
		q.Set("sid", sid)
	}
	u.RawQuery = q.Encode()
	return &u
}
