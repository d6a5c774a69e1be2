package tests_test

import (
	"fmt"
	"sync/atomic"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/histories"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A player is a client whose life is logged.
type player struct {
	*siotest.RecoveringClient

	name     string
	sessions int
	socketID atomic.Value
	log      *histories.Log
	patience int           // after so many events it closes the connection; 0 is never
	ready    chan struct{} // closed when it is connected, if not nil
	last     error         // why its connection was lost
	done     chan struct{} // closed when its connection is lost; nil if there is none
	settled  chan struct{} // closed when it has received its last event, if not nil
}

// play connects and receives until the connection is lost.
func (p *player) play() {
	defer close(p.done)
	connected := p.log.Connect(p.name)
	missed, err := p.Connect()
	if err != nil {
		return
	}
	connected(p.Recovered)
	p.socketID.Store(p.ID)
	if p.ready != nil {
		close(p.ready)
	}
	for _, event := range missed {
		p.note(event)
	}
	for {
		event, err := p.Receive()
		if err != nil {
			p.last = err
			return
		}
		p.Offset = event.Offset
		p.note(event)
	}
}

func (p *player) note(event siotest.Received) {
	var e histories.Event
	if _, err := fmt.Sscanf(event.Text, "event %q %d", &e.Emitter, &e.Number); err != nil {
		p.T.Errorf("received %s: %v", event.Text, err)
		return
	}
	var parts []histories.Event
	for _, part := range event.Parts {
		var of histories.Event
		if _, err := fmt.Sscanf(part, "%s %d", &of.Emitter, &of.Number); err != nil {
			p.T.Errorf("received the part %q: %v", part, err)
		}
		parts = append(parts, of)
	}
	p.log.Receive(p.name, e, parts...)
	if p.patience--; p.patience == 0 {
		p.Wire.Close()
	}
	if e.Emitter == "last" {
		p.log.Settle(p.name)
		close(p.settled)
	}
}

// webSocket returns the WebSocket of a player, or nil while it polls. Nothing
// must move.
func (p *player) webSocket() *siotest.WebSocketWire {
	if w, ok := p.Wire.(*siotest.UpgradingWire); ok {
		return w.Upgraded()
	}
	w, _ := p.Wire.(*siotest.WebSocketWire)
	return w
}

// upgrades returns what is to be upgraded, or nil.
func (p *player) upgrades() *siotest.UpgradingWire {
	if !p.connected() {
		return nil
	}
	if w, ok := p.Wire.(*siotest.UpgradingWire); ok && w.Upgraded() == nil {
		return w
	}
	return nil
}

// connected reports whether a player has connected and was not let go.
func (p *player) connected() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
	}
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// server is the name for what the server hears from a player on the connection
// of now.
func (p *player) server() string { return fmt.Sprintf("server, session %d of %s", p.sessions, p.name) }

// hangUp ends the connection of a player, whose WebSocket is ws if it has one.
func (p *player) hangUp(ws *siotest.WebSocketWire) {
	upgrading, _ := p.Wire.(*siotest.UpgradingWire)
	switch {
	case ws != nil:
		ws.Close()
	case upgrading != nil:
		upgrading.HangUp()
	default:
		p.Wire.Write("1")
	}
}

// emitted emits an event as a history has it.
func emitted(srv *siotest.Server, sender *socketio.Socket, log *histories.Log, e histories.Emission, binary int) {
	done := log.Emit(e)
	done(emit(srv, sender, e, binary))
}

// emit emits the event of an emission. It reports whether it could.
func emit(srv *siotest.Server, sender *socketio.Socket, e histories.Emission, binary int) bool {
	to := srv.Broadcast()
	if sender != nil {
		to = sender.Broadcast()
	}
	if len(e.Rooms) > 0 {
		to = to.To(e.Rooms...)
	}
	if len(e.Except) > 0 {
		to = to.Except(e.Except...)
	}
	if e.Volatile {
		to = to.Volatile()
	}
	args := []any{e.Emitter, e.Number}
	for range binary {
		args = append(args, fmt.Appendf(nil, "%s %d", e.Emitter, e.Number))
	}
	return to.Emit("event", args...) == nil
}
