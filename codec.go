package socketio

import (
	"errors"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Codec is a wire format that replaces the protocol's own. All clients of the
// server must use it. Package msgpack has one.
//
// It translates between the protocol's own encoding of a packet and one message of
// its own format. Handlers, limits and checks are the same with every codec. Its
// methods are called concurrently. They must not keep or modify their arguments.
//
// An object with the key "_placeholder", true, and a number is a placeholder for the
// attachment of that number. Several placeholders may have the same number. Data
// that looks like a placeholder has an escape in the key, "\u005fplaceholder", both
// in the arguments of Encode and in the results of Decode.
type Codec interface {
	// Encode translates a packet, such as `51-["hi",{"_placeholder":true,"num":0}]`
	// and its attachments, into one text or binary message.
	Encode(packet []byte, attachments [][]byte) (message []byte, binary bool, err error)
	// Decode is the inverse of Encode. Its results may alias message. The caller
	// checks the packet. An error closes the client's connection.
	Decode(message []byte, binary bool) (packet []byte, attachments [][]byte, err error)
}

// newMessage builds the message of a packet, in the format of the server's clients.
func (srv *Server) newMessage(packet []byte, attachments [][]byte) (*engine.Message, error) {
	if srv.opts.Codec == nil {
		return engine.NewMessage(packet, attachments), nil
	}
	var message []byte
	var binary bool
	err := srv.attempt("", func() (err error) {
		message, binary, err = srv.opts.Codec.Encode(packet, attachments)
		return err
	})
	if err != nil {
		return nil, err
	}
	return engine.NewRawMessage(message, binary), nil
}

// packetOf is the inverse of newMessage.
func (srv *Server) packetOf(m *engine.Message) (packet []byte, attachments [][]byte) {
	for data, binary := range m.Parts() {
		switch {
		case srv.opts.Codec != nil:
			srv.guard(nil, "", func() { packet, attachments, _ = srv.opts.Codec.Decode(data, binary) })
		case binary:
			attachments = append(attachments, data)
		default:
			packet = data
		}
	}
	return packet, attachments
}

var errAttachmentCount = errors.New("socketio: codec: the packet has another number of attachments")

// readerCalls calls a function of the application on the reader's goroutine. If fn
// panics or ends the goroutine, readerCalls closes the connection and returns false.
func (c *conn) readerCalls(fn func()) (ok bool) {
	ok = true
	protect(fn, func(value any) {
		ok = false
		c.srv.reportError(nil, c.srv.panicked("", value))
		c.session.Discard(engine.TransportError)
	})
	return ok
}

// receiveEncoded handles a message of a codec.
func (c *conn) receiveEncoded(turn *engine.Turn, data []byte, binary bool) {
	var packet []byte
	var attachments [][]byte
	var err error
	if !c.readerCalls(func() { packet, attachments, err = c.srv.opts.Codec.Decode(data, binary) }) {
		return
	}
	if err != nil {
		c.fail(engine.ParseError, err)
		return
	}
	p := packets.Get().(*sio.Packet)
	defer packets.Put(p)
	err = p.Decode(packet, sio.Limits{Attachments: c.srv.opts.MaxAttachments, Literal: true})
	if err == nil && p.Attachments != len(attachments) {
		err = errAttachmentCount
	}
	if err != nil {
		c.fail(engine.ParseError, err)
		return
	}
	size := int64(len(packet))
	for _, b := range attachments {
		size += int64(len(b))
	}
	if size > c.srv.opts.MaxEvent { // a small message may decode to a large packet
		c.fail(engine.ParseError, errEventTooBig)
		return
	}
	for i, b := range attachments {
		attachments[i] = append(make([]byte, 0, len(b)), b...)
	}
	c.handle(turn, p, attachments, size)
}
