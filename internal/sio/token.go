package sio

import (
	"encoding/binary"
	"math/bits"
)

// at returns b[i], and past the end a NUL, which is valid nowhere but in the
// middle of strings, where no caller needs it.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// The skip functions return where the token that begins at i ends, or where it
// is wrong.

func skipScalar(b []byte, i int) (next int, ok bool) {
	switch at(b, i) {
	case '"':
		return skipString(b, i)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipWord(b []byte, i int, word string) (next int, ok bool) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, false
	}
	return i + len(word), true
}

func skipNumber(b []byte, i int) (next int, ok bool) {
	if at(b, i) == '-' {
		i++
	}
	if at(b, i) == '0' {
		i++
	} else if i, ok = skipDigits(b, i); !ok {
		return i, false
	}
	if at(b, i) == '.' {
		if i, ok = skipDigits(b, i+1); !ok {
			return i, false
		}
	}
	if c := at(b, i); c == 'e' || c == 'E' {
		if c = at(b, i+1); c == '+' || c == '-' {
			i++
		}
		return skipDigits(b, i+1)
	}
	return i, true
}

func skipDigits(b []byte, i int) (next int, ok bool) {
	for isDigit(at(b, i)) {
		i++
		ok = true
	}
	return i, ok
}

func skipString(b []byte, i int) (next int, ok bool) {
	i++ // the quote
	for {
		for len(b)-i >= 8 {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		switch at(b, i) {
		case '"':
			return i + 1, true
		case '\\':
			switch c := at(b, i+1); {
			case c == 'u' && hex4(b[i+2:]) >= 0:
				i += 6
			case unescaped[c] != 0:
				i += 2
			default:
				return i, false
			}
		default:
			return i, false
		}
	}
}

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special looks at eight bytes of a string at once. The lowest bit it returns
// is in the first byte that is a quote, a backslash or a control character; of
// the bits above it nothing is known.
func special(w uint64) uint64 {
	quote := w ^ lowBits*'"'
	backslash := w ^ lowBits*'\\'
	return ((quote-lowBits)&^quote | (backslash-lowBits)&^backslash | (w-lowBits*' ')&^w) & highBits
}

// unescaped has what an escape of one letter stands for.
var unescaped = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// hex4 returns the value of four hexadecimal digits, or -1.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
