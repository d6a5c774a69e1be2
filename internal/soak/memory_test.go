//go:build linux

package soak_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Clients that fill whatever a client can fill hold no more of the server's
// memory than the documented sum, and the server stays below its limit.
func TestWorstClientsStayInsideTheFormula(t *testing.T) {
	besides(t)
	const (
		maxPayload = 100_000
		maxEvent   = 4 * maxPayload
		maxQueue   = 1 << 20
		namespaces = 3
		each       = maxQueue + maxEvent + 3*maxPayload + maxEvent + namespaces*maxPayload + maxHeaderBytes + 8<<10
		own        = 24 << 20 // of the process, and what is garbage until it is collected
	)
	clients := size(60, 15)
	limit := clients*each + own
	srv := start(t, setup{SendBuffer: 32 << 10, Options: options{
		MaxPayload: maxPayload, MaxQueue: maxQueue,
		WriteTimeout: 5 * time.Minute, PingInterval: 5 * time.Minute, PingTimeout: 5 * time.Minute, // they are to stay
	}}, fmt.Sprint("GOMEMLIMIT=", limit))
	network := srv.net().narrow()
	header := http.Header{"X-Filler": {strings.Repeat("x", maxHeaderBytes-4096)}}
	base := srv.state(true)
	memory := srv.sample()
	for i := range clients {
		ws, _, err := network.dialer.Dial("ws://"+srv.addr+"/socket.io/?EIO=4&transport=websocket", header)
		if err != nil {
			t.Fatal(err)
		}
		w := &socketWire{ws: ws}
		t.Cleanup(w.close)
		worst(t, w, maxPayload, maxQueue, func() {
			t.Helper()
			until(t, "the queue is full", func() bool { return srv.state(false).QueuedBytes > int64(i+1)*maxQueue*9/10 })
		})
	}
	var held int
	// Nothing tells when the last byte has been taken: the heap grows until then.
	until(t, "the clients have filled what they can", func() bool {
		before := held
		held = int(srv.state(true).Heap) - int(base.Heap)
		pause(t.Context(), 200*time.Millisecond)
		return held > clients*each*3/4 && held < before+before/100
	})
	most := memory.end()
	state := srv.state(true)
	conclude(t, "%d worst clients hold %s each, %.0f %% of the documented sum of %s; memory at most %s of %s",
		clients, inMiB(held/clients), 100*float64(held)/float64(clients*each), inMiB(each), inMiB(most.Memory), inMiB(limit))
	if held > clients*each {
		t.Errorf("%d clients hold %s, want at most %s", clients, inMiB(held), inMiB(clients*each))
	}
	if state.Connections != clients {
		t.Errorf("%d of %d clients are still there", state.Connections, clients)
	}
	if most.Memory > uint64(limit*11/10) {
		t.Errorf("the server has taken %s, with a limit of %s", inMiB(most.Memory), inMiB(limit))
	}
}

// worst fills everything that a client can fill.
func worst(t *testing.T, w *socketWire, maxPayload, maxQueue int, queueIsFull func()) {
	t.Helper()
	_, err := w.read()
	step := func(fn func() error) {
		t.Helper()
		if err == nil {
			err = fn()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, namespace := range []string{"", "/a,", "/b,"} { // and what is sent as auth
		step(func() error {
			auth := fmt.Sprintf(`{"token":"%s"}`, strings.Repeat("x", maxPayload-100))
			return w.write("40" + namespace + auth)
		})
		step(func() error { _, err := w.read(); return err })
	}
	step(func() error { return w.write(event(0, "brim", maxQueue-64<<10)) })
	queueIsFull()
	// What waits for handlers, one of which blocks.
	step(func() error { return w.write(event(0, "block")) })
	waiting := strings.Repeat("x", maxPayload-100)
	for range 3 {
		step(func() error { return w.write(event(0, "fill", waiting)) })
	}
	step(func() error { return w.write(event(0, "fill", waiting[:maxPayload-5000])) })
	// What is being read: an event whose last binary part is not there wholly.
	step(func() error {
		return w.write(`455-["fill"` + strings.Repeat(" ", maxPayload-100) + `]`)
	})
	part := make([]byte, maxPayload-100)
	for range 2 {
		step(func() error { return w.ws.WriteMessage(websocket.BinaryMessage, part) })
	}
	step(func() error {
		last, err := w.ws.NextWriter(websocket.BinaryMessage)
		if err == nil {
			_, err = last.Write(part[:maxPayload-5000]) // its end is never sent
		}
		return err
	})
}
