package sio

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Reserved reports whether name must not travel as an event, because the
// clients raise events of that name themselves.
func Reserved(name string) bool { return reserved(name) }

func reserved[S ~string | ~[]byte](name S) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// setName takes the first element of an event, valid JSON or nil, as its name.
// A number is a name too: in JavaScript handlers for 1 and "1" are the same.
func (p *Packet) setName(raw []byte) error {
	switch {
	case raw == nil:
		return ErrName
	case raw[0] == '"':
		p.Name = unquote(raw)
		if reserved(p.Name) {
			return ErrName
		}
		return nil
	case raw[0] == '-' || isDigit(raw[0]):
		p.Name = raw
		return nil
	}
	return ErrName
}

// unquote returns the text of a valid JSON string. It aliases raw unless there
// is an escape in it. A lone surrogate becomes U+FFFD.
func unquote(raw []byte) []byte {
	raw = raw[1 : len(raw)-1]
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw[:len(raw):len(raw)]
	}
	text := make([]byte, 0, len(raw)) // no escape is shorter than what it stands for
	for ; i >= 0; i = bytes.IndexByte(raw, '\\') {
		text = append(text, raw[:i]...)
		c := raw[i+1]
		raw = raw[i+2:]
		if c != 'u' {
			text = append(text, unescaped[c])
			continue
		}
		r := hex4(raw)
		raw = raw[4:]
		if utf16.IsSurrogate(r) {
			pair := utf8.RuneError
			if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
				pair = utf16.DecodeRune(r, hex4(raw[2:]))
			}
			if r = pair; r != utf8.RuneError {
				raw = raw[6:]
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return append(text, raw...)
}
