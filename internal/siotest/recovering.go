package siotest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/sio"
)

// IsOpen reports whether the connection still stands.
func (r *RecoveringClient) IsOpen() bool {
	if r.Wire.Write(`421["sync"]`) != nil {
		return false
	}
	packet, err := r.Next()
	return err == nil && packet == `431[]`
}

// JoinRecoveringIn joins a child of a template for the first time.
func (srv *Server) JoinRecoveringIn(t *testing.T, namespace string) *RecoveringClient {
	t.Helper()
	c := &RecoveringClient{Srv: srv, Transport: WebSocket, Namespace: namespace, Client: srv.Open(t, WebSocket)}
	c.Rejoin()
	return c
}

// A RecoveringClient is a client that claims what it missed when it connects again, as
// the official client does.
type RecoveringClient struct {
	*Client // the connection of now

	Srv       *Server
	Transport string
	Namespace string // "" is "/"

	ID, PID   string
	Offset    string // empty until it has received one
	Recovered bool
}

// JoinRecovering joins "/" for the first time.
func (srv *Server) JoinRecovering(t testing.TB, transport string) *RecoveringClient {
	t.Helper()
	r := &RecoveringClient{Srv: srv, Transport: transport}
	r.Client = srv.Open(t, transport)
	if early := r.Rejoin(); len(early) > 0 {
		t.Fatalf("received %v before having connected", early)
	}
	return r
}

// Reconnect connects again and returns what it received before the answer to its
// CONNECT.
func (r *RecoveringClient) Reconnect() (missed []string) {
	r.T.Helper()
	r.Client = r.Srv.Open(r.T, r.Transport)
	return r.Rejoin()
}

// Rejoin joins the namespace on the connection of now.
func (r *RecoveringClient) Rejoin() (missed []string) {
	r.T.Helper()
	missed, err := r.TryRejoin()
	if err != nil {
		r.T.Fatalf("joining again: %v", err)
	}
	return missed
}

// Claim is what it says of itself.
func (r *RecoveringClient) Claim() string {
	claim := make(map[string]string)
	if r.PID != "" {
		claim["pid"] = r.PID
	}
	if r.Offset != "" {
		claim["offset"] = r.Offset
	}
	text, _ := json.Marshal(claim)
	return string(text)
}

// TryRejoin is joinAgain that may fail.
func (r *RecoveringClient) TryRejoin() (missed []string, err error) {
	events, err := r.Connect()
	for _, event := range events {
		missed = append(missed, event.Text)
	}
	return missed, err
}

// Connect sends a CONNECT. What it receives before the answer counts only when
// the answer comes.
func (r *RecoveringClient) Connect() (missed []Received, err error) {
	head := "40" + r.Namespace
	if r.Namespace != "" {
		head += ","
	}
	if err := r.Wire.Write(head + r.Claim()); err != nil {
		return nil, err
	}
	offset := r.Offset
	for {
		event, err := r.Receive()
		if err != nil {
			return nil, err
		}
		if event.Connected == nil {
			missed = append(missed, event)
			offset = event.Offset
			continue
		}
		if event.Connected.SID == "" {
			return nil, fmt.Errorf("CONNECT was answered with %s", event.Text)
		}
		r.Recovered = r.PID != "" && r.PID == event.Connected.PID
		if same := r.ID == event.Connected.SID; same != r.Recovered {
			r.T.Errorf("recovered: %v, but the same id: %v", r.Recovered, same)
		}
		r.ID, r.PID, r.Offset = event.Connected.SID, event.Connected.PID, offset
		return missed, nil
	}
}

// A Received is an event, or the answer to a CONNECT.
type Received struct {
	Text      string // the payload without offset, with the binary parts behind it
	Parts     []string
	Offset    string // where the client is then
	Connected *struct{ SID, PID string }
}

// offsetLike is the form of our offsets, which arguments of these tests do not
// have.
var offsetLike = regexp.MustCompile(`^[0-9a-z]+-[0-9a-z]+$`)

// Receive reads one packet with its attachments.
func (r *RecoveringClient) Receive() (event Received, err error) {
	packet, err := r.Next()
	if err != nil {
		return event, err
	}
	text, ok := packet.(string)
	var p sio.Packet
	if !ok || len(text) == 0 || text[0] != '4' || p.Decode([]byte(text[1:]), sio.Limits{Attachments: 100}) != nil {
		return event, fmt.Errorf("received %s", Show(packet))
	}
	event.Text, event.Offset = string(p.Data), r.Offset
	switch p.Type {
	case sio.Connect, sio.ConnectError:
		event.Connected = new(struct{ SID, PID string })
		return event, json.Unmarshal(p.Data, event.Connected)
	case sio.Event, sio.BinaryEvent:
	default:
		return event, fmt.Errorf("received %s", text)
	}
	elements := []string{string(p.Name)}
	for _, arg := range p.Args {
		elements = append(elements, string(arg))
	}
	var last string
	raw := elements[len(elements)-1]
	if len(p.Args) == 0 {
		last = raw // even a name is taken for an offset
	} else if json.Unmarshal([]byte(raw), &last) == nil && p.ID >= 0 {
		last = ""
	}
	if last != "" && p.ID < 0 {
		event.Offset = last
	}
	if offsetLike.MatchString(last) {
		elements = elements[:len(elements)-1]
	}
	event.Text = strings.Join(elements, " ")
	for range p.Attachments {
		packet, err := r.Next()
		if err != nil {
			return event, err
		}
		part, ok := packet.([]byte)
		if !ok {
			return event, fmt.Errorf("received %s for an attachment", Show(packet))
		}
		event.Parts = append(event.Parts, string(part))
		event.Text += fmt.Sprintf(" %x", part)
	}
	return event, nil
}

// WantEvents reads events and compares them.
func (r *RecoveringClient) WantEvents(events ...string) {
	r.T.Helper()
	for _, want := range events {
		got, err := r.Receive()
		if err != nil {
			r.T.Fatalf("%v instead of %s", err, want)
		}
		WantEqual(r.T, "received", got.Text, want)
		r.Offset = got.Offset
	}
}

// WantMissed comes back and compares what it has missed.
func (r *RecoveringClient) WantMissed(events ...string) {
	r.T.Helper()
	missed := r.Reconnect()
	if !slices.Equal(missed, events) {
		r.T.Errorf("missed %q, want %q", missed, events)
	}
	if !r.Recovered {
		r.T.Error("it has not recovered")
	}
}

// WantNotRecovered comes back and is a stranger.
func (r *RecoveringClient) WantNotRecovered() {
	r.T.Helper()
	if missed := r.Reconnect(); r.Recovered || len(missed) > 0 {
		r.T.Errorf("recovered: %v, missed %q; want a fresh session", r.Recovered, missed)
	}
}

// Disconnect loses the connection, and waits until the server knows.
func (r *RecoveringClient) Disconnect() {
	r.T.Helper()
	if r.Transport == WebSocket {
		r.MemConn().Cut()
	} else {
		r.Write("1")
	}
	r.Srv.WantDisconnect(r.T, r.ID, socketio.ReasonTransport)
}

// Socket returns the server's end.
func (r *RecoveringClient) Socket() *socketio.Socket {
	r.T.Helper()
	r.WantNothing() // once it has been heard, it can be found
	s, ok := r.Srv.LocalSocket(r.ID)
	if !ok {
		r.T.Fatalf("there is no socket %s", r.ID)
	}
	return s
}

// SpecifyRecovery is a behaviour of a server with recovery, in a bubble.
func SpecifyRecovery(t *testing.T, behaviour string, opts socketio.Options, body func(t *testing.T, srv *Server)) {
	t.Helper()
	t.Run(behaviour, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			if opts.Recovery == nil {
				opts.Recovery = new(socketio.Recovery)
			}
			body(t, ServeInMemory(t, &opts))
		})
	})
}
