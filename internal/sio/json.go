package sio

import (
	"fmt"
	"math"
)

// Valid checks that raw is one complete JSON value, nested no deeper than
// depth, where zero means [DefaultDepth].
func Valid(raw []byte, depth int) error {
	s := scanner{depth: depth, attachments: noAttachments}
	if depth == 0 {
		s.depth = DefaultDepth
	}
	_, at, err := s.scan(raw)
	return position(err, at)
}

// Elements checks the JSON array raw and appends the raw JSON of each of its
// elements to dst. They alias raw. After an error dst is returned as it was.
func Elements(raw []byte, dst [][]byte) ([][]byte, error) {
	s := scanner{
		depth:       DefaultDepth,
		attachments: noAttachments,
		want:        wantArray,
		split:       true,
		args:        dst,
		maxArgs:     math.MaxInt,
	}
	if _, at, err := s.scan(raw); err != nil {
		return dst, position(err, at)
	}
	return s.args, nil
}

func position(err error, at int) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w at byte %d", err, at)
}

// scanner checks a JSON text in one pass and without recursion, so that no
// nesting can exhaust the stack, and finds on its way what a packet is about:
// the elements of the outermost array and the placeholders at any depth.
type scanner struct {
	depth       int  // the deepest nesting allowed
	want        want // the kind of the outermost value
	attachments int  // placeholders must be below; noAttachments: they are plain data
	literal     bool // an object whose mark is written with escapes is plain data
	collect     bool // the outermost placeholders into found
	split       bool // the outermost array into args,
	named       bool // its first element into name
	maxArgs     int

	name []byte
	args [][]byte

	placeholder bool // the outermost object is one,
	num         int  // for this attachment

	found   []Mark
	open    []Mark // the objects that are open, if they are collected
	illegal int    // where a placeholder was found that names no attachment
	marked  int    // objects with a true mark, at any depth
	plain   int    // those of them that are plain data because of literal
}

// want is a set of kinds, where the empty set is all of them.
type want byte

const (
	wantObject want = 1 << iota
	wantArray
	wantString
)

func (w want) allows(c byte) bool {
	switch c {
	case '{':
		return w == 0 || w&wantObject != 0
	case '[':
		return w == 0 || w&wantArray != 0
	case '"':
		return w == 0 || w&wantString != 0
	}
	return w == 0
}

// A level is one array or object that is open. For objects it also remembers
// what makes them a placeholder.
type level byte

const (
	inObject   level = 1 << iota
	isMarked         // "_placeholder" is true
	isEscaped        // it is, but means nothing because of the escapes in it
	isNumbered       // "num" is the number of an attachment
	isIllegal        // there is a placeholder inside that names no attachment
)

// scan checks b and returns where its value begins and ends without the white
// space around it. With an error, to is where b went wrong.
func (s *scanner) scan(b []byte) (from, to int, err error) {
	var (
		ordinary [64]level // deeper nesting is allocated
		levels   = ordinary[:0]
		key      level // what a value is to an enclosing placeholder
		start    int   // of the element of the outermost array
		ok       bool
	)
	i := skipSpace(b, 0)
	from = i
	if !s.want.allows(at(b, i)) {
		return 0, i, ErrPayload
	}
value:
	for {
		i = skipSpace(b, i)
		if len(levels) == 1 {
			start = i
		}
		if key != 0 {
			s.note(levels, key, b[i:])
			key = 0
		}
		switch c := at(b, i); c {
		case '[', '{':
			if len(levels) >= s.depth {
				return 0, i, ErrDepth
			}
			bracket := i
			i = skipSpace(b, i+1)
			const closing = ']' - '[' // and also '}' - '{'
			if at(b, i) == c+closing {
				i++
				break
			}
			if c == '[' {
				levels = append(levels, 0)
				continue value
			}
			levels = append(levels, inObject)
			if s.collect {
				s.open = append(s.open, Mark{From: bracket})
			}
			if i, key, ok = s.skipKey(b, i); !ok {
				return 0, i, ErrPayload
			}
			continue value
		default:
			if i, ok = skipScalar(b, i); !ok {
				return 0, i, ErrPayload
			}
		}

		// A value ends before i, and perhaps what contains it after it.
		for {
			end := i
			i = skipSpace(b, i)
			if len(levels) == 0 {
				if i < len(b) {
					return 0, i, ErrPayload
				}
				return from, end, nil
			}
			top, c := levels[len(levels)-1], at(b, i)
			isObject := top&inObject != 0
			if len(levels) == 1 && s.split && (c == ',' || c == ']') && !s.add(b[start:end:end]) {
				return 0, start, ErrArgs
			}
			switch {
			case c == ',' && isObject:
				if i, key, ok = s.skipKey(b, skipSpace(b, i+1)); !ok {
					return 0, i, ErrPayload
				}
				continue value
			case c == ',':
				i++
				continue value
			case c == '}' && isObject:
				if s.attachments != noAttachments {
					top = s.closeObject(top, i)
				}
			case c == ']' && !isObject:
			default:
				return 0, i, ErrPayload
			}
			levels = levels[:len(levels)-1]
			if top&isIllegal != 0 {
				if len(levels) == 0 {
					return 0, s.illegal, ErrAttachments
				}
				levels[len(levels)-1] |= isIllegal
			}
			i++
		}
	}
}

// add takes an element of the outermost array, and reports whether it fits.
func (s *scanner) add(raw []byte) bool {
	if s.named && s.name == nil {
		s.name = raw
		return true
	}
	if len(s.args) >= s.maxArgs {
		return false
	}
	s.args = append(s.args, raw)
	return true
}

// skipKey skips a key of an object and its colon. It returns which part of a
// placeholder the key is, if any: isMarked, isEscaped or isNumbered.
func (s *scanner) skipKey(b []byte, i int) (next int, part level, ok bool) {
	from := i
	if at(b, i) != '"' {
		return i, 0, false
	}
	if i, ok = skipString(b, i); !ok {
		return i, 0, false
	}
	if s.attachments != noAttachments {
		part = s.placeholderPart(b[from:i])
	}
	if i = skipSpace(b, i); at(b, i) != ':' {
		return i, 0, false
	}
	return i + 1, part, true
}
