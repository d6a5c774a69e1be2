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

// Placeholder reports whether raw is an object with a true "_placeholder" and
// an integer "num", and returns that number. Other keys do not matter. It means
// something in a packet with attachments only; there, Decode has checked that
// every placeholder names one of them.
func Placeholder(raw []byte) (num int, ok bool) {
	const shortest = len(`{"_placeholder":true,"num":0}`)
	if len(raw) < shortest || !mayMark(raw) {
		return 0, false
	}
	s := scanner{depth: math.MaxInt, attachments: math.MaxInt32, want: wantObject}
	if _, _, err := s.scan(raw); err != nil || !s.placeholder {
		return 0, false
	}
	return s.num, true
}

// mayMark spares what is no placeholder the closer look. Escapes may hide a key.
func mayMark(raw []byte) bool {
	return bytes.Contains(raw, []byte("_placeholder")) || bytes.IndexByte(raw, '\\') >= 0
}

// noAttachments is the number of attachments of a packet that cannot have any,
// in which nothing is a placeholder.
const noAttachments = -1

// placeholderPart tells which part of a placeholder the raw key stands for.
func placeholderPart(key []byte) level {
	const longest = len(`""`) + len("_placeholder")*len(`\u0000`)
	if len(key) > longest {
		return 0
	}
	switch string(unquote(key)) {
	case "_placeholder":
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
	*top &^= part
	switch part {
	case isMarked:
		if _, ok := skipWord(b, 0, "true"); ok {
			*top |= isMarked
		}
	case isNumbered:
		num, ok := attachment(b, s.attachments)
		if !ok {
			return
		}
		*top |= isNumbered
		if len(levels) == 1 {
			s.num = num
		}
	}
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
