package protocol_test

import (
	"net/http"
	"testing"

	"github.com/socketio-go/socketio"
)

func TestShutdownSendsWhatIsQueuedAndRefusesNewClients(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	w, p := h.openWebSocket(t), h.openPolling(t)
	ids := []string{join(t, w, ""), join(t, p, "")}
	if err := h.io.Emit("last", "words"); err != nil {
		t.Fatal(err)
	}

	down := make(chan error, 1)
	go func() { down <- h.io.Shutdown(t.Context()) }() // awaited below
	for _, id := range ids {
		h.leaves(t, id, socketio.ReasonShutdown)
	}
	// It waits for the client that has not fetched its last words.
	if a := h.request(t, "GET", overPolling, ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("a new client was answered %d %s", a.status, a.body)
	}
	for _, c := range []client{w, p} {
		expect(t, c, `42["last","words"]`)
		c.ended()
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown returned %v", err)
	}
}

func TestCloseEndsEverySession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	w, p := h.openWebSocket(t), h.openPolling(t)
	ids := []string{join(t, w, ""), join(t, p, "")}
	poll := p.wait()
	if err := h.io.Close(); err != nil {
		t.Errorf("Close returned %v", err)
	}
	for _, id := range ids {
		h.leaves(t, id, socketio.ReasonShutdown)
	}
	if _, data, err := w.read(); err == nil {
		t.Errorf("received %q, want the WebSocket closed", data)
	}
	(<-poll).polled(t, "1")
}
