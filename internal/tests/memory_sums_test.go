package tests_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
	"github.com/socketio-go/socketio/msgpack"
)

// wordSize is the size of an int in bits. What is held is smaller where it is 32.
const wordSize = 32 << (^uint(0) >> 63)

// The limits of a server whose heap is measured: small, so that 200 clients fill
// them quickly.
const (
	heapClients  = 200
	heapQueue    = 64 << 10
	heapPayload  = 32 << 10
	heapEvent    = 128 << 10
	heapReplies  = 1 << 20
	heapOwn      = 8 << 10 // what docs/limits.md gives each connection for the library
	heapPerReply = 500     // and each receiver of an EmitWithAck
)

// A heapShape is one way in which clients make a server hold memory.
type heapShape struct {
	name      string
	change    func(o *socketio.Options)
	transport string // WebSocket if empty
	prepare   func(srv *siotest.Server)
	join      func(c *siotest.Client)
	fill      func(t *testing.T, srv *siotest.Server, clients []*siotest.Client)
	each      int64 // the documented sum of each connection, without heapOwn
	once      int64 // and what is held once
	least     int64 // what is held at least, of each and once; else the test shows nothing
}

// What a server holds is within the sum of docs/limits.md, whatever its clients
// make it hold. It is measured when all have connected, and when nothing moves.
func TestHeapIsWithinTheSum(t *testing.T) { //nolint:paralleltest // it measures the heap
	const noise = 256 << 10 // pools, and what the runtime keeps
	for _, shape := range heapShapes() {
		t.Run(shape.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := socketio.Options{
					PingInterval: time.Hour, MaxHandshakes: heapClients, MaxQueue: heapQueue,
					MaxEvent: heapEvent, MaxPayload: heapPayload, MaxReplies: heapReplies,
				}
				if shape.change != nil {
					shape.change(&opts)
				}
				srv := siotest.ServeInMemory(t, &opts)
				if shape.prepare != nil {
					shape.prepare(srv)
				}
				if shape.transport == "" {
					shape.transport = siotest.WebSocket
				}
				if shape.join == nil {
					shape.join = func(c *siotest.Client) { c.Join("/", "") }
				}
				var clients []*siotest.Client
				for range heapClients {
					c := srv.Open(t, shape.transport)
					if shape.transport == siotest.WebSocket {
						c.MemConn().Out().SetCapacity(1 << 10) // little of the network is in the heap
					}
					shape.join(c)
					clients = append(clients, c)
				}
				synctest.Wait()
				before := siotest.HeapBytes()
				shape.fill(t, srv, clients)
				synctest.Wait()
				held := siotest.HeapBytes() - before
				st := srv.Stats()
				siotest.WantEqual(t, "connections", st.Connections, heapClients)
				sum := heapClients*(shape.each+heapOwn) + shape.once
				least := heapClients*shape.each/2 + shape.once/2
				if shape.least != 0 {
					least = shape.least
				}
				t.Logf("%d bytes are held, the sum is %d; for each connection %d, of %d", held, sum, held/heapClients, sum/heapClients)
				if held > sum+noise {
					t.Errorf("%d bytes are held, but the sum is %d", held, sum)
				}
				if wordSize == 64 && held < least {
					t.Errorf("only %d bytes are held, want at least %d", held, least)
				}
				runtime.KeepAlive(clients)
			})
		})
	}
}

func heapShapes() []heapShape {
	// queues emits to every client, each time anew, until the queues are full.
	queues := func(event string, args ...any) func(*testing.T, *siotest.Server, []*siotest.Client) {
		return func(t *testing.T, srv *siotest.Server, clients []*siotest.Client) {
			t.Helper()
			for _, c := range clients {
				if _, ok := c.Wire.(*siotest.WebSocketWire); ok {
					c.MemConn().In().SetCapacity(0)
					c.MemConn().Freeze()
				}
			}
			_ = srv.Emit(event, args...)
			synctest.Wait() // the flushers take the first
			for last := int64(0); ; {
				for s := range srv.LocalSockets() {
					if err := s.Emit(event, args...); err != nil {
						t.Fatal(err)
					}
				}
				now := srv.Stats().QueuedBytes / heapClients
				if 2*now-last > heapQueue {
					return
				}
				last = now
			}
		}
	}
	// inboxes has each client send an event over and over behind one whose handler
	// does not return.
	blocked := func(srv *siotest.Server) {
		srv.On("block", func(s *socketio.Socket) { <-s.Context().Done() })
		srv.On("ask", func(s *socketio.Socket) { _, _ = s.EmitWithAck(s.Context(), "question") })
		srv.On("x", func(socketio.Args) {})
	}
	inboxes := func(first string, times int, packets ...any) func(*testing.T, *siotest.Server, []*siotest.Client) {
		return func(_ *testing.T, _ *siotest.Server, clients []*siotest.Client) {
			for _, c := range clients {
				go func() {
					if c.Wire.Write(fmt.Sprintf(`42["%s"]`, first)) != nil {
						return
					}
					for range times {
						if c.Wire.Write(packets...) != nil {
							return
						}
					}
				}()
			}
			bubble.Sleep(time.Second) // another goroutine takes over the reading
		}
	}
	manyArgs := `42["x"` + strings.Repeat(",1", 4095) + "]"
	return []heapShape{
		{
			name: "7-byte messages, websocket",
			fill: queues("a"), each: heapQueue + 64<<10, least: heapClients * heapQueue * 3 / 4,
		}, {
			name: "7-byte messages, polling", transport: siotest.Polling,
			fill: queues("a"), each: heapQueue, least: heapClients * heapQueue * 3 / 4,
		}, {
			name: "messages of 1000 bytes, websocket",
			fill: queues("a", strings.Repeat("x", 1000)), each: heapQueue + 64<<10, least: heapClients * heapQueue * 3 / 4,
		}, {
			name: "messages of 3000 bytes, polling", transport: siotest.Polling,
			fill: queues("a", strings.Repeat("x", 3000)), each: heapQueue, least: heapClients * heapQueue * 3 / 4,
		}, {
			name: "one attachment for all",
			fill: func(t *testing.T, srv *siotest.Server, clients []*siotest.Client) {
				t.Helper()
				for _, c := range clients {
					c.MemConn().In().SetCapacity(0)
					c.MemConn().Freeze()
				}
				siotest.WantEqual(t, "emit", srv.Emit("a", make([]byte, 4<<20)), nil)
			},
			once: 4<<20 + 64<<10,
		}, {
			name:   "auth of msgpack in 20 namespaces",
			change: func(o *socketio.Options) { o.Codec = msgpack.Codec{} },
			prepare: func(srv *siotest.Server) {
				for i := range 20 {
					srv.Of(fmt.Sprint("/n", i))
				}
			},
			join: func(*siotest.Client) {},
			fill: func(t *testing.T, _ *siotest.Server, clients []*siotest.Client) {
				t.Helper()
				for _, c := range clients {
					for i := range 20 {
						packet, _, err := msgpack.Codec{}.Encode(fmt.Appendf(nil, `0/n%d,{"a":[null%s]}`, i, strings.Repeat(",null", 1100)), nil)
						if err != nil {
							t.Fatal(err)
						}
						c.Write(packet)
						if data, ok := c.Read().([]byte); !ok {
							t.Fatalf("CONNECT was answered with %s", data)
						}
					}
				}
			},
			each: heapEvent,
		}, {
			name: "answers of all to one EmitWithAck",
			fill: func(t *testing.T, srv *siotest.Server, clients []*siotest.Client) {
				t.Helper()
				go func() { _, _ = srv.EmitWithAck(t.Context(), "question") }()
				for i, c := range clients {
					id := c.WantAckRequest("question")
					if i > 0 { // one does not answer, so all others are held
						c.Write("43" + id + `["` + strings.Repeat("x", 20<<10) + `"]`)
					}
				}
			},
			once: heapReplies + heapClients*heapPerReply, least: heapReplies / 2,
		}, {
			name: "small answers of all to one EmitWithAck",
			fill: func(t *testing.T, srv *siotest.Server, clients []*siotest.Client) {
				t.Helper()
				go func() { _, _ = srv.EmitWithAck(t.Context(), "question") }()
				for i, c := range clients {
					id := c.WantAckRequest("question")
					if i > 0 {
						c.Write("43" + id + `[` + strings.Repeat("1,", 100) + `1]`)
					}
				}
			},
			once: heapReplies + heapClients*heapPerReply, least: heapClients * 101 * 24,
		}, {
			name:    "64 waiting events of 4096 arguments",
			prepare: blocked,
			fill:    inboxes("block", 64, manyArgs),
			each:    heapEvent + heapPayload + 128<<10, least: heapClients * heapEvent / 2,
		}, {
			name:    "64 waiting events of one argument",
			prepare: blocked,
			fill:    inboxes("block", 64, `42["x",1]`),
			each:    heapEvent, least: heapClients * 64 * 100,
		}, {
			name:    "1024 waiting events, while a handler waits in EmitWithAck",
			prepare: blocked,
			fill:    inboxes("ask", 1024, `42["x",1]`),
			each:    heapEvent, least: heapClients * heapEvent / 2,
		}, {
			name:    "1024 waiting events of small attachments, while a handler waits in EmitWithAck",
			prepare: blocked,
			fill:    inboxes("ask", 1024, `452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, []byte{1}, []byte{2}),
			each:    heapEvent, least: heapClients * heapEvent / 2,
		}, {
			name:    "events that are not complete",
			prepare: blocked,
			fill: func(_ *testing.T, _ *siotest.Server, clients []*siotest.Client) {
				for _, c := range clients {
					c.Write(`4510-["x"]`)
					for range 4 {
						c.Write(make([]byte, 30<<10))
					}
				}
			},
			each: heapEvent + 3*heapPayload, least: heapClients * heapEvent / 2,
		},
	}
}
