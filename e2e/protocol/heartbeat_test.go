package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
)

// joinAndBeat connects to the main namespace and waits for a heartbeat, which
// may come first, and returns the id of the socket.
func joinAndBeat(t *testing.T, c client) string {
	t.Helper()
	c.send("40")
	var welcome struct{ SID string }
	for beat := false; !beat || welcome.SID == ""; {
		packet := c.next()
		if data, ok := strings.CutPrefix(packet, "40"); ok && json.Unmarshal([]byte(data), &welcome) == nil {
			continue
		}
		if beat = packet == "2"; !beat {
			t.Fatalf("received %q", packet)
		}
	}
	return welcome.SID
}

func TestServerSendsHeartbeats(t *testing.T) {
	t.Parallel()
	const interval = 50 * time.Millisecond
	h := serve(t, &socketio.Options{PingInterval: interval, PingTimeout: patience})
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			t.Parallel()
			last := time.Now()
			c := transport.open(t, h)
			for range 4 {
				expect(t, c, "2")
				if since := time.Since(last); since < interval {
					t.Errorf("a heartbeat came %v after the one before", since)
				}
				last = time.Now()
				c.send("3")
			}
		})
	}
}

func TestClientThatDoesNotAnswerIsLetGo(t *testing.T) {
	t.Parallel()
	const interval, timeout = 50 * time.Millisecond, 300 * time.Millisecond
	h := serve(t, &socketio.Options{PingInterval: interval, PingTimeout: timeout})
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		begin := time.Now()
		w := h.openWebSocket(t)
		id := joinAndBeat(t, w)
		w.ended()
		if lasted := time.Since(begin); lasted < interval+timeout {
			t.Errorf("let go after %v", lasted)
		}
		h.leaves(t, id, socketio.ReasonPingTimeout)
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		p := h.openPolling(t)
		id := joinAndBeat(t, p)
		(<-p.wait()).polled(t, "1")
		p.get().gone(t)
		h.leaves(t, id, socketio.ReasonPingTimeout)
	})
	t.Run("polling, and it does not poll", func(t *testing.T) {
		t.Parallel()
		p := h.openPolling(t)
		id := joinAndBeat(t, p)
		h.leaves(t, id, socketio.ReasonPingTimeout)
		p.ended()
	})
}

func TestAnyOtherPacketIsNoAnswerToAHeartbeat(t *testing.T) {
	t.Parallel()
	h := serve(t, &socketio.Options{PingInterval: 50 * time.Millisecond, PingTimeout: 500 * time.Millisecond})
	w := h.openWebSocket(t)
	id := joinAndBeat(t, w)
	w.send(`42["message","alive"]`)
	expect(t, w, `42["message-back","alive"]`)
	w.ended()
	h.leaves(t, id, socketio.ReasonPingTimeout)
}

func TestClientThatJoinsNothingIsLetGo(t *testing.T) {
	t.Parallel()
	h := serve(t, &socketio.Options{ConnectTimeout: 500 * time.Millisecond})
	all := h.bystanders(t)
	t.Run("websocket", func(t *testing.T) {
		h.openWebSocket(t).ended()
	})
	t.Run("polling", func(t *testing.T) {
		p := h.openPolling(t)
		(<-p.wait()).polled(t, "1")
		p.get().gone(t)
	})
	t.Run("refused and not trying again", func(t *testing.T) {
		w := h.openWebSocket(t)
		w.send("40/nowhere,")
		expect(t, w, `44/nowhere,{"message":"Invalid namespace"}`)
		w.ended()
	})
	all.noticedNothing(t)
}
