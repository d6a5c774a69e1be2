package redis

import (
	"errors"
	"fmt"

	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
)

// A payload collects the Data of a message: JSON, and the binary parts that it refers
// to.
type payload struct {
	buf    []byte
	binary [][]byte
}

func (p *payload) reset() {
	const most = 64 << 10 // the capacity that is kept for the next message
	if p.buf = p.buf[:0]; cap(p.buf) > most {
		p.buf = nil
	}
	clear(p.binary)
	if p.binary = p.binary[:0]; cap(p.binary) > most/24 {
		p.binary = nil
	}
}

var errEvent = errors.New("a packet that is not an event")

// packet reads the event of a packet.
func (p *payload) packet(raw []byte, pack bool) error {
	var data []byte
	kind := int64(2)
	r := reader{b: raw, pack: pack}
	for left := r.open(object); r.more(&left); {
		switch r.key() {
		case "type":
			kind = r.integer()
		case "data":
			data = r.skip()
		default:
			r.skip()
		}
	}
	switch err := r.end(); {
	case err != nil:
		return err
	case kind != 2 && kind != 5:
		return errEvent
	}
	return p.event(data, pack)
}

// event reads an array of an event's name and arguments.
func (p *payload) event(raw []byte, pack bool) error {
	r := reader{b: raw, pack: pack}
	if left := r.open(list); !r.more(&left) {
		r.fail(errEvent)
	}
	if r.text(); r.err != nil {
		return errEvent
	}
	return p.value(raw, pack)
}

// list reads an array.
func (p *payload) list(raw []byte, pack bool) error {
	r := reader{b: raw, pack: pack}
	if r.open(list); r.err != nil {
		return r.err
	}
	return p.value(raw, pack)
}

// response makes an array of the argument of a response, if it has one.
func (p *payload) response(raw []byte, pack bool) error {
	p.buf = append(p.buf, '[')
	if raw != nil {
		if err := p.value(raw, pack); err != nil {
			return err
		}
	}
	p.buf = append(p.buf, ']')
	return nil
}

// value reads any value.
func (p *payload) value(raw []byte, pack bool) error {
	if !pack {
		if err := sio.Valid(raw, 0); err != nil {
			return err
		}
		p.buf = append(p.buf, raw...)
		return nil
	}
	d := msgpack.Decoder{Data: raw, Depth: sio.DefaultDepth, Attachments: p.binary}
	buf, err := d.ToJSON(p.buf)
	if err != nil {
		return fmt.Errorf("binary payload: %w", err)
	}
	p.buf, p.binary = buf, d.Attachments
	return nil
}
