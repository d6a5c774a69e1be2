package arguments

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/socketio-go/socketio/internal/sio"
)

// jsonOptions give struct tags the meaning that they have in encoding/json.
var jsonOptions = json.JoinOptions(jsonv1.DefaultOptionsV1(), jsontext.EscapeForHTML(false), json.WithUnmarshalers(decodeNumber))

// decodeNumber decodes encoding/json's Number, which json v2 does not know.
var decodeNumber = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, n *stdjson.Number) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	return stdjson.Unmarshal(raw, n)
})

// MarshalJSON encodes a value without attachments, with the options of arguments.
func MarshalJSON(v any) ([]byte, error) { return json.Marshal(v, jsonOptions) }

// Decode decodes one argument into what dst points to. What is stored never aliases
// raw. A []byte receives an attachment itself, without copying.
func Decode(raw []byte, bin [][]byte, dst any) error {
	if DecodePlain(raw, bin, dst) {
		return nil
	}
	if len(bin) == 0 {
		return json.Unmarshal(raw, dst, jsonOptions)
	}
	d := binaryDecoders.Get().(*binaryDecoder)
	d.bin, d.size, d.placeholders = bin, len(raw), d.finder.Find(raw)
	options := d.standard
	switch {
	case len(d.placeholders) == 0:
		options = jsonOptions
	case mayDecodeNamedBytes(dst):
		options = d.named
	}
	err := json.Unmarshal(raw, dst, options)
	d.bin, d.placeholders = nil, nil
	binaryDecoders.Put(d)
	return err
}

// DecodePlain decodes plain values into common types, without allocations: dst does
// not escape. It reports whether it could.
func DecodePlain(raw []byte, bin [][]byte, dst any) (ok bool) {
	switch dst := dst.(type) {
	case *string:
		*dst, ok = plainString(raw)
	case *[]byte:
		num, found := sio.Placeholder(raw)
		if ok = found && num < len(bin); ok {
			*dst = bin[num]
		}
	case *stdjson.RawMessage:
		*dst, ok = append((*dst)[:0], raw...), true
	case *int:
		if n, err := strconv.Atoi(string(raw)); err == nil {
			*dst, ok = n, true
		}
	case *bool:
		switch string(raw) {
		case "true", "false":
			*dst, ok = len(raw) == len("true"), true
		}
	}
	return ok
}

// plainString decodes a JSON string that has no escapes.
func plainString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	for _, c := range raw {
		if c == '\\' {
			return "", false
		}
	}
	return string(raw), true
}

// A binaryDecoder replaces placeholders by their attachments.
type binaryDecoder struct {
	bin          [][]byte
	size         int        // of the JSON that is decoded
	placeholders []sio.Mark // the placeholders that were not read yet
	finder       sio.Finder
	standard     json.Options
	named        json.Options // for binary data of named types, too
}

var binaryDecoders = sync.Pool{New: func() any {
	d := new(binaryDecoder)
	standard := json.JoinUnmarshalers(
		decodeNumber,
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *[]byte) error {
			b, err := d.attachment(dec)
			if err == nil {
				*v = b
			}
			return err
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
			b, err := d.attachment(dec)
			if err == nil {
				*v = b
			}
			return err
		}),
	)
	named := json.UnmarshalFromFunc(func(dec *jsontext.Decoder, p any) error {
		if t := reflect.TypeOf(p).Elem(); !isNamedBytes(t, unmarshals) {
			return errors.ErrUnsupported
		}
		b, err := d.attachment(dec)
		if err == nil {
			reflect.ValueOf(p).Elem().SetBytes(b)
		}
		return err
	})
	d.standard = json.JoinOptions(jsonOptions, json.WithUnmarshalers(standard))
	d.named = json.JoinOptions(jsonOptions, json.WithUnmarshalers(json.JoinUnmarshalers(standard, named)))
	return d
}}

// attachment reads a placeholder and returns its attachment. If there is none, it
// returns [errors.ErrUnsupported], and the usual decoding goes on.
func (d *binaryDecoder) attachment(dec *jsontext.Decoder) ([]byte, error) {
	if dec.PeekKind() != '{' {
		return nil, errors.ErrUnsupported
	}
	// The decoder reads from a slice, so all of it is buffered.
	rest := dec.UnreadBuffer()
	at := d.size - len(rest) + bytes.IndexByte(rest, '{') // after a colon, a comma or space
	for len(d.placeholders) > 0 && d.placeholders[0].From < at {
		d.placeholders = d.placeholders[1:]
	}
	if len(d.placeholders) == 0 || d.placeholders[0].From != at || d.placeholders[0].Num >= len(d.bin) {
		return nil, errors.ErrUnsupported
	}
	return d.bin[d.placeholders[0].Num], dec.SkipValue()
}
