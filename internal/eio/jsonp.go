package eio

import (
	"bytes"
	"encoding/json"
)

// AppendScript appends the JavaScript that hands payload, valid UTF-8, to the
// callback of the given number, section "JSONP" of protocol 3. All that a
// browser might take for something else than text is escaped. index is digits.
func AppendScript(dst []byte, index string, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	dst = append(dst, index...)
	dst = append(dst, "]("...)
	text, _ := json.Marshal(string(payload)) // with <, >, &, U+2028 and U+2029 escaped; never fails
	dst = append(dst, text...)
	return append(dst, ");"...)
}

// DecodeForm returns the payload in the field d of a form, section "Posting
// data" of protocol 3. It works in place and overwrites the form.
func DecodeForm(form []byte) ([]byte, error) {
	for more := true; more; {
		var field []byte
		field, form, more = bytes.Cut(form, []byte("&"))
		if data, ok := bytes.CutPrefix(field, []byte("d=")); ok {
			return unescape(data)
		}
	}
	return nil, ErrForm
}

// unescape undoes the encoding of a form, and what the client does before it to
// save line breaks from browsers: a line break is sent as \n, and \n as \\n.
func unescape(b []byte) ([]byte, error) {
	out := b[:0]
	slashes := 0 // at the end of out
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(b) || hexDigit(b[i+1]) > 0xf || hexDigit(b[i+2]) > 0xf {
				return nil, ErrForm
			}
			c = hexDigit(b[i+1])<<4 | hexDigit(b[i+2])
			i += 2
		}
		switch {
		case c == '\\':
			slashes++
			out = append(out, c)
			continue
		case c != 'n' || slashes == 0:
			out = append(out, c)
		case slashes == 1:
			out[len(out)-1] = '\n'
		default:
			out[len(out)-1] = 'n' // one backslash less
		}
		slashes = 0
	}
	return out, nil
}

// hexDigit returns the value of a hexadecimal digit, or 0xff.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
