package protocol_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
)

func TestStrayEnginePacketsAreIgnored(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	for _, packet := range []string{"0", "1", "3", "3probe", "5", "6"} {
		t.Run(packet, func(t *testing.T) {
			w := h.openWebSocket(t)
			join(t, w, "")
			w.send(packet)
			echoes(t, w)
		})
	}
}

// Ours: a ping is a parse error as well; to Node it is a transport error.
func TestInvalidEnginePacketClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	for name, packet := range map[string]string{
		"empty":                    "",
		"type out of range":        "7",
		"two digits":               "8x",
		"letter":                   "x",
		"letter beyond ASCII":      "é",
		"ping by the client":       "2",
		"probe when there is none": "2probe",
	} {
		t.Run(name, func(t *testing.T) {
			w := h.openWebSocket(t)
			id := join(t, w, "")
			w.write(websocket.TextMessage, []byte(packet))
			w.ended()
			h.leaves(t, id, socketio.ReasonParse)
			all.noticedNothing(t)
		})
	}
}

func TestBinaryMayComeAsText(t *testing.T) {
	t.Parallel()
	w := serve(t, nil).openWebSocket(t)
	join(t, w, "")
	w.send(`451-["message",{"_placeholder":true,"num":0}]`)
	w.write(websocket.TextMessage, []byte("bAQID"))
	expect(t, w, `451-["message-back",{"_placeholder":true,"num":0}]`, "bAQID")
}

func TestBrokenFrameClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	mask := "\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		frame string
		code  int
	}{
		"unmasked":                         {"\x81\x013", websocket.CloseProtocolError},
		"RSV1 without compression":         {"\xc1\x81" + mask + "3", websocket.CloseProtocolError},
		"reserved opcode":                  {"\x83\x81" + mask + "3", websocket.CloseProtocolError},
		"continuation of nothing":          {"\x80\x81" + mask + "3", websocket.CloseProtocolError},
		"fragmented control frame":         {"\x09\x81" + mask + "3", websocket.CloseProtocolError},
		"control frame that is too long":   {"\x89\xfe\x00\x7e" + mask + strings.Repeat("x", 126), websocket.CloseProtocolError},
		"close frame with a reserved code": {"\x88\x82" + mask + "\x03\xed", websocket.CloseProtocolError},
		"text that is no UTF-8":            {"\x81\x82" + mask + "4\xff", websocket.CloseInvalidFramePayloadData},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.openWebSocket(t)
			id := join(t, w, "")
			if _, err := w.conn.NetConn().Write([]byte(c.frame)); err != nil {
				t.Fatal(err)
			}
			w.closed(c.code)
			h.leaves(t, id, socketio.ReasonError)
			all.noticedNothing(t)
		})
	}
}

func TestMessageOverMaxPayloadClosesTheSession(t *testing.T) {
	t.Parallel()
	const limit = 1000
	h := serve(t, &socketio.Options{MaxPayload: limit})
	all := h.bystanders(t)
	for name, write := range map[string]func(w *wsSession){
		"text": func(w *wsSession) {
			w.write(websocket.TextMessage, []byte("4"+strings.Repeat("x", limit)))
		},
		"binary": func(w *wsSession) {
			w.write(websocket.BinaryMessage, make([]byte, limit+1))
		},
		"the sum of fragments": func(w *wsSession) {
			fragment := []byte(strings.Repeat("x", limit/4))
			message, err := w.conn.NextWriter(websocket.TextMessage)
			for range 5 {
				if err == nil {
					_, err = message.Write(fragment)
				}
			}
			if err == nil {
				err = message.Close()
			}
			if err != nil {
				w.t.Fatal(err)
			}
		},
		"announced only": func(w *wsSession) { // 2⁶³-1 bytes
			if _, err := w.conn.NetConn().Write([]byte("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.openWebSocket(t)
			id := join(t, w, "")
			write(w)
			w.closed(websocket.CloseMessageTooBig)
			h.leaves(t, id, socketio.ReasonError)
			all.noticedNothing(t)
		})
	}
	t.Run("exactly the limit is accepted", func(t *testing.T) {
		w := h.openWebSocket(t)
		join(t, w, "")
		event := `42["message","` + strings.Repeat("x", limit-len(`42["message",""]`)) + `"]`
		w.send(event)
		expect(t, w, strings.Replace(event, "message", "message-back", 1))
	})
	t.Run("fragments within the limit are accepted", func(t *testing.T) {
		w := h.openWebSocket(t)
		join(t, w, "")
		message, err := w.conn.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`42["mess`, `age",`, "", `"in parts"]`} {
			if _, err := message.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := message.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, w, `42["message-back","in parts"]`)
	})
}

func TestMaxPayloadDoesNotBoundWhatTheServerSends(t *testing.T) {
	t.Parallel()
	h := serve(t, &socketio.Options{MaxPayload: 1000})
	large := strings.Repeat("x", 100_000)
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			c := transport.open(t, h)
			id := join(t, c, "")
			if err := h.io.To(id).Emit("large", large); err != nil {
				t.Fatal(err)
			}
			expect(t, c, `42["large","`+large+`"]`)
		})
	}
}

func TestCloseFrameIsAnswered(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	w := h.openWebSocket(t)
	id := join(t, w, "")
	w.write(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "bye"))
	w.closed(websocket.CloseNormalClosure)
	h.leaves(t, id, socketio.ReasonTransport)
}

func TestConnectionThatBreaksIsTransportClose(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	w := h.openWebSocket(t)
	id := join(t, w, "")
	w.conn.Close()
	h.leaves(t, id, socketio.ReasonTransport)
	all.noticedNothing(t)
}

func TestWebSocketPingIsAnswered(t *testing.T) {
	t.Parallel()
	w := serve(t, nil).openWebSocket(t)
	join(t, w, "")
	pongs := make(chan string, 1)
	w.conn.SetPongHandler(func(data string) error {
		pongs <- data
		return nil
	})
	w.write(websocket.PingMessage, []byte("hello"))
	echoes(t, w) // reads, and comes behind the pong
	select {
	case data := <-pongs:
		if data != "hello" {
			t.Errorf("the pong says %q", data)
		}
	default:
		t.Error("no pong came")
	}
}
