package arguments

import (
	"bytes"
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

	"github.com/socketio-go/socketio/internal/sio"
)

// Options say how a program encodes its values.
type Options struct {
	// Args returns the arguments that v stands for, if v is the program's own type for
	// several arguments.
	Args func(v any) (List, bool)
	// Panicked returns the error for a panic in a method of a value.
	Panicked func(value any) error
	// NoRepeats refuses packets that are too large in a format that can't refer to the
	// same attachment twice.
	NoRepeats bool
}

// Placeholders says what becomes of data that looks like a placeholder for an
// attachment, in a packet that has attachments.
type Placeholders uint8

const (
	// Keep refuses it only in JSON that the application wrote.
	Keep Placeholders = iota
	// Refuse refuses it, as clients would take it for an attachment.
	Refuse
	// Escape writes it with [sio.PlainKey].
	Escape
)

// An Encoder encodes the arguments of one event or ack. It is not safe for concurrent
// use.
type Encoder struct {
	opts *Options
	text []byte   // the packet
	json []byte   // its payload, without the bracket at its end
	bin  [][]byte // its attachments, each once

	numbers map[attachment]int // of attachments, when there are many
	appJSON []jsonSegment      // the parts of json that the application wrote, for check
	like    Placeholders       // what to do with data that looks like a placeholder

	out          bytes.Buffer // what json writes to
	json2        *jsontext.Encoder
	standard     json.Options
	named        json.Options // for binary data of named types, too
	placeholders int          // placeholders that json has written
	finder       sio.Finder
	numbered     []int // the new numbers of attachments of Args
}

var encoders = sync.Pool{New: func() any {
	e := &Encoder{}
	e.json2 = jsontext.NewEncoder(&e.out, jsonOptions)
	standard := json.JoinMarshalers(
		json.MarshalToFunc(func(enc *jsontext.Encoder, b []byte) error {
			if b == nil {
				return errors.ErrUnsupported
			}
			return enc.WriteValue(e.placeholder(b))
		}),
		json.MarshalToFunc(func(enc *jsontext.Encoder, v List) error { // a single argument as a value in another
			if len(v.Bin) == 0 {
				return enc.WriteValue(v.Raw[0])
			}
			if e.like == Refuse && sio.HasPlain(v.Raw[0]) {
				return ErrPlaceholder
			}
			return enc.WriteValue(e.appendRenumbered(nil, v.Raw[0], e.numbersOf(v.Bin), true))
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

// NewEncoder returns an encoder. The caller releases it.
func NewEncoder(opts *Options, like Placeholders) *Encoder {
	e := encoders.Get().(*Encoder)
	e.opts, e.like = opts, like
	return e
}

// Release ends the use of e, and of what its methods have returned.
func (e *Encoder) Release() {
	e.opts = nil
	if cap(e.json) > maxPooledBuffer || e.out.Cap() > maxPooledBuffer || cap(e.bin) > maxPooledBuffer/24 {
		return
	}
	clear(e.bin)
	clear(e.numbers)
	e.text, e.json, e.bin, e.appJSON = e.text[:0], e.json[:0], e.bin[:0], e.appJSON[:0]
	encoders.Put(e)
}

// Event encodes the payload of an EVENT. Only Event, Ack and List run code of the
// application.
func (e *Encoder) Event(event string, args []any) error {
	e.json = sio.AppendString(append(e.json, '['), event)
	if i, err := e.all(args); err != nil {
		return fmt.Errorf("socketio: event %q, argument %d: %w", event, i, err)
	}
	if err := e.checkRepeated(); err != nil {
		return fmt.Errorf("socketio: event %q: %w", event, err)
	}
	return nil
}

// Ack encodes the payload of an ACK.
func (e *Encoder) Ack(args []any) error {
	e.json = append(e.json, '[')
	if i, err := e.all(args); err != nil {
		return fmt.Errorf("socketio: ack, argument %d: %w", i, err)
	}
	if err := e.checkRepeated(); err != nil {
		return fmt.Errorf("socketio: ack: %w", err)
	}
	return nil
}

// all appends arguments to a payload that has begun. It returns the number of the
// argument that can't be encoded.
func (e *Encoder) all(args []any) (i int, err error) {
	for i, arg := range args {
		if len(e.json) > 1 {
			e.json = append(e.json, ',')
		}
		if err := e.append(i, arg); err != nil {
			return i, err
		}
	}
	return e.check()
}

// List encodes arguments and returns copies of them.
func (e *Encoder) List(args []any) (list List, err error) {
	ends := make([]int, 0, len(args))
	for i, arg := range args {
		if whole, ok := e.opts.Args(arg); ok {
			numbers := e.numbersOf(whole.Bin)
			for _, raw := range whole.Raw {
				if err := e.appendArg(i, whole, raw, numbers); err != nil {
					return List{}, fmt.Errorf("socketio: argument %d: %w", i, err)
				}
				ends = append(ends, len(e.json))
			}
			continue
		}
		if err := e.append(i, arg); err != nil {
			return List{}, fmt.Errorf("socketio: argument %d: %w", i, err)
		}
		ends = append(ends, len(e.json))
	}
	if i, err := e.check(); err != nil {
		return List{}, fmt.Errorf("socketio: argument %d: %w", i, err)
	}
	if len(ends) == 0 {
		return List{}, nil
	}
	json := bytes.Clone(e.json)
	from := 0
	for _, to := range ends {
		list.Raw = append(list.Raw, json[from:to:to])
		from = to
	}
	for _, b := range e.bin {
		list.Bin = append(list.Bin, append(make([]byte, 0, len(b)), b...))
	}
	return list, nil
}

// Load takes over the payload of an EVENT that another server has encoded, and its
// attachments. It decodes the event into p.
func (e *Encoder) Load(p *sio.Packet, payload []byte, bin [][]byte, limits sio.Limits) error {
	t := sio.Event
	if len(bin) > 0 {
		t = sio.BinaryEvent
	}
	e.text = append(sio.AppendHeader(e.text[:0], t, "/", len(bin), -1), payload...)
	if err := p.Decode(e.text, limits); err != nil {
		return err
	}
	switch {
	case p.Name == nil || !utf8.Valid(p.Data):
		return sio.ErrPayload
	case e.like == Refuse && len(bin) > 0 && sio.HasPlain(p.Data):
		return ErrPlaceholder
	}
	e.json = append(e.json, p.Data[:len(p.Data)-1]...)
	e.bin = append(e.bin, bin...)
	return nil
}

// Payload returns the encoded payload.
func (e *Encoder) Payload() []byte {
	e.json = append(e.json, ']')
	whole := e.json
	e.json = e.json[:len(e.json)-1]
	return whole
}

// Attachments returns the attachments of the payload.
func (e *Encoder) Attachments() [][]byte { return e.bin }

// EndsInString reports whether the last element of the payload is a string.
func (e *Encoder) EndsInString() bool {
	json := bytes.TrimRight(e.json, " \t\r\n") // raw JSON may end with space
	return json[len(json)-1] == '"'
}

// PayloadWith returns a copy of the payload of an event, with an offset as its last
// argument.
func (e *Encoder) PayloadWith(offset string) []byte {
	return append(sio.AppendString(append(bytes.Clone(e.json), ','), offset), ']')
}

// Packet returns the packet of the payload. t is [sio.Event] or [sio.Ack]. An offset
// that is not empty becomes the last argument. The packet is valid until the next call;
// the payload stays as it is.
func (e *Encoder) Packet(t sio.Type, namespace string, id int64, offset string) []byte {
	if len(e.bin) > 0 {
		t += sio.BinaryEvent - sio.Event
	}
	e.text = append(sio.AppendHeader(e.text[:0], t, namespace, len(e.bin), id), e.json...)
	if offset != "" {
		e.text = sio.AppendString(append(e.text, ','), offset)
	}
	e.text = append(e.text, ']')
	return e.text
}

var errNotUTF8 = errors.New("raw JSON is not UTF-8")

const maxPooledBuffer = 64 << 10 // bytes; a larger buffer is not returned to the pool

// fewAttachments is up to how many attachments a linear search is faster than a map.
const fewAttachments = 16

// number returns the number of an attachment. It adds the attachment if it is new.
func (e *Encoder) number(b []byte) int {
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
func (e *Encoder) numbersOf(bin [][]byte) []int {
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
func (e *Encoder) placeholder(b []byte) []byte { return e.appendPlaceholder(nil, e.number(b), true) }

// appendPlaceholder appends a placeholder. If json writes it and data that looks
// like it is escaped, its key is randomKey, which such data does not have.
func (e *Encoder) appendPlaceholder(dst []byte, num int, inJSON bool) []byte {
	if inJSON {
		e.placeholders++
		if e.like == Escape {
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
func (e *Encoder) appendRenumbered(dst, raw []byte, numbers []int, inJSON bool) []byte {
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
func (e *Encoder) append(i int, arg any) error {
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
	default:
		if args, ok := e.opts.Args(arg); ok {
			return e.appendArgs(i, args)
		}
		return e.appendJSON(i, arg)
	}
	return nil
}

// appendAppJSON appends JSON that the application wrote for argument i. placeholders
// is how many placeholders in it stand for attachments.
func (e *Encoder) appendAppJSON(i int, raw []byte, placeholders int) {
	from := len(e.json)
	if e.like != Escape {
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
func (e *Encoder) appendArgs(i int, a List) error {
	if len(a.Raw) == 0 {
		if e.json[len(e.json)-1] == ',' {
			e.json = e.json[:len(e.json)-1]
		}
		return nil
	}
	numbers := e.numbersOf(a.Bin)
	for j, raw := range a.Raw {
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
func (e *Encoder) appendArg(i int, a List, raw []byte, numbers []int) error {
	switch {
	case len(a.Bin) == 0:
		e.appendAppJSON(i, raw, 0)
	case e.like == Refuse && sio.HasPlain(raw):
		return ErrPlaceholder
	default:
		e.json = e.appendRenumbered(e.json, raw, numbers, false)
	}
	return nil
}

// appendJSON appends a value of any other type. Methods of the application run here.
func (e *Encoder) appendJSON(i int, arg any) error {
	e.out.Reset()
	e.json2.Reset(&e.out, jsonOptions)
	e.placeholders = 0
	if err := e.marshal(arg); err != nil {
		return err
	}
	if !utf8.Valid(e.out.Bytes()) { // from a MarshalJSON; clients would close the connection
		return errNotUTF8
	}
	e.appendAppJSON(i, bytes.TrimSuffix(e.out.Bytes(), []byte("\n")), e.placeholders)
	return nil
}

// marshal writes a value to e.out. A panic becomes an error. runtime.Goexit goes on.
func (e *Encoder) marshal(v any) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = e.opts.Panicked(value)
		}
	}()
	options := e.standard
	if holdsNamedBytes(v, 0) {
		options = e.named
	}
	return json.MarshalEncode(e.json2, v, options)
}

var (
	// ErrPlaceholder says that clients would take data for an attachment.
	ErrPlaceholder = errors.New(`an object whose "_placeholder" is true can't be sent beside binary data: clients take it for an attachment`)
	errRepeated    = fmt.Errorf("binary data that occurs more than once exceeds %d bytes in total, and the format repeats it", sio.MaxRepeated)
)
