package tests_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// The steps of an ending. Each runs on a goroutine of its own until it is done.
var endingSteps = []struct {
	name string
	run  func(e *ending)
}{
	{"Shutdown", func(e *ending) { e.returned(e.srv.Shutdown(e.t.Context())) }},
	{"Close", func(e *ending) { e.returned(e.srv.Close()) }},
	{"a WebSocket handshake", func(e *ending) {
		if ws := e.dial(""); ws != nil {
			ws.WriteMessage(websocket.TextMessage, []byte(`40`))
			e.listen(ws)
		}
	}},
	{"a polling handshake", func(e *ending) {
		if w := e.poll(); w != nil && w.Write(`40`) == nil {
			e.pollOn(w)
		}
	}},
	{"an upgrade", func(e *ending) {
		if ws := e.dial("&sid=" + e.sid); ws != nil {
			ws.WriteMessage(websocket.TextMessage, []byte(`2probe`))
			if kind, data, err := ws.ReadMessage(); err == nil && kind == websocket.TextMessage && string(data) == "3probe" {
				ws.WriteMessage(websocket.TextMessage, []byte(`5`))
			}
			e.listen(ws)
		}
	}},
	{"an event", func(e *ending) { e.caller.Wire.Write(`421["work"]`) }},
}

// An ending is a server that ends, in some order, with what happens meanwhile.
type ending struct {
	t      *testing.T
	srv    *siotest.Server
	sid    string // of a polling session that may be upgraded
	caller *siotest.Client

	mu        sync.Mutex // guards the following
	connected map[*socketio.Socket]bool
	running   int // functions of the application
	over      bool
}

// enter says that a function of the application begins; the one it returns says
// that it ends.
func (e *ending) enter(what string) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		e.t.Errorf("%s after the end", what)
	}
	e.running++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running--
	}
}

// returned is called when Shutdown or Close has returned: nothing may be
// running, and nothing may begin.
func (e *ending) returned(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if err != nil {
		e.t.Errorf("the end: %v", err)
	}
	if e.running > 0 || len(e.connected) > 0 {
		e.t.Errorf("after the end %d functions run and %d sockets are connected", e.running, len(e.connected))
	}
	if st := e.srv.Stats(); st.Connections != 0 || st.Sockets != 0 || st.Rooms != 0 || st.QueuedBytes != 0 {
		e.t.Errorf("after the end there is still %+v", st)
	}
}

func (e *ending) dial(query string) *websocket.Conn {
	dialer := websocket.Dialer{NetDialContext: e.srv.Dial}
	ws, resp, err := dialer.DialContext(e.t.Context(), "ws"+strings.TrimPrefix(e.srv.URL, "http")+"?EIO=4&transport=websocket"+query, nil)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil {
		return nil
	}
	return ws
}

// listen reads until the end.
func (e *ending) listen(ws *websocket.Conn) {
	defer ws.Close()
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

func (e *ending) poll() *siotest.PollingWire {
	w := &siotest.PollingWire{Ctx: context.Background(), HTTP: e.srv.HTTP, URL: e.srv.URL + "?EIO=4&transport=polling", Wait: time.Hour}
	body, err := w.Do(http.MethodGet, nil)
	if err != nil {
		return nil
	}
	sid, _, _ := strings.Cut(strings.TrimPrefix(string(body), `0{"sid":"`), `"`)
	w.URL += "&sid=" + sid
	return w
}

func (e *ending) pollOn(w *siotest.PollingWire) {
	for {
		if _, err := w.Read(); err != nil {
			return
		}
	}
}

// Shutdown and Close, handshakes, an upgrade and a handler, in every order, and
// each of them as soon as the one before has begun, or has got as far as it can.
func TestEveryOrderOfTheEnd(t *testing.T) {
	t.Parallel()
	for _, settled := range []bool{false, true} {
		name := "at once"
		if settled {
			name = "one by one"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := make([]int, len(endingSteps))
			for i := range order {
				order[i] = i
			}
			permute(order, func() {
				if t.Failed() {
					return // one order is enough to look at
				}
				synctest.Test(t, func(t *testing.T) { endIn(t, order, settled) })
				if t.Failed() {
					var names []string
					for _, i := range order {
						names = append(names, endingSteps[i].name)
					}
					t.Errorf("in this order: %s", strings.Join(names, ", "))
				}
			})
		})
	}
}

func endIn(t *testing.T, order []int, settled bool) {
	e := &ending{t: t, srv: siotest.ServeInMemory(t, nil), connected: make(map[*socketio.Socket]bool)}
	e.srv.Use(func(context.Context, *socketio.Socket) error {
		defer e.enter("middleware")()
		return nil
	})
	e.srv.OnConnect(func(s *socketio.Socket) {
		defer e.enter("OnConnect")()
		s.Join("room")
		e.mu.Lock()
		e.connected[s] = true
		e.mu.Unlock()
	})
	e.srv.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) {
		defer e.enter("OnDisconnect")()
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.connected[s] {
			t.Error("OnDisconnect without OnConnect")
		}
		delete(e.connected, s)
	})
	e.srv.On("work", func(s *socketio.Socket) {
		defer e.enter("a handler")()
		<-s.Context().Done()
		bubble.Sleep(100 * time.Millisecond)
	})
	e.caller = e.srv.Join(t, siotest.WebSocket)
	moving := e.srv.Join(t, siotest.Polling)
	_, e.sid, _ = strings.Cut(moving.Wire.(*siotest.PollingWire).URL, "&sid=")

	var wg sync.WaitGroup
	wg.Go(func() { e.listen(e.caller.Wire.(*siotest.WebSocketWire).WS) })
	for _, i := range order {
		wg.Go(func() { endingSteps[i].run(e) })
		if settled {
			synctest.Wait()
		}
	}
	wg.Wait()
	for range 2 { // once more
		e.returned(e.srv.Shutdown(t.Context()))
		e.returned(e.srv.Close())
	}
}

// permute calls fn with every order of list.
func permute(list []int, fn func()) {
	slices.Sort(list)
	for {
		fn()
		i := len(list) - 2
		for i >= 0 && list[i] > list[i+1] {
			i--
		}
		if i < 0 {
			return
		}
		j := len(list) - 1
		for list[j] < list[i] {
			j--
		}
		list[i], list[j] = list[j], list[i]
		slices.Reverse(list[i+1:])
	}
}
