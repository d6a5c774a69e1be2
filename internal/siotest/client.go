package siotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/sio"
)

// The transports a client is tested with.
const (
	WebSocket = "websocket"
	Polling   = "polling"
)

// A Client may be read and written to by two goroutines. It speaks in Engine.IO packets as they are on the wire: a
// string is a text packet, such as `42["hello"]`, a []byte a binary message.
type Client struct {
	T    testing.TB
	Wire wire
	Acks int
}

// MemConn is the connection of a WebSocket client in memory.
func (c *Client) MemConn() *memnet.Conn {
	return c.Wire.(*WebSocketWire).WS.NetConn().(*memnet.Conn)
}

// A wire is a transport seen from the client.
type wire interface {
	Write(packets ...any) error
	Read() (packet any, err error)
	Close()
}

// Join joins a namespace and returns the socket's id. auth is JSON or empty.
func (c *Client) Join(namespace, auth string) (id string) {
	c.T.Helper()
	head := "40"
	if namespace != "/" {
		head += namespace + ","
	}
	c.Write(head + auth)
	return c.WantConnect(namespace)
}

// WantConnect reads the answer to a CONNECT.
func (c *Client) WantConnect(namespace string) (id string) {
	c.T.Helper()
	head := "40"
	if namespace != "/" {
		head += namespace + ","
	}
	packet := c.Read()
	text, _ := packet.(string)
	var answer struct{ SID string }
	if payload, ok := strings.CutPrefix(text, head); !ok || json.Unmarshal([]byte(payload), &answer) != nil || answer.SID == "" {
		c.T.Fatalf("joining %s was answered with %s", namespace, Show(packet))
	}
	return answer.SID
}

func (c *Client) Write(packets ...any) {
	c.T.Helper()
	if err := c.Wire.Write(packets...); err != nil {
		c.T.Fatalf("writing %s: %v", Show(packets...), err)
	}
}

// Next returns the next packet. It answers heartbeats.
func (c *Client) Next() (any, error) {
	for {
		packet, err := c.Wire.Read()
		if err != nil || packet != "2" {
			return packet, err
		}
		if err := c.Wire.Write("3"); err != nil {
			return nil, err
		}
	}
}

func (c *Client) Read() any {
	c.T.Helper()
	packet, err := c.Next()
	if err != nil {
		c.T.Fatalf("reading: %v", err)
	}
	return packet
}

// Want reads packets and compares them.
func (c *Client) Want(packets ...any) {
	c.T.Helper()
	for _, want := range packets {
		got, err := c.Next()
		if err != nil {
			c.T.Fatalf("got %v, want %s", err, Show(want))
		}
		if Show(got) != Show(want) {
			c.T.Fatalf("got %s, want %s", Show(got), Show(want))
		}
	}
}

// WantNothing checks that nothing has been sent to the client so far.
func (c *Client) WantNothing() {
	c.T.Helper()
	c.Acks++
	c.Write(fmt.Sprintf(`42%d["sync"]`, 1000+c.Acks))
	c.Want(fmt.Sprintf(`43%d[]`, 1000+c.Acks))
}

// Ask emits an event with an ack id and returns the payload of the answer.
func (c *Client) Ask(event string, attachments ...any) string {
	c.T.Helper()
	c.Acks++
	id := fmt.Sprint(1000 + c.Acks)
	head := "42"
	if len(attachments) > 0 {
		head = fmt.Sprintf("45%d-", len(attachments))
	}
	c.Write(append([]any{head + id + event}, attachments...)...)
	packet := c.Read()
	text, _ := packet.(string)
	answer, ok := strings.CutPrefix(text, "43"+id)
	if !ok {
		c.T.Fatalf("%s was answered with %s", event, Show(packet))
	}
	return answer
}

// WantClosed checks that the server closes the connection and sends nothing
// before that.
func (c *Client) WantClosed() {
	c.T.Helper()
	packet, err := c.Next()
	if err == nil {
		c.T.Fatalf("got %s, want the end", Show(packet))
	}
	if errors.Is(err, ErrTimeout) {
		c.T.Fatal("the connection was not closed")
	}
}

// Show writes packets as a test would.
func Show(packets ...any) string {
	var list []string
	for _, p := range packets {
		switch p := p.(type) {
		case string:
			list = append(list, p)
		case []byte:
			list = append(list, fmt.Sprintf("% x", p))
		default:
			list = append(list, fmt.Sprintf("%T", p))
		}
	}
	return strings.Join(list, " ")
}

// What ends the reading of a client: nothing within its limit, or the connection.
var (
	ErrTimeout = errors.New("nothing came")
	ErrEnd     = errors.New("connection closed")
)

// AckID finds the id for the ack in an event.
var AckID = regexp.MustCompile(`^4[25](?:\d+-)?(\d+)\[`)

// WantAckRequest reads an event and returns the id for its answer.
func (c *Client) WantAckRequest(event string) (id string) {
	c.T.Helper()
	text, _ := c.Read().(string)
	m := AckID.FindStringSubmatch(text)
	if m == nil || !strings.Contains(text, event) {
		c.T.Fatalf("got %s, want the question %s", text, event)
	}
	return m[1]
}

// WantDrained waits until the socket that has left is finished.
func (c *Client) WantDrained(srv *Server) {
	c.T.Helper()
	srv.Of("/3").On("sync", func() {})
	c.WantHandled("/3")
}

// WantHandled checks what a client has been sent in a namespace so far.
func (c *Client) WantHandled(namespace string, packets ...any) {
	c.T.Helper()
	c.Acks++
	c.Write(fmt.Sprintf(`42%s,%d["sync"]`, namespace, 1000+c.Acks))
	c.Want(packets...)
	c.Want(fmt.Sprintf(`43%s,%d[]`, namespace, 1000+c.Acks))
}

// Reconstruct reads an event or answer as socket.io-parser does: an object whose
// "_placeholder" is true is replaced, whatever else it has, where there are
// attachments.
func Reconstruct(text string, bin [][]byte) (args []any, err error) {
	if err := json.Unmarshal([]byte(text), &args); err != nil || len(bin) == 0 {
		return args, err
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			if v["_placeholder"] == true {
				num, ok := v["num"].(float64)
				if !ok || num < 0 || num >= float64(len(bin)) || num != float64(int(num)) {
					err = errors.New("illegal attachments")
					return nil
				}
				return bin[int(num)]
			}
			for k := range v {
				v[k] = walk(v[k])
			}
		}
		return v
	}
	return walk(args).([]any), err
}

// ReadArgs reads one packet of the client with its attachments.
func (c *Client) ReadArgs() (payload string, args []any) {
	c.T.Helper()
	text, _ := c.Read().(string)
	var p sio.Packet
	if len(text) < 2 || p.Decode([]byte(text[1:]), sio.Limits{Attachments: 1000}) != nil {
		c.T.Fatalf("received %q", text)
	}
	var bin [][]byte
	for range p.Attachments {
		bin = append(bin, c.Read().([]byte))
	}
	args, err := Reconstruct(string(p.Data), bin)
	if err != nil {
		c.T.Fatalf("%s: %v", text, err)
	}
	return text, args
}
