package socketio

import (
	"errors"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// A Codec is a wire format in place of the protocol's own, which every client
// of the server must speak. Package msgpack has one.
//
// It translates between the protocol's own encoding of a packet and one message
// of its own: so everything else, handlers, limits and checks included, is the
// same with every codec. Its methods are called concurrently, and must neither
// keep nor modify their arguments.
//
// An object with the key "_placeholder", true, and the number of an attachment
// stands for that, and several may stand for the same. Data that looks so has the
// key written with an escape, "\u005fplaceholder", both in what Encode is given and
// in what Decode returns: then it is no placeholder.
type Codec interface {
	// Encode translates a packet, such as `51-["hi",{"_placeholder":true,"num":0}]`
	// and its attachments, into one text or binary message.
	Encode(packet []byte, attachments [][]byte) (message []byte, binary bool, err error)
	// Decode is the inverse. What it returns may alias message. The packet is
	// checked by the caller; an error closes the connection that it came from.
	Decode(message []byte, binary bool) (packet []byte, attachments [][]byte, err error)
}

// newMessage builds what the clients of the server are sent for a packet.
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

var errAttachmentCount = errors.New("socketio: codec: attachments are not those of the packet")

// readerCalls calls a function of the application on the reader's goroutine. If it
// panics, or ends the goroutine, the connection is closed.
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
	if size > c.srv.opts.MaxEvent { // which the codec may have made of less
		c.fail(engine.ParseError, errEventTooBig)
		return
	}
	for i, b := range attachments {
		attachments[i] = append(make([]byte, 0, len(b)), b...)
	}
	c.handle(turn, p, attachments, size)
}
