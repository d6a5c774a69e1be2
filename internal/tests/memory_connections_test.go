//go:build unix

package tests_test

import (
	"fmt"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/siotest"
)

// An fdClient is a connection that takes no memory of this process's heap, so
// that what is found there is the server's.
type fdClient int

func dialFD(tb testing.TB, addr string, namespaces ...string) fdClient {
	tb.Helper()
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		tb.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	c := fdClient(fd)
	timeout := syscall.NsecToTimeval(int64(siotest.WaitLimit))
	sa := &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}
	for _, err := range []error{
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout),
		syscall.Connect(fd, sa),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	c.exchange(tb, string(loopbackHandshake(addr)), `"maxPayload"`)
	for _, namespace := range namespaces {
		c.exchange(tb, string(maskedText("40"+namespace)), `"sid"`)
	}
	return c
}

// exchange writes a request and reads until the answer has come.
func (c fdClient) exchange(tb testing.TB, request, mark string) {
	tb.Helper()
	if _, err := syscall.Write(int(c), []byte(request)); err != nil {
		tb.Fatal(err)
	}
	var got strings.Builder
	var buf [1 << 10]byte
	for !strings.Contains(got.String(), mark) {
		n, err := syscall.Read(int(c), buf[:])
		if err == syscall.EINTR { // a signal of the runtime's
			continue
		}
		if err != nil || n == 0 {
			tb.Fatalf("waiting for %q after %q: %v", mark, got.String(), err)
		}
		got.Write(buf[:n])
	}
}

// perConnection opens connections to a server and returns the live heap and
// the stack that each of them takes.
func perConnection(t *testing.T, server *socketio.Server, namespaces ...string) (heap, stack float64) {
	t.Helper()
	const warm, n = 50, 500
	fillGoroutinePool(2 * n)
	others := runtime.NumGoroutine()
	var connected sync.WaitGroup
	for _, name := range namespaces {
		server.Of(strings.TrimSuffix(name, ",")).OnConnect(func(*socketio.Socket) { connected.Done() })
	}
	addr := startLoopback(t, server)
	clients := make([]fdClient, 0, warm+n)
	t.Cleanup(func() {
		for _, c := range clients {
			_ = syscall.Close(int(c))
		}
	})
	open := func(n int) {
		connected.Add(n * len(namespaces))
		for range n {
			clients = append(clients, dialFD(t, addr, namespaces...))
		}
		connected.Wait()
		// What is left is the reader of each, and the listener.
		for deadline := time.Now().Add(siotest.WaitLimit); runtime.NumGoroutine() > others+len(clients)+1; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines for %d connections", runtime.NumGoroutine()-others, len(clients))
			}
		}
	}
	open(warm) // what is made once, tables and pools
	var before, after runtime.MemStats
	siotest.ReadMemStats(&before)
	open(n)
	siotest.ReadMemStats(&after)
	each := func(before, after uint64) float64 { return (float64(after) - float64(before)) / n }
	return each(before.HeapAlloc, after.HeapAlloc), each(before.StackInuse, after.StackInuse)
}

// fillGoroutinePool has the runtime keep room for goroutines, which it takes
// from the heap and never gives back.
func fillGoroutinePool(n int) {
	var wg sync.WaitGroup
	end := make(chan struct{})
	for range n {
		wg.Go(func() { <-end })
	}
	close(end)
	wg.Wait()
}

// What an idle WebSocket connection with one socket keeps, in bytes as the
// allocator hands them out:
//
//	 352  gorilla's Conn
//	 224  its bufio.Reader and 128 bytes to read a header into
//	 112  its closures and a one-byte semaphore
//	 320  engine.Session; what it remembers of the request is in it
//	  80  what else is remembered of the request: its URI, header fields
//	 160  rawconn.Conn and its two closures, 16 the hijacker's
//	  96  wsConn
//	  32  Turn, the reader's
//	 144  conn
//	 256  Socket
//	 112  the heartbeat's timer, 16 its closure
//	  72  two ids
//	 104  places in the maps of sessions and of sockets
//	 288  net's: the descriptor, two addresses
//	----
//	2446, and 4096 for the stack of the reader
//
// The goroutine itself, 480, is not counted: the runtime keeps it for ever.
func TestHeapOfConnections(t *testing.T) {
	register := func(n int) func(*socketio.Socket) {
		return func(s *socketio.Socket) {
			for i := range n {
				s.On(fmt.Sprint("event", i), func(*socketio.Socket, string) {})
			}
		}
	}
	join := func(n int) func(*socketio.Socket) {
		return func(s *socketio.Socket) {
			for i := range n {
				_ = s.Join(fmt.Sprint("room", i))
			}
		}
	}
	const mostStack = 9 << 10 // 4 KiB, and twice that under the race detector
	const bare, plain = "connection without a socket", "socket"
	heap := make(map[string]float64)
	for _, test := range []struct {
		name       string
		than       string // with which it is compared; "" means with nothing
		most       float64
		connect    func(*socketio.Socket)
		namespaces []string
	}{
		{name: bare, most: 2700},
		{name: plain, most: 2900, namespaces: []string{""}},
		{name: "socket in a second namespace", than: plain, most: 450, namespaces: []string{"", "/second,"}},
		{name: "1 handler of its own", than: plain, most: 600, connect: register(1), namespaces: []string{""}},
		{name: "10 handlers of its own", than: plain, most: 1800, connect: register(10), namespaces: []string{""}},
		{name: "1 room", than: plain, most: 120, connect: join(1), namespaces: []string{""}},
		{name: "10 rooms", than: plain, most: 650, connect: join(10), namespaces: []string{""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := socketio.NewServer(&socketio.Options{PingInterval: time.Hour})
			if test.connect != nil {
				server.OnConnect(test.connect)
			}
			got, stack := perConnection(t, server, test.namespaces...)
			heap[test.name] = got
			got -= heap[test.than]
			t.Logf("%.0f bytes of the heap, %.0f of stack", got, stack)
			if got > test.most {
				t.Errorf("takes %.0f bytes of the heap, want at most %.0f", got, test.most)
			}
			if stack > mostStack {
				t.Errorf("takes %.0f bytes of stack, want at most %d", stack, mostStack)
			}
		})
	}
}

// Handlers of a namespace cost nothing for its sockets.
func TestNamespaceHandlersCostNothingPerSocket(t *testing.T) {
	measure := func(handlers int) float64 {
		server := socketio.NewServer(nil)
		for i := range handlers {
			server.On(fmt.Sprint("event", i), func(*socketio.Socket, string) {})
		}
		heap, _ := perConnection(t, server, "")
		return heap
	}
	none, many := measure(0), measure(100)
	if many > none+50 {
		t.Errorf("a socket takes %.0f bytes with 100 handlers on its namespace, %.0f without", many, none)
	}
}

// The structs that every connection has must not outgrow their size class
// unnoticed.
func TestSizes(t *testing.T) {
	pointed := func(of reflect.Type, field string) reflect.Type {
		f, ok := of.FieldByName(field)
		if !ok {
			t.Fatalf("%v has no field %s", of, field)
		}
		return f.Type.Elem()
	}
	socket := reflect.TypeFor[socketio.Socket]()
	session := reflect.TypeFor[engine.Session]()
	wsConn := pointed(session, "ws")
	for _, test := range []struct {
		typ  reflect.Type
		most uintptr
	}{
		{socket, 256},
		{pointed(socket, "conn"), 144},
		{session, 320},
		{wsConn, 96},
		{pointed(wsConn, "raw"), 144},
	} {
		if size := test.typ.Size(); size > test.most {
			t.Errorf("%v has %d bytes, want at most %d", test.typ, size, test.most)
		}
	}
}
