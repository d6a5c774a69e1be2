package tests_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A pairStage is a server with a client to which two conditions happen, and another
// client, which must not notice.
type pairStage struct {
	t         *testing.T
	srv       *siotest.Server
	bus       *logBus // nil without one
	codec     bool
	namespace string // of the client's socket
	transport string
	c         *siotest.Client
	s         *socketio.Socket
	settled   atomic.Int32 // acks that have been settled
	awaited   int32        // and should be in the end
	done      []chan error // of Shutdown
	shutDown  bool
}

// A pairCondition is one thing that may happen to a client, alone or with another.
type pairCondition struct {
	name   string
	config func(p *pairStage, o *socketio.Options) // before the server is made
	enter  func(p *pairStage)                      // when the client has connected
	reason socketio.Reason                         // why the socket ends, if it does
}

// write sends packets of the Socket.IO protocol, without waiting until they are read.
func (p *pairStage) write(packets ...string) {
	var all []any
	for _, packet := range packets {
		if p.namespace != "/" {
			packet = packet[:1] + p.namespace + "," + packet[1:]
		}
		if p.codec {
			all = append(all, enveloped(packet))
		} else {
			all = append(all, "4"+packet)
		}
	}
	go func() { _ = p.c.Wire.Write(all...) }()
	synctest.Wait()
}

// freeze has the client read nothing any more.
func (p *pairStage) freeze() {
	if w, ok := p.c.Wire.(*siotest.WebSocketWire); ok && w != nil {
		p.c.MemConn().In().SetCapacity(0)
		p.c.MemConn().Freeze()
	}
}

func pairConditions() []pairCondition {
	waiting := func(n int) func(p *pairStage) {
		return func(p *pairStage) {
			p.write(`2["block"]`)
			bubble.Sleep(100 * time.Millisecond)
			for range n {
				p.write(`2["x",1]`)
			}
		}
	}
	end := func(name string, reason socketio.Reason, fn func(p *pairStage)) pairCondition {
		return pairCondition{name: name, enter: fn, reason: reason}
	}
	return []pairCondition{
		{name: "queue", enter: func(p *pairStage) {
			p.freeze()
			for range 10 {
				_ = p.s.Emit("queued", strings.Repeat("x", 100))
			}
		}},
		{name: "inbox", enter: waiting(4)},
		{name: "pause", enter: waiting(40)},
		{name: "upgrade", config: func(p *pairStage, _ *socketio.Options) { p.transport = siotest.Upgrading }, enter: func(p *pairStage) {
			go func() { _ = p.c.Wire.(*siotest.UpgradingWire).Upgrade(false) }()
			synctest.Wait()
		}},
		{name: "acks", enter: func(p *pairStage) {
			p.awaited += 2
			go func() {
				_, _ = p.s.EmitWithAck(p.t.Context(), "question")
				p.settled.Add(1)
			}()
			if err := p.s.Emit("question", func(socketio.Args, error) { p.settled.Add(1) }); err != nil {
				p.awaited--
			}
			synctest.Wait()
		}},
		{name: "recovery", config: func(_ *pairStage, o *socketio.Options) { o.Recovery = &socketio.Recovery{Window: time.Minute} }},
		{name: "template", config: func(p *pairStage, _ *socketio.Options) { p.namespace = "/child-1" }},
		{name: "codec", config: func(p *pairStage, o *socketio.Options) { p.codec, o.Codec = true, envelopeCodec{} }},
		{name: "bus", config: func(p *pairStage, o *socketio.Options) {
			p.bus = newLogBus()
			o.Adapter = p.bus
		}, enter: func(p *pairStage) { _ = p.srv.Emit("to all servers") }},
		{name: "bus away", config: func(p *pairStage, o *socketio.Options) {
			if p.bus == nil {
				p.bus = newLogBus()
				o.Adapter = p.bus
			}
		}, enter: func(p *pairStage) { p.bus.setDown(true); _ = p.srv.Emit("to nobody else") }},
		{name: "shutdown", config: func(_ *pairStage, o *socketio.Options) { o.ShutdownSpread = time.Hour }, enter: func(p *pairStage) {
			p.shutDown = true
			done := make(chan error, 1)
			p.done = append(p.done, done)
			go func() { done <- p.srv.Shutdown(context.Background()) }()
			synctest.Wait()
		}},
		end("slow client", socketio.ReasonSlow, func(p *pairStage) {
			p.freeze()
			for range 1000 {
				if p.s.Emit("flood", strings.Repeat("x", 1000)) != nil {
					return
				}
			}
			p.t.Error("no queue is full")
		}),
		end("panic of a handler", "", func(p *pairStage) { p.write(`2["panic"]`) }),
		end("Goexit of a handler", "", func(p *pairStage) { p.write(`2["goexit"]`) }),
		end("the client disconnects", socketio.ReasonClient, func(p *pairStage) { p.write("1") }),
		end("the transport breaks", socketio.ReasonTransport, func(p *pairStage) {
			if p.transport == siotest.WebSocket {
				p.c.MemConn().Cut()
			} else {
				go func() { _ = p.c.Wire.Write("1") }()
			}
		}),
		end("Socket.Disconnect", socketio.ReasonServer, func(p *pairStage) { _ = p.s.Disconnect() }),
		end("Socket.CloseConnection", socketio.ReasonServer, func(p *pairStage) { _ = p.s.CloseConnection() }),
		end("Socket.Reconnect", socketio.ReasonReconnect, func(p *pairStage) { _ = p.s.Reconnect() }),
		end("ping timeout", socketio.ReasonPingTimeout, func(*pairStage) { bubble.Sleep(time.Minute) }), // its reader does not answer
	}
}

// Each pair of conditions ends well: the other client is served throughout, each ack
// is settled once, OnDisconnect is called once, and nothing is left.
func TestPairs(t *testing.T) {
	t.Parallel()
	conditions := pairConditions()
	documented, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range conditions {
		if !bytes.Contains(documented, []byte("`TestPairs/"+first.name+"`")) {
			t.Errorf("docs/faults.md has no row with the pairs of %s", first.name)
		}
		t.Run(first.name, func(t *testing.T) {
			t.Parallel()
			for _, second := range conditions {
				t.Run(second.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { playPair(t, first, second) })
				})
			}
		})
	}
}

func playPair(t *testing.T, first, second pairCondition) {
	p := &pairStage{t: t, namespace: "/", transport: siotest.WebSocket}
	opts := socketio.Options{MaxQueue: 20_000, MaxPayload: 5000, MaxInbox: 8}
	for _, c := range []pairCondition{first, second} {
		if c.config != nil {
			c.config(p, &opts)
		}
	}
	p.srv = siotest.ServeInMemory(t, &opts)
	p.srv.OfMatch(regexp.MustCompile(`^/child-\d$`).MatchString)
	var disconnects sync.Map // by id
	var n *socketio.Namespace
	register := func(name string) {
		n = p.srv.Of(name)
		n.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) {
			if _, again := disconnects.LoadOrStore(s.ID(), reason); again {
				t.Error("OnDisconnect is called twice")
			}
		})
		n.On("block", func(s *socketio.Socket) { <-s.Context().Done() })
		n.On("x", func(int) {})
		n.On("panic", func() { panic("on purpose") })
		n.On("goexit", func() { runtime.Goexit() })
	}
	register(p.namespace)
	synctest.Wait()

	bystander := p.srv.Open(t, siotest.WebSocket)
	heard := make(chan string, 1000)
	go func() {
		for {
			packet, err := bystander.Next()
			if err != nil {
				close(heard)
				return
			}
			heard <- fmt.Sprintf("%s", packet)
		}
	}()
	encode := func(packet string) any {
		if p.codec {
			return enveloped(packet)
		}
		return "4" + packet
	}
	asked := 0
	served := func(when string) {
		t.Helper()
		asked++
		bystander.Write(encode(fmt.Sprintf(`2%d["echo",1]`, asked)))
		for packet := range heard {
			if strings.Contains(packet, fmt.Sprintf("3%d[1]", asked)) {
				return
			}
		}
		t.Errorf("the other client is not served %s", when)
	}
	bystander.Write(encode("0"))
	served("at first")
	other := ""
	for s := range p.srv.LocalSockets() {
		other = s.ID()
	}

	p.c = p.srv.Open(t, p.transport)
	p.write("0")
	synctest.Wait()
	for s := range n.LocalSockets() {
		if s.ID() != other {
			p.s = s
		}
	}
	if p.s == nil {
		t.Fatal("it has not connected")
	}
	if first.enter != nil {
		first.enter(p)
	}
	synctest.Wait()
	served("after the first")
	if second.enter != nil {
		second.enter(p)
	}
	synctest.Wait()
	served("after the second")

	if reason, ok := disconnects.Load(p.s.ID()); first.enter == nil && second.reason != "" && (!ok || reason != second.reason) {
		t.Errorf("it has ended with %q, want %q", reason, second.reason)
	}
	_ = p.s.CloseConnection() // what is left
	bubble.Sleep(2 * time.Minute)
	synctest.Wait()
	served("in the end")
	if p.bus != nil {
		p.bus.setDown(false)
	}
	if _, ok := disconnects.Load(p.s.ID()); !ok {
		t.Error("OnDisconnect is not called")
	}
	siotest.WantEqual(t, "acks settled", p.settled.Load(), p.awaited)
	siotest.WantEqual(t, "connections", p.srv.Stats().Connections, 1)
	bystander.Wire.Close()
	for _, done := range p.done {
		siotest.WantEqual(t, "Shutdown", <-done, nil)
	}
	bubble.Sleep(2 * time.Minute)
	synctest.Wait()
	st := siotest.Counts(p.srv)
	siotest.WantEqual(t, "what is left", fmt.Sprint(st.Connections, st.Sockets, st.Rooms, st.QueuedBytes), "0 0 0 0")
}
