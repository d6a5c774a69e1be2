//go:build linux

package soak_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// How a client connects.
const (
	webSocket = iota
	polling
	upgrading // polling, and from there to WebSocket
)

// A wire is a transport seen from the client. One goroutine may read while
// others write. A binary message is a string that begins with 'b'.
type wire interface {
	read() (string, error)
	write(packets ...string) error
	conn() net.Conn // nil for polling
	close()
}

// A network is how clients reach a server.
type network struct {
	addr    string
	dialer  websocket.Dialer
	polling *http.Client
}

func newNetwork(addr string, dial func(context.Context, string, string) (net.Conn, error)) *network {
	return &network{
		addr: addr,
		dialer: websocket.Dialer{
			NetDialContext: dial, HandshakeTimeout: patience,
			ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{},
		},
		polling: &http.Client{Timeout: patience, Transport: &http.Transport{
			DialContext: dial, MaxIdleConnsPerHost: 1 << 10, DisableCompression: true,
		}},
	}
}

// net returns the network to a server.
func (srv *server) net() *network {
	n := newNetwork(srv.addr, new(net.Dialer).DialContext)
	srv.t.Cleanup(n.polling.CloseIdleConnections)
	return n
}

// narrow returns the same network, where the system keeps little of what a
// client doesn't read.
func (n *network) narrow() *network {
	return newNetwork(n.addr, (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
	}}).DialContext)
}

var errRefused = errors.New("refused for now")

// open opens a session without joining a namespace.
func (n *network) open(how int) (wire, error) {
	if how == webSocket {
		w, err := n.openWebSocket("")
		if err != nil {
			return nil, err
		}
		if packet, err := w.read(); err != nil || !strings.HasPrefix(packet, "0") {
			w.close()
			return nil, fmt.Errorf("opened with %q: %w", packet, err)
		}
		return w, nil
	}
	return n.openPolling()
}

// A session is a client that has joined "/".
type session struct {
	wire
	network *network

	id, pid string
	missed  [][2]string               // what came before the answer to CONNECT
	events  func(text, binary string) // called by the reader
	ended   chan struct{}             // closed when the reader has ended

	mu     sync.Mutex // guards the following
	err    error      // why it has ended
	next   int
	acks   map[int]chan string
	frozen chan struct{} // not nil while the client does not read
}

// join opens a session and joins "/". Events go to fn.
func (n *network) join(how int, auth string, fn func(text, binary string)) (*session, error) {
	w, err := n.open(how)
	if err != nil {
		return nil, err
	}
	s, err := n.connect(w, auth)
	if err == nil && how == upgrading {
		err = s.upgrade()
	}
	if err != nil {
		w.close()
		return nil, err
	}
	s.events = fn
	go s.run() // close ends it
	return s, nil
}

// connect joins "/" by a wire.
func (n *network) connect(w wire, auth string) (*session, error) {
	if err := w.write("40" + auth); err != nil {
		return nil, err
	}
	s := &session{wire: w, network: n, ended: make(chan struct{}), acks: make(map[int]chan string)}
	for {
		packet, binary, err := s.readPacket()
		if err != nil {
			return nil, err
		}
		payload, ok := strings.CutPrefix(packet, "40")
		if !ok { // what a session that recovers has missed comes first
			if !strings.HasPrefix(packet, "42") && !strings.HasPrefix(packet, "451-") {
				return nil, fmt.Errorf("joining was answered with %q", packet)
			}
			s.missed = append(s.missed, [2]string{packet, binary})
			continue
		}
		var answer struct{ SID, PID string }
		if err := json.Unmarshal([]byte(payload), &answer); err != nil {
			return nil, fmt.Errorf("joining was answered with %q", packet)
		}
		s.id, s.pid = answer.SID, answer.PID
		return s, nil
	}
}

// readPacket reads a packet with what belongs to it, and answers heartbeats.
func (s *session) readPacket() (packet, binary string, err error) {
	read := func() (packet string) {
		for err == nil {
			if packet, err = s.read(); packet != "2" {
				break
			}
			err = s.write("3")
		}
		return packet
	}
	if packet = read(); err == nil && strings.HasPrefix(packet, "451-") {
		binary = read()
	}
	return packet, binary, err
}

// upgrade moves a session that polls, and has no poll under way, to WebSocket.
func (s *session) upgrade() error {
	p := s.wire.(*pollingWire)
	ws, err := s.network.openWebSocket("&sid=" + p.sid)
	if err != nil {
		return err
	}
	if err = ws.write("2probe"); err == nil {
		var packet string
		if packet, err = ws.read(); err == nil && packet != "3probe" {
			err = fmt.Errorf("probe was answered with %q", packet)
		}
	}
	if err == nil {
		err = ws.write("5")
	}
	if err != nil {
		ws.close()
		return fmt.Errorf("upgrading: %w", err)
	}
	ws.first = p.unread
	s.wire = ws
	return nil
}

// run reads until the connection ends.
func (s *session) run() {
	defer close(s.ended)
	for {
		if frozen := s.isFrozen(); frozen != nil {
			<-frozen
		}
		packet, binary, err := s.readPacket()
		if err == nil {
			err = s.handle(packet, binary)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			for _, ack := range s.acks {
				close(ack)
			}
			s.acks = nil
			s.mu.Unlock()
			s.close()
			return
		}
	}
}

func (s *session) handle(packet, binary string) error {
	switch {
	case strings.HasPrefix(packet, "43"):
		var id, n int
		for n = 2; n < len(packet) && packet[n] >= '0' && packet[n] <= '9'; n++ {
			id = 10*id + int(packet[n]-'0')
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if ack := s.acks[id]; ack != nil {
			ack <- packet[n:]
			delete(s.acks, id)
		}
	case strings.HasPrefix(packet, "42"), strings.HasPrefix(packet, "451-"):
		if s.events != nil {
			s.events(packet, binary)
		}
	case strings.HasPrefix(packet, "41"):
		return errors.New("disconnected by the server")
	}
	return nil
}

var errEnded = errors.New("the connection has ended")

// ask emits an event and waits for its answer.
func (s *session) ask(args ...any) (answer string, err error) {
	ack := make(chan string, 1)
	s.mu.Lock()
	if s.acks == nil {
		s.mu.Unlock()
		return "", errEnded
	}
	s.next++
	id := s.next
	s.acks[id] = ack
	s.mu.Unlock()
	if err := s.write(event(id, args...)); err != nil {
		return "", err
	}
	answer, ok := <-ack
	if !ok {
		return "", errEnded
	}
	return answer, nil
}

// event writes an event that asks for an answer, unless id is 0.
func event(id int, args ...any) string {
	payload, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	if id == 0 {
		return "42" + string(payload)
	}
	return fmt.Sprint("42", id, string(payload))
}

// freeze stops the reading, until thaw: nothing is read and no heartbeat
// answered. One packet that is being waited for is still read.
func (s *session) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		s.frozen = make(chan struct{})
	}
}

func (s *session) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen != nil {
		close(s.frozen)
		s.frozen = nil
	}
}

func (s *session) isFrozen() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen
}

// leave ends the session, as a client does that is polite or, if cut, as one
// that resets its connection.
func (s *session) leave(cut bool) {
	s.thaw()
	switch ws, ok := s.wire.(*socketWire); {
	case cut:
		reset(s.conn())
	case ok:
		_ = s.write("41")
		_ = ws.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
	default:
		_ = s.write("41", "1")
	}
	s.close()
	<-s.ended
}

// reset breaks a connection.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}

// A socketWire is a WebSocket.
type socketWire struct {
	ws    *websocket.Conn
	first []string   // what the session has read by polling
	mu    sync.Mutex // held while writing
}

func (n *network) openWebSocket(query string) (*socketWire, error) {
	ws, resp, err := n.dialer.Dial("ws://"+n.addr+"/socket.io/?EIO=4&transport=websocket"+query, nil)
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusServiceUnavailable {
			return nil, errRefused
		}
		return nil, err
	}
	return &socketWire{ws: ws}, nil
}

func (w *socketWire) read() (string, error) {
	if len(w.first) > 0 {
		packet := w.first[0]
		w.first = w.first[1:]
		return packet, nil
	}
	kind, data, err := w.ws.ReadMessage()
	if kind == websocket.BinaryMessage {
		return "b" + string(data), err
	}
	return string(data), err
}

func (w *socketWire) write(packets ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.ws.SetWriteDeadline(time.Now().Add(patience))
	for _, p := range packets {
		if err := w.ws.WriteMessage(websocket.TextMessage, []byte(p)); err != nil {
			return err
		}
	}
	return nil
}

func (w *socketWire) conn() net.Conn { return w.ws.NetConn() }
func (w *socketWire) close()         { w.ws.Close() }

// A pollingWire polls when there is nothing left to read.
type pollingWire struct {
	network *network
	sid     string
	unread  []string
	mu      sync.Mutex // held while posting
	ctx     context.Context
	end     context.CancelFunc
}

const separator = "\x1e"

func (n *network) openPolling() (*pollingWire, error) {
	ctx, end := context.WithCancel(context.Background())
	w := &pollingWire{network: n, ctx: ctx, end: end}
	body, err := w.do(http.MethodGet, "")
	if err != nil {
		end()
		return nil, err
	}
	var open struct{ SID string }
	if !strings.HasPrefix(body, "0") || json.Unmarshal([]byte(body[1:]), &open) != nil || open.SID == "" {
		end()
		return nil, fmt.Errorf("opened with %q", body)
	}
	w.sid = open.SID
	return w, nil
}

func (w *pollingWire) do(method, body string) (string, error) {
	url := "http://" + w.network.addr + "/socket.io/?EIO=4&transport=polling"
	if w.sid != "" {
		url += "&sid=" + w.sid
	}
	r, err := http.NewRequestWithContext(w.ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	resp, err := w.network.polling.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", errRefused
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s", resp.Status, got)
	}
	return string(got), nil
}

func (w *pollingWire) read() (string, error) {
	for len(w.unread) == 0 {
		body, err := w.do(http.MethodGet, "")
		if err != nil {
			return "", err
		}
		for part := range strings.SplitSeq(body, separator) {
			switch {
			case part == "6":
			case strings.HasPrefix(part, "b"):
				data, err := base64.StdEncoding.DecodeString(part[1:])
				if err != nil {
					return "", err
				}
				w.unread = append(w.unread, "b"+string(data))
			default:
				w.unread = append(w.unread, part)
			}
		}
	}
	packet := w.unread[0]
	w.unread = w.unread[1:]
	if packet == "1" {
		return "", errEnded
	}
	return packet, nil
}

func (w *pollingWire) write(packets ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.do(http.MethodPost, strings.Join(packets, separator))
	return err
}

func (w *pollingWire) conn() net.Conn { return nil }
func (w *pollingWire) close()         { w.end() }
