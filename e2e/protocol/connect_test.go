package protocol_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	const id = `\{"sid":"[\w-]{20,}"\}`
	for _, transport := range transports {
		for _, c := range []struct{ name, packet, answer string }{
			{"to the main namespace", "40", "40" + id},
			{"to the main namespace, with auth", `40{"token":"123"}`, "40" + id},
			{"to the main namespace, by its name", "40/,", "40" + id},
			{"to another namespace", "40/custom,", "40/custom," + id},
			{"to another namespace, without a comma", "40/custom", "40/custom," + id},
			{"to another namespace, with auth", `40/custom,{"token":"abc"}`, "40/custom," + id},
			{"with an ack id, which is ignored", "40123", "40" + id},
			{"to an unknown namespace", "40/random", `44/random,\{"message":"Invalid namespace"\}`},
			{"to a namespace with a query", "40/custom?x=1,", `44/custom\?x=1,\{"message":"Invalid namespace"\}`},
			{"to a namespace in capitals", "40/CUSTOM,", `44/CUSTOM,\{"message":"Invalid namespace"\}`},
			{"refused by middleware", "40/admin,", `44/admin,\{"message":"not authorized","data":\{"code":"E1"\}\}`},
		} {
			t.Run(transport.name+" "+c.name, func(t *testing.T) {
				s := transport.open(t, h)
				s.send(c.packet)
				matches(t, s.next(), c.answer)
			})
		}
	}
}

func TestRefusedClientMayTryAgain(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			c.send("40/admin,")
			expect(t, c, `44/admin,{"message":"not authorized","data":{"code":"E1"}}`)
			c.send(`40/admin,{"token":"123"}`)
			matches(t, c.next(), `40/admin,\{"sid":".*"\}`)
		})
	}
}

func TestIdsDiffer(t *testing.T) {
	t.Parallel()
	w := serve(t, nil).openWebSocket(t)
	main, custom := join(t, w, ""), join(t, w, "/custom")
	if main == custom || main == w.sid || custom == w.sid {
		t.Errorf("session %s, sockets %s and %s", w.sid, main, custom)
	}
}

func TestEventsBehindConnectAreHandled(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			c.send("40", `42["message",1]`, `42["message",2]`)
			matches(t, c.next(), `40\{"sid":".*"\}`)
			expect(t, c, `42["message-back",1]`, `42["message-back",2]`)
		})
	}
}

func TestInvalidConnectClosesTheConnection(t *testing.T) {
	t.Parallel()
	violate(t, []violation{
		{"with an array", nil, []string{"40[]"}},
		{"with a string", nil, []string{`40"x"`}},
		{"with half an object", nil, []string{`40{"a"`}},
		{"with something behind the object", nil, []string{"40{}{}"}},
		{"with null", nil, []string{"40null"}},
		{"with true", nil, []string{"40true"}},
		{"to another namespace, with an array", nil, []string{"40/custom,[]"}},
		{"twice", []string{""}, []string{"40"}},
		{"twice to another namespace", []string{"/custom"}, []string{"40/custom,"}},
	})
}

// Ours: the place is taken when the first CONNECT comes. Node may make two
// sockets while middleware runs.
func TestConnectTwiceAtOnceClosesTheConnection(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	w := h.openWebSocket(t)
	w.send("40", "40")
	for {
		_, data, err := w.read()
		if websocket.IsCloseError(err, websocket.CloseNoStatusReceived) {
			break
		}
		if err != nil || !strings.HasPrefix(string(data), `40{"sid":`) {
			t.Fatalf("received %q, %v", data, err)
		}
	}
	all.noticedNothing(t)
}

func TestPacketBeforeConnectClosesTheConnection(t *testing.T) {
	t.Parallel()
	violate(t, []violation{
		{"an event", nil, []string{`42["message","too early"]`}},
		{"an answer", nil, []string{"430[]"}},
		{"a disconnect", nil, []string{"41"}},
		{"a binary event", nil, []string{`451-["message",{"_placeholder":true,"num":0}]`, "bAQID"}},
		{"an event for another namespace than the one joined", []string{""}, []string{`42/custom,["message","x"]`}},
		{"an answer for another namespace than the one joined", []string{""}, []string{"43/custom,0[]"}},
		{"an event for an unknown namespace", []string{"", "/custom"}, []string{`42/random,["message","x"]`}},
		{"an event for a namespace that was left", []string{"", "/custom"}, []string{"41/custom,", `42/custom,["message","x"]`}},
	})
}

func TestEventForANamespaceThatRefusedIsDropped(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			c.send("40/admin,")
			expect(t, c, `44/admin,{"message":"not authorized","data":{"code":"E1"}}`)
			c.send(`42/admin,["message","x"]`)
			c.send("40/admin,")
			expect(t, c, `44/admin,{"message":"not authorized","data":{"code":"E1"}}`)
			all.noticedNothing(t)
		})
	}
}

func TestClientDisconnects(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		t.Run(transport.name+" from one namespace of two", func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			id := join(t, c, "/custom")
			c.send("41/custom,")
			h.leaves(t, id, socketio.ReasonClient)
			echoes(t, c) // and no answer to the disconnect before
			join(t, c, "/custom")
		})
		t.Run(transport.name+" from the only namespace, and comes back", func(t *testing.T) {
			c := transport.open(t, h)
			id := join(t, c, "")
			c.send("41")
			h.leaves(t, id, socketio.ReasonClient)
			if join(t, c, "") == id {
				t.Error("the id is the same")
			}
			echoes(t, c)
		})
		t.Run(transport.name+" and comes back at once", func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			c.send("41", "40")
			matches(t, c.next(), `40\{"sid":".*"\}`)
			echoes(t, c)
		})
	}
}

func TestServerDisconnects(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, transport := range transports {
		t.Run(transport.name+" from one namespace", func(t *testing.T) {
			c := transport.open(t, h)
			join(t, c, "")
			id := join(t, c, "/custom")
			c.send(`42/custom,["kick"]`)
			expect(t, c, "41/custom,")
			h.leaves(t, id, socketio.ReasonServer)
			echoes(t, c)
		})
		t.Run(transport.name+" from the main namespace", func(t *testing.T) {
			c := transport.open(t, h)
			id := join(t, c, "")
			c.send(`42["kick"]`)
			expect(t, c, "41")
			h.leaves(t, id, socketio.ReasonServer)
			join(t, c, "")
			echoes(t, c)
		})
		t.Run(transport.name+" and closes the connection", func(t *testing.T) {
			c := transport.open(t, h)
			main, custom := join(t, c, ""), join(t, c, "/custom")
			c.send(`42["message","last words"]`, `42["close"]`)
			expect(t, c, `42["message-back","last words"]`, "41", "41/custom,")
			c.ended()
			h.leaves(t, main, socketio.ReasonServer)
			h.leaves(t, custom, socketio.ReasonServer)
		})
	}
}

// Clients look at a close packet before the packets in front of it in the same
// payload, and would take a disconnect by the server for a lost connection.
func TestClosePacketComesInAPayloadOfItsOwn(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	t.Run("to a poll that waits", func(t *testing.T) {
		p := h.openPolling(t)
		join(t, p, "")
		poll := p.wait()
		p.send(`42["close"]`)
		(<-poll).polled(t, "41")
		p.ended()
	})
	t.Run("to the next poll", func(t *testing.T) {
		p := h.openPolling(t)
		id := join(t, p, "")
		p.send(`42["close"]`)
		h.leaves(t, id, socketio.ReasonServer)
		p.get().polled(t, "41")
		p.ended()
	})
}
