package tests_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// An envelopeCodec puts a packet and its attachments into one message of JSON.
type envelopeCodec struct{}

type envelope struct {
	Packet      string
	Attachments [][]byte
}

func (envelopeCodec) Encode(packet []byte, attachments [][]byte) ([]byte, bool, error) {
	if strings.Contains(string(packet), "unspeakable") {
		return nil, false, errors.New("unspeakable")
	}
	message, err := json.Marshal(envelope{string(packet), attachments})
	return message, true, err
}

func (envelopeCodec) Decode(message []byte, binary bool) ([]byte, [][]byte, error) {
	var e envelope
	if !binary {
		return nil, nil, errors.New("not binary")
	}
	err := json.Unmarshal(message, &e)
	return []byte(e.Packet), e.Attachments, err
}

// enveloped is what is on the wire for a packet.
func enveloped(packet string, attachments ...[]byte) []byte {
	message, _, err := envelopeCodec{}.Encode([]byte(packet), attachments)
	if err != nil {
		panic(err)
	}
	return message
}

func TestCodecOfTheApplication(t *testing.T) {
	t.Parallel()
	siotest.OnEachTransport(t, func(t *testing.T, transport string) {
		srv := siotest.Serve(t, &socketio.Options{Codec: envelopeCodec{}})
		sockets := make(chan *socketio.Socket, 1)
		srv.OnConnect(func(s *socketio.Socket) { sockets <- s })
		var log journal
		srv.OnAny(func(_ *socketio.Socket, m socketio.Message) { log.note("in %s %v", m.Event, m.Args) })
		srv.OnAnyOutgoing(func(_ *socketio.Socket, m socketio.Message) { log.note("out %s %v", m.Event, m.Args) })
		c := srv.Open(t, transport)
		c.Write(enveloped("0"))
		s := siotest.Receive(t, sockets)
		c.Want(enveloped(`0{"sid":"` + s.ID() + `"}`))

		c.Write(enveloped(`51-3["echo",{"_placeholder":true,"num":0}]`, []byte{7}))
		c.Want(enveloped(`61-3[{"_placeholder":true,"num":0}]`, []byte{7}))
		srv.Emit("e", 1, []byte{8})
		c.Want(enveloped(`51-["e",1,{"_placeholder":true,"num":0}]`, []byte{8}))
		log.want(t, "observed", `in echo [{"_placeholder":true,"num":0}]`, `out e [1,{"_placeholder":true,"num":0}]`)

		for _, emit := range []func(string, ...any) error{s.Emit, srv.Emit} {
			if err := emit("unspeakable"); err == nil {
				t.Error("what the codec refuses was sent")
			}
		}
		c.Write(enveloped(`51-["echo",{"_placeholder":true,"num":0}]`)) // without its attachment
		c.WantClosed()
	})
	for name, message := range map[string]any{
		"no message of the codec": []byte("{"),
		"text":                    `42["echo"]`,
		"no packet":               enveloped("9"),
		"no packet either":        enveloped(""),
		"an event before CONNECT": enveloped(`2["echo"]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := siotest.Serve(t, &socketio.Options{Codec: envelopeCodec{}})
			c := srv.Open(t, siotest.WebSocket)
			c.Write(message)
			c.WantClosed()
			siotest.WantEqual(t, "bad packets", srv.Stats().BadPackets, 1)
		})
	}
}
