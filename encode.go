package socketio

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// noAck is the id of a packet that asks for no answer.
const noAck = -1

// encodeEvent builds an EVENT for any number of receivers.
func encodeEvent(n *Namespace, id int64, event string, args []any) (*engine.Message, error) {
	e, err := beginEvent(event, args)
	if err != nil {
		return nil, err
	}
	defer e.release()
	return e.event(n, id)
}

// event is the message of the event that beginEvent has encoded.
func (e *encoder) event(n *Namespace, id int64) (*engine.Message, error) {
	return e.message(n, sio.Event, sio.BinaryEvent, id)
}

// payload returns what beginEvent has encoded. It is valid until anything else
// is done with e.
func (e *encoder) payload() []byte {
	e.json = append(e.json, ']')
	whole := e.json
	e.json = e.json[:len(e.json)-1]
	return whole
}

// beginEvent encodes the payload of an EVENT. The caller makes a message of it
// and releases the encoder. No application code runs after it.
func beginEvent(event string, args []any) (*encoder, error) {
	e := encoders.Get().(*encoder)
	e.json = append(e.json, '[')
	e.json = sio.AppendString(e.json, event)
	for i, arg := range args {
		e.json = append(e.json, ',')
		if err := e.append(arg); err != nil {
			e.release()
			return nil, fmt.Errorf("socketio: event %q, argument %d: %w", event, i, err)
		}
	}
	return e, nil
}

// endsInString reports whether the last element of the payload is a string.
func (e *encoder) endsInString() bool {
	json := bytes.TrimRight(e.json, " \t\r\n") // there may be space behind raw JSON
	return json[len(json)-1] == '"'
}

// eventWithOffset is the message of an event that has an offset behind its
// arguments.
func (e *encoder) eventWithOffset(n *Namespace, offset string) (*engine.Message, error) {
	e.json = sio.AppendString(append(e.json, ','), offset)
	return e.message(n, sio.Event, sio.BinaryEvent, noAck)
}

// encodeAck builds an ACK.
func encodeAck(n *Namespace, id int64, args []any) (*engine.Message, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	e.json = append(e.json, '[')
	for i, arg := range args {
		if len(e.json) > 1 {
			e.json = append(e.json, ',')
		}
		if err := e.append(arg); err != nil {
			return nil, fmt.Errorf("socketio: answer, argument %d: %w", i, err)
		}
	}
	return e.message(n, sio.Ack, sio.BinaryAck, id)
}

// encodeControl builds a packet without arguments; payload is JSON or nil.
func (srv *Server) encodeControl(t sio.Type, namespace string, payload []byte) *engine.Message {
	text := sio.AppendHeader(make([]byte, 0, 64), t, namespace, 0, noAck)
	m, err := srv.newMessage(append(text, payload...), nil)
	if err != nil {
		panic(err) // a codec that can't encode what every connection needs
	}
	return m
}

// An encoder turns arguments into JSON and attachments.
type encoder struct {
	text []byte   // the packet
	json []byte   // its payload
	bin  [][]byte // its attachments

	out     bytes.Buffer // what json writes to
	json2   *jsontext.Encoder
	options json.Options
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json2 = jsontext.NewEncoder(&e.out, jsonOptions)
	e.options = json.JoinOptions(jsonOptions, json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(enc *jsontext.Encoder, b []byte) error {
			if b == nil {
				return errors.ErrUnsupported
			}
			var buf [48]byte
			return enc.WriteValue(e.attach(buf[:0], b))
		}),
		json.MarshalToFunc(func(enc *jsontext.Encoder, v remoteValue) error {
			raw := appendRenumbered(nil, v.raw[0], len(e.bin))
			e.bin = append(e.bin, v.bin...)
			return enc.WriteValue(raw)
		}),
		json.MarshalFunc(func(n stdjson.Number) ([]byte, error) { return stdjson.Marshal(n) }),
	)))
	return e
}}

var errNotUTF8 = errors.New("raw JSON is not UTF-8")

const maxKept = 64 << 10 // bytes of a buffer that goes back to a pool

func (e *encoder) release() {
	if cap(e.json) > maxKept || e.out.Cap() > maxKept {
		return
	}
	clear(e.bin)
	e.text, e.json, e.bin = e.text[:0], e.json[:0], e.bin[:0]
	encoders.Put(e)
}

// message puts the packet together.
func (e *encoder) message(n *Namespace, text, binary sio.Type, id int64) (*engine.Message, error) {
	e.json = append(e.json, ']')
	t := text
	if len(e.bin) > 0 {
		t = binary
	}
	e.text = sio.AppendHeader(e.text, t, n.name, len(e.bin), id)
	e.text = append(e.text, e.json...)
	return n.srv.newMessage(e.text, e.bin)
}

// attach appends the placeholder of a new attachment.
func (e *encoder) attach(dst, b []byte) []byte {
	e.bin = append(e.bin, b)
	return sio.AppendPlaceholder(dst, len(e.bin)-1)
}

// append appends one argument.
func (e *encoder) append(arg any) error {
	switch v := arg.(type) {
	case nil:
		e.json = append(e.json, "null"...)
	case string:
		e.json = sio.AppendString(e.json, v)
	case bool:
		e.json = strconv.AppendBool(e.json, v)
	case int:
		e.json = strconv.AppendInt(e.json, int64(v), 10)
	case int64:
		e.json = strconv.AppendInt(e.json, v, 10)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
			return e.appendJSON(v)
		}
		if v == 0 && math.Signbit(v) {
			e.json = append(e.json, '-')
		}
		e.json = strconv.AppendInt(e.json, int64(v), 10)
	case []byte:
		if v == nil {
			e.json = append(e.json, "null"...)
		} else {
			e.json = e.attach(e.json, v)
		}
	case stdjson.RawMessage:
		if v == nil {
			e.json = append(e.json, "null"...)
		} else if err := sio.Valid(v, math.MaxInt16); err != nil {
			return err
		} else if !utf8.Valid(v) {
			return errNotUTF8
		} else {
			e.json = append(e.json, v...)
		}
	case Args:
		e.appendArgs(v)
	default:
		return e.appendJSON(arg)
	}
	return nil
}

// appendArgs appends all of a's arguments, or takes back the comma before them
// if there are none.
func (e *encoder) appendArgs(a Args) {
	if len(a.raw) == 0 {
		if e.json[len(e.json)-1] == ',' {
			e.json = e.json[:len(e.json)-1]
		}
		return
	}
	for i, raw := range a.raw {
		if i > 0 {
			e.json = append(e.json, ',')
		}
		if len(e.bin) == 0 || len(a.bin) == 0 {
			e.json = append(e.json, raw...)
		} else {
			e.json = appendRenumbered(e.json, raw, len(e.bin))
		}
	}
	e.bin = append(e.bin, a.bin...)
}

// appendJSON appends what has no short cut. Application code may run here.
func (e *encoder) appendJSON(arg any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while encoding: %v", p)
		}
	}()
	e.out.Reset()
	e.json2.Reset(&e.out, jsonOptions)
	if err := json.MarshalEncode(e.json2, arg, e.options); err != nil {
		return err
	}
	if !utf8.Valid(e.out.Bytes()) { // of a MarshalJSON; clients would close the connection
		return errNotUTF8
	}
	e.json = append(e.json, bytes.TrimSuffix(e.out.Bytes(), []byte("\n"))...)
	return nil
}
