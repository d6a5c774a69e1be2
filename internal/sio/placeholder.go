package sio

import (
	"bytes"
	"math"
	"strconv"
)

// AppendPlaceholder appends the object that stands for attachment num.
func AppendPlaceholder(dst []byte, num int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, '}')
}

// MaxRepeated bounds, in bytes, what the attachments of one packet that occur more
// than once add to it in a format that cannot refer to the same data twice.
const MaxRepeated = 4 << 20

// A Mark is a placeholder in a JSON text.
type Mark struct {
	From, To int // where its object begins and ends
	Num      int // of the attachment
}

// Between the parts of this library a placeholder is distinguished from data that looks
// like one by the key "_placeholder": with an escape in it, as PlainKey has it,
// the object is data. On the wire there is no such difference. The functions
// below read what is already within the library; see also [Limits.Literal].
const (
	markKey  = `"_placeholder"`
	PlainKey = `"\u005fplaceholder"`
)

// A Finder finds placeholders. It uses its memory again.
type Finder struct{ found, open []Mark }

// Find returns the placeholders in raw, valid JSON, in order, until it is called
// again. An object is a placeholder if it has a true "_placeholder" and an
// integer "num". Other keys do not matter, nor does what is in them: what is
// inside a placeholder is not returned. It takes time in proportion to raw.
func (f *Finder) Find(raw []byte) []Mark { return f.find(raw, true) }

func (f *Finder) find(raw []byte, literal bool) []Mark {
	if !bytes.Contains(raw, []byte(markKey)) && (literal || !hasEscape(raw)) {
		return nil
	}
	s := scanner{depth: math.MaxInt, attachments: math.MaxInt32, literal: literal, collect: true, found: f.found[:0], open: f.open[:0]}
	_, _, _ = s.scan(raw) // an error says that data looks like a placeholder
	f.found, f.open = s.found, s.open
	return s.found
}

// Placeholder returns the number of the attachment that raw, one JSON value,
// stands for, if it is a placeholder.
func Placeholder(raw []byte) (num int, ok bool) {
	const shortest = len(`{"_placeholder":true,"num":0}`)
	if len(raw) < shortest || !bytes.Contains(raw, []byte(markKey)) {
		return 0, false
	}
	s := scanner{depth: math.MaxInt, attachments: math.MaxInt32, literal: true, want: wantObject}
	if _, _, err := s.scan(raw); err != nil || !s.placeholder {
		return 0, false
	}
	return s.num, true
}

// Literal returns raw, an argument from the wire that may have attachments, with
// every placeholder that the wire format knows written as this library writes
// it. It returns raw itself if there is nothing to change.
func Literal(raw []byte) []byte {
	if !hasEscape(raw) {
		return raw
	}
	found := new(Finder).find(raw, false)
	if len(found) == 0 {
		return raw
	}
	var out []byte
	from := 0
	for _, m := range found {
		out = AppendPlaceholder(append(out, raw[from:m.From]...), m.Num)
		from = m.To
	}
	return append(out, raw[from:]...)
}

// Marked counts the objects in raw, valid JSON, that clients would take for
// placeholders beside attachments, legal or not, at any depth.
func Marked(raw []byte) int {
	if !bytes.Contains(raw, []byte(markKey)) && !hasEscape(raw) {
		return 0
	}
	s := scanner{depth: math.MaxInt, attachments: math.MaxInt32}
	_, _, _ = s.scan(raw)
	return s.marked
}

// HasPlain reports whether there is data in raw, valid JSON, that is no
// placeholder only because of an escape in its key.
func HasPlain(raw []byte) bool {
	if !hasEscape(raw) {
		return false
	}
	s := scanner{depth: math.MaxInt, attachments: math.MaxInt32, literal: true}
	_, _, _ = s.scan(raw)
	return s.plain > 0
}

// hasEscape reports whether raw has an escape that may hide a key.
func hasEscape(raw []byte) bool { return bytes.Contains(raw, []byte(`\u00`)) }

// noAttachments is the number of attachments of a packet that cannot have any,
// in which nothing is a placeholder.
const noAttachments = -1

// placeholderPart returns which part of a placeholder the raw key stands for.
func (s *scanner) placeholderPart(key []byte) level {
	const longest = len(`""`) + len("_placeholder")*len(`\u0000`)
	if len(key) > longest {
		return 0
	}
	switch string(unquote(key)) {
	case "_placeholder":
		if s.literal && string(key) != markKey {
			return isEscaped
		}
		return isMarked
	case "num":
		return isNumbered
	}
	return 0
}

// note remembers that a value for that part of a placeholder begins with b. Of
// several for one key the last counts, as it does in JavaScript.
func (s *scanner) note(levels []level, part level, b []byte) {
	top := &levels[len(levels)-1]
	if part != isNumbered {
		*top &^= isMarked | isEscaped
		if _, ok := skipWord(b, 0, "true"); ok {
			*top |= part
		}
		return
	}
	*top &^= isNumbered
	num, ok := attachment(b, s.attachments)
	if !ok {
		return
	}
	*top |= isNumbered
	if s.collect {
		s.open[len(s.open)-1].Num = num
	}
	if len(levels) == 1 {
		s.num = num
	}
}

// closeObject sees to an object that ends at i, and returns what it is to what
// contains it.
func (s *scanner) closeObject(top level, i int) level {
	var this Mark
	if s.collect {
		this = s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
	}
	s.placeholder = top&isMarked != 0 && top&isNumbered != 0
	switch {
	case top&isEscaped != 0:
		s.marked++
		s.plain++
	case top&isMarked == 0:
	case top&isNumbered == 0:
		s.marked++
		if top&isIllegal == 0 {
			s.illegal = i
		}
		return top | isIllegal
	default:
		s.marked++
		if s.collect {
			for len(s.found) > 0 && s.found[len(s.found)-1].From > this.From {
				s.found = s.found[:len(s.found)-1] // what is inside a placeholder is not looked at
			}
			this.To = i + 1
			s.found = append(s.found, this)
		}
		return top &^ isIllegal
	}
	return top
}

// attachment decodes the number b begins with, if it is an integer below n.
func attachment(b []byte, n int) (num int, ok bool) {
	var i int
	for sum := int64(0); isDigit(at(b, i)); i++ {
		if sum = sum*10 + int64(b[i]-'0'); sum >= int64(n) {
			return 0, false
		}
		num = int(sum)
	}
	switch at(b, i) {
	case '.', 'e', 'E':
		return 0, false
	}
	return num, i > 0
}
