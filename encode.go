package socketio

import (
	"fmt"

	"github.com/socketio-go/socketio/internal/arguments"
	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// noAck is the id of a packet that asks for no ack.
const noAck = -1

// An encoder holds an encoded payload, which may become packets of several namespaces.
type encoder = arguments.Encoder

// argsOptions are for arguments that no server sends: EncodeArgs and WithData.
var argsOptions = &arguments.Options{Args: listOf, Panicked: encodingPanicked}

// encoding returns the options for values that the server sends.
func (srv *Server) newEncoding() arguments.Options {
	return arguments.Options{
		Args: listOf,
		Panicked: func(value any) error {
			srv.panics.Add(1)
			return encodingPanicked(value)
		},
		NoRepeats: srv.opts.Codec != nil || srv.opts.Adapter != nil,
	}
}

func listOf(v any) (arguments.List, bool) {
	a, ok := v.(Args)
	return arguments.List{Raw: a.raw, Bin: a.bin}, ok
}

func encodingPanicked(value any) error {
	return fmt.Errorf("panic while encoding: %w", newPanicError("", value))
}

// newEncoder returns an encoder for packets to the clients of the server.
func (srv *Server) newEncoder() *encoder {
	like := arguments.Refuse
	if srv.opts.Codec != nil {
		like = arguments.Escape
	}
	return arguments.NewEncoder(&srv.encoding, like)
}

// encodeEvent builds an EVENT for any number of receivers.
func encodeEvent(n *Namespace, id int64, event string, args []any) (*engine.Message, error) {
	e, err := beginEvent(n, event, args)
	if err != nil {
		return nil, err
	}
	defer e.Release()
	return eventMessage(n, id, e)
}

// eventMessage returns the message of the event that beginEvent encoded.
func eventMessage(n *Namespace, id int64, e *encoder) (*engine.Message, error) {
	return n.srv.newMessage(e.Packet(sio.Event, n.name, id, ""), e.Attachments())
}

// eventWithOffset returns the message of an event, with an offset as its last
// argument unless the offset is empty.
func eventWithOffset(n *Namespace, offset string, e *encoder) (*engine.Message, error) {
	return n.srv.newMessage(e.Packet(sio.Event, n.name, noAck, offset), e.Attachments())
}

// beginEvent encodes the payload of an EVENT for clients. The caller makes a
// message of it and releases the encoder. No application code runs after it.
func beginEvent(n *Namespace, event string, args []any) (*encoder, error) {
	e, err := beginBusEvent(n, event, args)
	if err != nil {
		return nil, err
	}
	if err := n.srv.checkNumber(len(e.Attachments())); err != nil {
		e.Release()
		return nil, fmt.Errorf("socketio: event %q: %w", event, err)
	}
	return e, nil
}

// beginBusEvent is beginEvent for other servers, which accept any number of
// attachments.
func beginBusEvent(n *Namespace, event string, args []any) (*encoder, error) {
	e := n.srv.newEncoder()
	if err := e.Event(event, args); err != nil {
		e.Release()
		return nil, err
	}
	return e, nil
}

// encodeAck builds an ACK.
func encodeAck(n *Namespace, id int64, args []any) (*engine.Message, error) {
	e := n.srv.newEncoder()
	defer e.Release()
	if err := e.Ack(args); err != nil {
		return nil, err
	}
	if err := n.srv.checkNumber(len(e.Attachments())); err != nil {
		return nil, fmt.Errorf("socketio: ack: %w", err)
	}
	return n.srv.newMessage(e.Packet(sio.Ack, n.name, id, ""), e.Attachments())
}

// encodeControl builds a packet without arguments; payload is JSON or nil. If the
// codec fails, it reports the error and returns nil. The caller holds no lock.
func (srv *Server) encodeControl(t sio.Type, namespace string, payload []byte) (m *engine.Message) {
	text := sio.AppendHeader(make([]byte, 0, 64), t, namespace, 0, noAck)
	text = append(text, payload...)
	if srv.opts.Codec == nil {
		return engine.NewMessage(text, nil)
	}
	srv.isolate(nil, "", func() {
		var err error
		if m, err = srv.newMessage(text, nil); err != nil {
			srv.reportError(nil, err)
		}
	})
	return m
}

// checkNumber checks the number of attachments of one packet.
func (srv *Server) checkNumber(attachments int) error {
	most := max(srv.opts.MaxAttachments, sio.DefaultAttachments)
	if attachments > most && srv.opts.Codec == nil {
		return fmt.Errorf("%d attachments, where clients accept %d: see Options.MaxAttachments", attachments, most)
	}
	return nil
}
