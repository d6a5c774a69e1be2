package tests_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// startLoopback serves io on a TCP port of this machine until the test ends,
// and returns the address. What is measured there is all that a user gets:
// net/http, the handshakes, the kernel's TCP.
func startLoopback(tb testing.TB, io *socketio.Server) (addr string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(done)
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		_ = io.Close()
		<-done
	})
	return listener.Addr().String()
}

// A loopback is a client on a TCP connection, joined to the default namespace.
// What it does after that allocates nothing, so that allocations counted
// meanwhile are the server's.
type loopback struct {
	conn net.Conn
	buf  []byte
}

func dialLoopback(tb testing.TB, addr string) *loopback {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	l := &loopback{conn: conn, buf: make([]byte, 16<<10)}
	l.write(tb, loopbackHandshake(addr))
	l.await(tb, "\r\n\r\n", "0{", "}")
	l.write(tb, maskedText("40"))
	l.await(tb, "40{", "}")
	return l
}

func loopbackHandshake(addr string) []byte {
	return fmt.Appendf(nil, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
}

// await reads until all marks have come, one after another.
func (l *loopback) await(tb testing.TB, marks ...string) {
	tb.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(siotest.WaitLimit))
	defer func() { _ = l.conn.SetReadDeadline(time.Time{}) }()
	var got []byte
	for len(marks) > 0 {
		if i := bytes.Index(got, []byte(marks[0])); i >= 0 {
			got = got[i+len(marks[0]):]
			marks = marks[1:]
			continue
		}
		n, err := l.conn.Read(l.buf)
		if err != nil {
			tb.Fatalf("waiting for %q: %v", marks[0], err)
		}
		got = append(got, l.buf[:n]...)
	}
}

func (l *loopback) write(tb testing.TB, b []byte) {
	if _, err := l.conn.Write(b); err != nil {
		tb.Fatal(err)
	}
}

// skip reads n bytes. It does not care what they are.
func (l *loopback) skip(n int) error {
	for n > 0 {
		m, err := l.conn.Read(l.buf[:min(n, len(l.buf))])
		if err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// exchange writes requests and reads as many bytes as their answers have.
func (l *loopback) exchange(tb testing.TB, requests []byte, answers int) {
	l.write(tb, requests)
	if err := l.skip(answers); err != nil && err != io.EOF {
		tb.Fatal(err)
	}
}

// maskedText is a text frame of a client.
func maskedText(text string) []byte { return maskedFrame(0x1, []byte(text)) }

func maskedFrame(op byte, payload []byte) []byte {
	b := []byte{0x80 | op}
	if len(payload) < 126 {
		b = append(b, 0x80|byte(len(payload)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(payload)))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i&3])
	}
	return b
}

// frameLen is the length of a server's frame.
func frameLen(payload int) int {
	if payload < 126 {
		return 2 + payload
	}
	return 4 + payload
}

// allocations returns how many allocations one of n operations needs when fn
// does all of them. The garbage collector stands still meanwhile, as it would
// empty the pools at random moments. It takes the best of three, since the
// runtime and other goroutines may allocate as well.
func allocations(tb testing.TB, n int, fn func()) float64 {
	tb.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var results []float64
	fn() // the pools fill
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		results = append(results, float64(after.Mallocs-before.Mallocs)/float64(n))
	}
	return slices.Min(results)
}
