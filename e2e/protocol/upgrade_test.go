package protocol_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

// candidate opens a WebSocket that asks to take over a polling session.
func (p *polling) candidate() *wsSession {
	p.t.Helper()
	return p.host.dial(p.t, overWebSocket+"&sid="+p.sid)
}

// upgrade moves the session to a WebSocket.
func (p *polling) upgrade() *wsSession {
	p.t.Helper()
	w := p.candidate()
	w.send("2probe")
	expect(p.t, w, "3probe")
	w.send("5")
	return w
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	join(t, p, "")
	w := p.candidate()

	poll := p.wait()
	w.send("2probe")
	expect(t, w, "3probe") // the first packet: there is no second OPEN
	(<-poll).polled(t, "6")

	// From here on, polls are sent home, and what is emitted while there is none
	// goes over the new transport.
	p.get().polled(t, "6")
	p.send(`42["message","during the upgrade"]`)

	w.send("5", `42["message","after it"]`)
	expect(t, w, `42["message-back","during the upgrade"]`, `42["message-back","after it"]`)

	p.get().refused(t, http.StatusBadRequest, 3, "Bad request")
	p.post("3").refused(t, http.StatusBadRequest, 3, "Bad request")
	echoes(t, w)
}

// An upgrade that is tried in vain, such as through a proxy that lets no frame
// pass, must not delay anything.
func TestPollingGoesOnUntilTheUpgradeIsDone(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for name, packets := range map[string][]string{
		"before the probe": nil,
		"after the probe":  {"2probe"},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.openPolling(t)
			join(t, p, "")
			w := p.candidate()
			w.send(packets...)
			if packets != nil {
				expect(t, w, "3probe")
			}
			p.send(`42["message","no delay"]`)
			p.get().polled(t, `42["message-back","no delay"]`)
		})
	}
}

// Ours: a client that polls on while it upgrades is refused in the same way,
// whichever of poll and upgrade comes first.
func TestPollThatWaitsWhenTheUpgradeIsDoneIsRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for {
		p := h.openPolling(t)
		join(t, p, "")
		w := p.candidate()
		w.send("2probe")
		expect(t, w, "3probe")
		begin := time.Now()
		poll := p.wait()
		w.send("5")
		a := <-poll
		if a.body == "6" && time.Since(begin) > 50*time.Millisecond {
			continue // the upgrade took so long that the poll was sent home
		}
		a.refused(t, http.StatusBadRequest, 3, "Bad request")
		echoes(t, w)
		return
	}
}

func TestUpgradeKeepsWhatWasQueued(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	p.send(`42["message","before"]`) // and no poll fetches the echo
	w := p.upgrade()
	expect(t, w, `42["message-back","before"]`)
}

func TestUpgradedSessionRefusesAnotherWebSocket(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	join(t, p, "")
	first := p.upgrade()
	echoes(t, first)
	p.candidate().closed(websocket.CloseNoStatusReceived)
	echoes(t, first)
}

func TestSecondCandidateIsRefusedDuringTheProbe(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	first := p.candidate()
	first.send("2probe")
	expect(t, first, "3probe")
	p.candidate().closed(websocket.CloseNoStatusReceived)
	first.send("5")
	echoes(t, first)
}

// Ours: the newcomer is closed. Node takes it for a new attempt to upgrade.
func TestWebSocketSessionRefusesAnotherWebSocket(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	w := h.openWebSocket(t)
	join(t, w, "")
	h.dial(t, overWebSocket+"&sid="+w.sid).closed(websocket.CloseNoStatusReceived)
	echoes(t, w)
}

// Ours: Node leaves the newcomer waiting.
func TestUpgradeIsOffWhenDisabled(t *testing.T) {
	t.Parallel()
	p := serve(t, &socketio.Options{DisableUpgrade: true}).openPolling(t)
	join(t, p, "")
	p.candidate().closed(websocket.CloseNoStatusReceived)
	echoes(t, p)
}

// Ours: "5" without a probe and a second probe are among them. Node takes the one
// for an upgrade and answers the other.
func TestCandidateThatDoesNotProbeIsClosed(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	for name, packets := range map[string][]string{
		"a message":                     {"40"},
		"a ping that is no probe":       {"2"},
		"a ping with another text":      {"2foo"},
		"an unknown type":               {"abc"},
		"an empty packet":               {""},
		"binary":                        {"bAQID"},
		"the upgrade without the probe": {"5"},
		"a message behind the probe":    {"2probe", "40"},
		"a second probe":                {"2probe", "2probe"},
	} {
		t.Run(name, func(t *testing.T) {
			p := h.openPolling(t)
			join(t, p, "")
			w := p.candidate()
			w.send(packets...)
			if packets[0] == "2probe" {
				expect(t, w, "3probe")
			}
			w.closed(websocket.CloseNoStatusReceived)
			echoes(t, p) // over polling, as before
			echoes(t, p.upgrade())
			all.noticedNothing(t)
		})
	}
}

func TestCandidateThatDoesNotFinishIsClosed(t *testing.T) {
	t.Parallel()
	h := serve(t, &socketio.Options{UpgradeTimeout: 300 * time.Millisecond})
	for name, packets := range map[string][]string{
		"silent from the start":  nil,
		"silent after the probe": {"2probe"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := h.openPolling(t)
			join(t, p, "")
			w := p.candidate()
			w.send(packets...)
			if packets != nil {
				expect(t, w, "3probe")
			}
			w.closed(websocket.CloseNoStatusReceived)
			echoes(t, p)
		})
	}
}

func TestCandidateThatVanishesLeavesPollingAlone(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	w := p.candidate()
	w.send("2probe")
	expect(t, w, "3probe")
	p.send(`42["message","kept"]`)
	w.conn.Close()
	for { // polls are sent home until the server has noticed
		if packet := p.next(); packet != "6" {
			if packet != `42["message-back","kept"]` {
				t.Errorf("received %q", packet)
			}
			break
		}
	}
	echoes(t, p)
}

func TestSessionThatEndsDuringTheProbeClosesBoth(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	id := join(t, p, "")
	w := p.candidate()
	w.send("2probe")
	expect(t, w, "3probe")
	p.send("1")
	h.leaves(t, id, socketio.ReasonTransport)
	p.ended()
	if _, data, err := w.read(); err == nil {
		t.Errorf("received %q, want the WebSocket closed", data)
	}
}
