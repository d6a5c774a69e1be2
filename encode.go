package socketio

import (
	"bytes"
	"cmp"
	"crypto/rand"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/socketio-go/socketio/internal/engine"
	"github.com/socketio-go/socketio/internal/sio"
)

// noAck is the id of a packet that asks for no ack.
const noAck = -1

// encodeEvent builds an EVENT for any number of receivers.
func encodeEvent(n *Namespace, id int64, event string, args []any) (*engine.Message, error) {
	e, err := beginEvent(n, event, args)
	if err != nil {
		return nil, err
	}
	defer e.release()
	return e.event(n, id)
}

// event returns the message of the event that beginEvent encoded.
func (e *encoder) event(n *Namespace, id int64) (*engine.Message, error) {
	return e.message(n, sio.Event, sio.BinaryEvent, id)
}

// payload returns the payload that beginEvent encoded. It is valid until e is used
// again.
func (e *encoder) payload() []byte {
	e.json = append(e.json, ']')
	whole := e.json
	e.json = e.json[:len(e.json)-1]
	return whole
}

// beginEvent encodes the payload of an EVENT for clients. The caller makes a
// message of it and releases the encoder. No application code runs after it.
func beginEvent(n *Namespace, event string, args []any) (*encoder, error) {
	e, err := beginBusEvent(n, event, args)
	if err != nil {
		return nil, err
	}
	if err := n.srv.checkNumber(len(e.bin)); err != nil {
		e.release()
		return nil, fmt.Errorf("socketio: event %q: %w", event, err)
	}
	return e, nil
}

// beginBusEvent is beginEvent for other servers, which accept any number of
// attachments.
func beginBusEvent(n *Namespace, event string, args []any) (*encoder, error) {
	e := n.srv.newEncoder()
	e.json = append(e.json, '[')
	e.json = sio.AppendString(e.json, event)
	for i, arg := range args {
		e.json = append(e.json, ',')
		if err := e.append(i, arg); err != nil {
			e.release()
			return nil, fmt.Errorf("socketio: event %q, argument %d: %w", event, i, err)
		}
	}
	if i, err := e.check(); err != nil {
		e.release()
		return nil, fmt.Errorf("socketio: event %q, argument %d: %w", event, i, err)
	}
	if err := e.checkRepeated(n.srv); err != nil {
		e.release()
		return nil, fmt.Errorf("socketio: event %q: %w", event, err)
	}
	return e, nil
}

// endsInString reports whether the last element of the payload is a string.
func (e *encoder) endsInString() bool {
	json := bytes.TrimRight(e.json, " \t\r\n") // raw JSON may end with space
	return json[len(json)-1] == '"'
}

// eventWithOffset returns the message of an event, with an offset as its last
// argument unless the offset is empty. It leaves e unchanged.
func (e *encoder) eventWithOffset(n *Namespace, offset string) (*engine.Message, error) {
	length := len(e.json)
	defer func() { e.json = e.json[:length] }()
	if offset != "" {
		e.json = sio.AppendString(append(e.json, ','), offset)
	}
	return e.message(n, sio.Event, sio.BinaryEvent, noAck)
}

// encodeAck builds an ACK.
func encodeAck(n *Namespace, id int64, args []any) (*engine.Message, error) {
	e := n.srv.newEncoder()
	defer e.release()
	e.json = append(e.json, '[')
	for i, arg := range args {
		if len(e.json) > 1 {
			e.json = append(e.json, ',')
		}
		if err := e.append(i, arg); err != nil {
			return nil, fmt.Errorf("socketio: ack, argument %d: %w", i, err)
		}
	}
	if i, err := e.check(); err != nil {
		return nil, fmt.Errorf("socketio: ack, argument %d: %w", i, err)
	}
	if err := cmp.Or(e.checkRepeated(n.srv), n.srv.checkNumber(len(e.bin))); err != nil {
		return nil, fmt.Errorf("socketio: ack: %w", err)
	}
	return e.message(n, sio.Ack, sio.BinaryAck, id)
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

// An encoder turns arguments into JSON and attachments.
type encoder struct {
	srv  *Server  // counts panics; nil for ArgsOf
	text []byte   // the packet
	json []byte   // its payload
	bin  [][]byte // its attachments, each once

	numbers map[attachment]int // of attachments, when there are many
	appJSON []jsonSegment      // the parts of json that the application wrote, for check

	// Data that looks like a placeholder is either written with sio.PlainKey, or
	// refused.
	escapePlaceholders bool
	refusePlaceholders bool

	out          bytes.Buffer // what json writes to
	json2        *jsontext.Encoder
	standard     json.Options
	named        json.Options // for binary data of named types, too
	placeholders int          // placeholders that json has written
	finder       sio.Finder
	numbered     []int // the new numbers of attachments of Args
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json2 = jsontext.NewEncoder(&e.out, jsonOptions)
	standard := json.JoinMarshalers(
		json.MarshalToFunc(func(enc *jsontext.Encoder, b []byte) error {
			if b == nil {
				return errors.ErrUnsupported
			}
			return enc.WriteValue(e.placeholder(b))
		}),
		json.MarshalToFunc(func(enc *jsontext.Encoder, v remoteValue) error {
			if len(v.bin) == 0 {
				return enc.WriteValue(v.raw[0])
			}
			if e.refusePlaceholders && sio.HasPlain(v.raw[0]) {
				return errPlaceholder
			}
			return enc.WriteValue(e.appendRenumbered(nil, v.raw[0], e.numbersOf(v.bin), true))
		}),
		json.MarshalFunc(func(n stdjson.Number) ([]byte, error) { return stdjson.Marshal(n) }),
	)
	named := json.MarshalToFunc(func(enc *jsontext.Encoder, p any) error {
		if t := reflect.TypeOf(p).Elem(); !isNamedBytes(t, marshals) {
			return errors.ErrUnsupported
		}
		b := reflect.ValueOf(p).Elem().Bytes()
		if b == nil {
			return enc.WriteToken(jsontext.Null)
		}
		return enc.WriteValue(e.placeholder(b))
	})
	e.standard = json.JoinOptions(jsonOptions, json.WithMarshalers(standard))
	e.named = json.JoinOptions(jsonOptions, json.WithMarshalers(json.JoinMarshalers(standard, named)))
	return e
}}

// newEncoder returns an encoder for packets to the clients of the server.
func (srv *Server) newEncoder() *encoder {
	e := encoders.Get().(*encoder)
	e.srv = srv
	e.escapePlaceholders = srv.opts.Codec != nil
	e.refusePlaceholders = !e.escapePlaceholders
	return e
}

var errNotUTF8 = errors.New("raw JSON is not UTF-8")

const maxPooledBuffer = 64 << 10 // bytes; a larger buffer is not returned to the pool

func (e *encoder) release() {
	e.srv = nil
	if cap(e.json) > maxPooledBuffer || e.out.Cap() > maxPooledBuffer || cap(e.bin) > maxPooledBuffer/24 {
		return
	}
	clear(e.bin)
	clear(e.numbers)
	e.text, e.json, e.bin, e.appJSON = e.text[:0], e.json[:0], e.bin[:0], e.appJSON[:0]
	encoders.Put(e)
}

// message builds the packet. It may be called again, for another namespace.
func (e *encoder) message(n *Namespace, text, binary sio.Type, id int64) (*engine.Message, error) {
	t := text
	if len(e.bin) > 0 {
		t = binary
	}
	e.text = sio.AppendHeader(e.text[:0], t, n.name, len(e.bin), id)
	e.text = append(append(e.text, e.json...), ']')
	return n.srv.newMessage(e.text, e.bin)
}

// fewAttachments is up to how many attachments a linear search is faster than a map.
const fewAttachments = 16

// number returns the number of an attachment. It adds the attachment if it is new.
func (e *encoder) number(b []byte) int {
	a := attachment{unsafe.SliceData(b), len(b)}
	if len(b) == 0 {
		a.data = nil // all of them are the same
	}
	if len(e.bin) <= fewAttachments {
		for i, other := range e.bin {
			if len(other) == a.size && (a.size == 0 || unsafe.SliceData(other) == a.data) {
				return i
			}
		}
	} else if i, ok := e.numbers[a]; ok {
		return i
	}
	e.bin = append(e.bin, b)
	if len(e.bin) > fewAttachments {
		if e.numbers == nil {
			e.numbers = make(map[attachment]int)
		}
		if len(e.numbers) == 0 {
			for i, b := range e.bin[:fewAttachments] {
				key := attachment{unsafe.SliceData(b), len(b)}
				if len(b) == 0 {
					key.data = nil
				}
				e.numbers[key] = i
			}
		}
		e.numbers[a] = len(e.bin) - 1
	}
	return len(e.bin) - 1
}

// numbersOf returns the new numbers of the attachments of Args, or nil if they are
// unchanged. The result is valid until the next call.
func (e *encoder) numbersOf(bin [][]byte) []int {
	e.numbered = e.numbered[:0]
	same := true
	for i, b := range bin {
		n := e.number(b)
		same = same && n == i
		e.numbered = append(e.numbered, n)
	}
	if same {
		return nil
	}
	return e.numbered
}

// placeholder returns the placeholder of an attachment for json to write.
func (e *encoder) placeholder(b []byte) []byte { return e.appendPlaceholder(nil, e.number(b), true) }

// appendPlaceholder appends a placeholder. If json writes it and escapePlaceholders
// is set, its key is randomKey: data of the application can't look like it.
func (e *encoder) appendPlaceholder(dst []byte, num int, inJSON bool) []byte {
	if inJSON {
		e.placeholders++
		if e.escapePlaceholders {
			dst = append(append(dst, '{'), randomKey()...)
			dst = strconv.AppendInt(append(dst, ':'), int64(num), 10)
			return append(dst, '}')
		}
	}
	return sio.AppendPlaceholder(dst, num)
}

// randomKey is the key of placeholders that appendAppJSON replaces: a random string.
var randomKey = sync.OnceValue(func() string { return `"` + rand.Text() + `"` })

// appendRenumbered appends raw, of Args, with new numbers in its placeholders. If
// numbers is nil, the numbers stay the same.
func (e *encoder) appendRenumbered(dst, raw []byte, numbers []int, inJSON bool) []byte {
	if numbers == nil && !inJSON {
		return append(dst, raw...)
	}
	from := 0
	for _, m := range e.finder.Find(raw) {
		num := m.Num
		if numbers != nil && num < len(numbers) {
			num = numbers[num]
		}
		dst = e.appendPlaceholder(append(dst, raw[from:m.From]...), num, inJSON)
		from = m.To
	}
	return append(dst, raw[from:]...)
}

// append appends argument i.
func (e *encoder) append(i int, arg any) error {
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
			return e.appendJSON(i, v)
		}
		if v == 0 && math.Signbit(v) {
			e.json = append(e.json, '-')
		}
		e.json = strconv.AppendInt(e.json, int64(v), 10)
	case []byte:
		if v == nil {
			e.json = append(e.json, "null"...)
		} else {
			e.json = sio.AppendPlaceholder(e.json, e.number(v))
		}
	case stdjson.RawMessage:
		if v == nil {
			e.json = append(e.json, "null"...)
		} else if err := sio.Valid(v, math.MaxInt16); err != nil {
			return err
		} else if !utf8.Valid(v) {
			return errNotUTF8
		} else {
			e.appendAppJSON(i, v, 0)
		}
	case Args:
		return e.appendArgs(i, v)
	default:
		return e.appendJSON(i, arg)
	}
	return nil
}

// appendAppJSON appends JSON that the application wrote for argument i. placeholders
// is how many placeholders in it stand for attachments.
func (e *encoder) appendAppJSON(i int, raw []byte, placeholders int) {
	from := len(e.json)
	if !e.escapePlaceholders {
		e.json = append(e.json, raw...)
		e.appJSON = append(e.appJSON, jsonSegment{from, len(e.json), placeholders, i})
		return
	}
	if bytes.Contains(raw, placeholderKey) {
		raw = bytes.ReplaceAll(raw, placeholderKey, []byte(sio.PlainKey)) // an equal string in JSON, wherever it occurs
	}
	if placeholders > 0 {
		raw = bytes.ReplaceAll(raw, []byte(`{`+randomKey()), []byte(`{"_placeholder":true,"num"`))
	}
	e.json = append(e.json, raw...)
}

var placeholderKey = []byte(`"_placeholder"`)

// appendArgs appends all of a's arguments. If there are none, it removes the comma
// before them.
func (e *encoder) appendArgs(i int, a Args) error {
	if len(a.raw) == 0 {
		if e.json[len(e.json)-1] == ',' {
			e.json = e.json[:len(e.json)-1]
		}
		return nil
	}
	numbers := e.numbersOf(a.bin)
	for j, raw := range a.raw {
		if j > 0 {
			e.json = append(e.json, ',')
		}
		if err := e.appendArg(i, a, raw, numbers); err != nil {
			return err
		}
	}
	return nil
}

// appendArg appends one argument of a.
func (e *encoder) appendArg(i int, a Args, raw []byte, numbers []int) error {
	switch {
	case len(a.bin) == 0:
		e.appendAppJSON(i, raw, 0)
	case e.refusePlaceholders && sio.HasPlain(raw):
		return errPlaceholder
	default:
		e.json = e.appendRenumbered(e.json, raw, numbers, false)
	}
	return nil
}

// appendJSON appends a value of any other type. Application code may run here.
func (e *encoder) appendJSON(i int, arg any) error {
	e.out.Reset()
	e.json2.Reset(&e.out, jsonOptions)
	e.placeholders = 0
	err := encodeGuarded(e.srv, func() error {
		options := e.standard
		if holdsNamedBytes(arg, 0) {
			options = e.named
		}
		return json.MarshalEncode(e.json2, arg, options)
	})
	if err != nil {
		return err
	}
	if !utf8.Valid(e.out.Bytes()) { // from a MarshalJSON; clients would close the connection
		return errNotUTF8
	}
	e.appendAppJSON(i, bytes.TrimSuffix(e.out.Bytes(), []byte("\n")), e.placeholders)
	return nil
}

var (
	errPlaceholder = errors.New(`an object whose "_placeholder" is true can't be sent beside binary data: clients take it for an attachment`)
	errRepeated    = fmt.Errorf("binary data that occurs more than once exceeds %d bytes in total, and the format repeats it", sio.MaxRepeated)
)
