package socketio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

// An exampleHost serves the server of an example on a loopback port.
type exampleHost struct {
	io      *socketio.Server
	web     *httptest.Server
	clients []*exampleClient
	header  http.Header // of the requests of clients
}

// exampleServe serves io, behind the given handler if there is one.
func exampleServe(io *socketio.Server, mux ...http.Handler) *exampleHost {
	handler := http.Handler(io)
	for _, h := range mux {
		handler = h
	}
	return &exampleHost{io: io, web: httptest.NewServer(handler)}
}

// close ends everything, handlers included.
func (h *exampleHost) close() {
	for _, c := range h.clients {
		c.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), examplePatience)
	defer cancel()
	if err := h.io.Shutdown(ctx); err != nil {
		panic(err)
	}
	h.web.Close()
}

// connect returns a client that has joined a namespace over WebSocket, so that
// OnConnect has returned, or that has been refused. auth is what it sends
// along, if anything.
func (h *exampleHost) connect(namespace string, auth ...any) *exampleClient {
	return h.connectAt("/socket.io/", namespace, auth...)
}

// connectAt connects to another path.
func (h *exampleHost) connectAt(path, namespace string, auth ...any) *exampleClient {
	url := "ws" + strings.TrimPrefix(h.web.URL, "http") + path + "?EIO=4&transport=websocket"
	ws, response, err := websocket.DefaultDialer.Dial(url, h.header)
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	return h.join(&exampleWebSocket{ws}, namespace, auth)
}

// connectPolling returns a client that polls when it is asked to receive, and
// else not.
func (h *exampleHost) connectPolling(namespace string, auth ...any) *exampleClient {
	return h.join(&examplePolling{
		// One connection: it does one thing at a time.
		client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: examplePatience},
		url:    h.web.URL + "/socket.io/?EIO=4&transport=polling",
	}, namespace, auth)
}

// dialFrom returns the HTTP status that a page of another origin gets.
func (h *exampleHost) dialFrom(origin string) (status int) {
	url := "ws" + strings.TrimPrefix(h.web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ws, response, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {origin}})
	if err == nil {
		ws.Close()
	}
	return response.StatusCode
}

// exampleTransport moves Engine.IO packets.
type exampleTransport interface {
	write(text string, binary [][]byte)
	read() (data []byte, binary bool, err error)
	close()
}

// An exampleClient is a Socket.IO client as small as examples need it. It does
// nothing by itself: whoever calls receive or ask reads.
type exampleClient struct {
	exampleTransport
	namespace string
	refused   string // the content of connect_error
	question  string // the id of the last event that wants an answer
	nextID    int
	unread    []exampleEvent
}

// An exampleEvent is an event or an answer.
type exampleEvent struct {
	id   string
	text string
	ack  bool
}

// examplePatience bounds everything that waits: a broken example fails.
const examplePatience = 10 * time.Second

// join opens a session and joins a namespace.
func (h *exampleHost) join(t exampleTransport, namespace string, auth []any) *exampleClient {
	const ready = "example ready" // answered when OnConnect has returned
	exists := false               // unless it is made for this client
	for n := range h.io.Namespaces() {
		if n.Name() == namespace {
			defer n.On(ready, func() {})()
			exists = true
		}
	}
	c := &exampleClient{exampleTransport: t, namespace: namespace}
	h.clients = append(h.clients, c)
	if _, _, err := c.read(); err != nil { // what opens the session
		panic(err)
	}
	payload := ""
	if len(auth) > 0 {
		payload = string(exampleJSON(auth[0]))
	}
	c.write("40"+c.prefix()+payload, nil)
	answer, _, err := c.read()
	if err != nil {
		panic(err)
	}
	if refused, ok := bytes.CutPrefix(answer, []byte("44"+c.prefix())); ok {
		c.refused = string(refused)
		return c
	}
	if exists {
		c.ask(ready)
	}
	return c
}

// prefix is what the packets of a namespace begin with.
func (c *exampleClient) prefix() string {
	if c.namespace == "/" {
		return ""
	}
	return c.namespace + ","
}

// emit sends an event.
func (c *exampleClient) emit(event string, args ...any) {
	c.send('2', "", append([]any{event}, args...))
}

// ask sends an event and returns its answer.
func (c *exampleClient) ask(event string, args ...any) string {
	id := strconv.Itoa(c.nextID)
	c.nextID++
	c.send('2', id, append([]any{event}, args...))
	for i := 0; ; i++ {
		if i == len(c.unread) {
			e, err := c.next()
			if err != nil {
				return err.Error()
			}
			c.unread = append(c.unread, e)
		}
		if e := c.unread[i]; e.ack && e.id == id {
			c.unread = append(c.unread[:i], c.unread[i+1:]...)
			return e.text
		}
	}
}

// answer answers the last event received.
func (c *exampleClient) answer(args ...any) { c.send('3', c.question, append([]any{}, args...)) }

// receive returns the next event, its name followed by its arguments as JSON,
// or "disconnected".
func (c *exampleClient) receive() string {
	if len(c.unread) == 0 {
		e, err := c.next()
		if err != nil {
			return err.Error()
		}
		c.unread = append(c.unread, e)
	}
	e := c.unread[0]
	c.unread = c.unread[1:]
	c.question = e.id
	return e.text
}

// receiveAll receives in the background until the connection ends.
func (c *exampleClient) receiveAll() <-chan []string {
	received := make(chan []string, 1)
	go func() { // ends with the connection, and is waited for by who receives
		var all []string
		for {
			all = append(all, c.receive())
			if all[len(all)-1] == errExampleGone.Error() {
				received <- all
				return
			}
		}
	}()
	return received
}

// leave leaves the namespace.
func (c *exampleClient) leave() { c.write("41"+c.prefix(), nil) }

// send sends an event or answer with its attachments.
func (c *exampleClient) send(kind byte, id string, args []any) {
	var binary [][]byte
	payload := exampleJSON(exampleDetach(args, &binary))
	count := ""
	if len(binary) > 0 {
		kind += '5' - '2'
		count = strconv.Itoa(len(binary)) + "-"
	}
	c.write("4"+string(kind)+count+c.prefix()+id+string(payload), binary)
}

// errExampleGone is what a client without a connection receives.
var errExampleGone = fmt.Errorf("disconnected")

var exampleHeader = regexp.MustCompile(`^4([1-6])(?:(\d+)-)?(?:/[^,]*,)?(\d*)(.*)$`)

// next reads the next event or answer.
func (c *exampleClient) next() (exampleEvent, error) {
	for {
		data, _, err := c.read()
		if err != nil {
			return exampleEvent{}, errExampleGone
		}
		if string(data) == "2" {
			c.write("3", nil)
			continue
		}
		m := exampleHeader.FindStringSubmatch(string(data))
		switch {
		case m == nil:
			continue
		case m[1] == "1":
			return exampleEvent{}, errExampleGone
		}
		count, _ := strconv.Atoi(m[2])
		binary := make([][]byte, count)
		for i := range binary {
			if binary[i], _, err = c.read(); err != nil {
				return exampleEvent{}, errExampleGone
			}
		}
		return exampleShow(m[1] == "3" || m[1] == "6", m[3], m[4], binary), nil
	}
}

var examplePlaceholder = regexp.MustCompile(`\{"_placeholder":true,"num":(\d+)\}`)

// exampleShow makes an event readable.
func exampleShow(ack bool, id, payload string, binary [][]byte) exampleEvent {
	var args []json.RawMessage
	if err := json.Unmarshal([]byte(payload), &args); err != nil {
		panic(err)
	}
	var words []string
	for i, arg := range args {
		var name string
		if i == 0 && !ack && json.Unmarshal(arg, &name) == nil {
			words = append(words, name)
			continue
		}
		words = append(words, examplePlaceholder.ReplaceAllStringFunc(string(arg), func(p string) string {
			num, _ := strconv.Atoi(examplePlaceholder.FindStringSubmatch(p)[1])
			return fmt.Sprint("<", len(binary[num]), " bytes>")
		}))
	}
	return exampleEvent{id: id, text: strings.Join(words, " "), ack: ack}
}

// exampleDetach puts placeholders in place of binary data.
func exampleDetach(v any, binary *[][]byte) any {
	switch v := v.(type) {
	case []byte:
		*binary = append(*binary, v)
		return map[string]any{"_placeholder": true, "num": len(*binary) - 1}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = exampleDetach(v[i], binary)
		}
		return list
	case map[string]any:
		object := make(map[string]any)
		for key := range v {
			object[key] = exampleDetach(v[key], binary)
		}
		return object
	}
	return v
}

func exampleJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

type exampleWebSocket struct{ ws *websocket.Conn }

func (t *exampleWebSocket) write(text string, binary [][]byte) {
	_ = t.ws.WriteMessage(websocket.TextMessage, []byte(text))
	for _, b := range binary {
		_ = t.ws.WriteMessage(websocket.BinaryMessage, b)
	}
}

func (t *exampleWebSocket) read() ([]byte, bool, error) {
	_ = t.ws.SetReadDeadline(time.Now().Add(examplePatience))
	kind, data, err := t.ws.ReadMessage()
	return data, kind == websocket.BinaryMessage, err
}

func (t *exampleWebSocket) close() { t.ws.Close() }

type examplePolling struct {
	client *http.Client
	url    string
	unread [][]byte
}

func (t *examplePolling) write(text string, binary [][]byte) {
	packets := []string{text}
	for _, b := range binary {
		packets = append(packets, "b"+base64.StdEncoding.EncodeToString(b))
	}
	response, err := t.client.Post(t.url, "text/plain", strings.NewReader(strings.Join(packets, "\x1e")))
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, response.Body) // or the connection would not be used again
	response.Body.Close()
}

func (t *examplePolling) read() ([]byte, bool, error) {
	if len(t.unread) == 0 {
		response, err := t.client.Get(t.url)
		if err != nil {
			return nil, false, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, false, errExampleGone
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, false, err
		}
		t.unread = bytes.Split(body, []byte{0x1e})
	}
	data := t.unread[0]
	t.unread = t.unread[1:]
	var open struct{ SID string }
	switch {
	case len(data) > 0 && data[0] == '0':
		if err := json.Unmarshal(data[1:], &open); err != nil {
			return nil, false, err
		}
		t.url += "&sid=" + open.SID
	case len(data) > 0 && data[0] == 'b':
		decoded, err := base64.StdEncoding.DecodeString(string(data[1:]))
		return decoded, true, err
	case string(data) == "1":
		return nil, false, errExampleGone
	}
	return data, false, nil
}

// close tells the server and takes the answer, as otherwise Shutdown would
// wait for another poll.
func (t *examplePolling) close() {
	t.write("1", nil)
	_, _, _ = t.read()
	t.client.CloseIdleConnections()
}
