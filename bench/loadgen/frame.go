//go:build linux

package loadgen

import "encoding/binary"

// The opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// maskKey is the same for every frame: computing one would be the generator's
// cost, and a zero key would spare some servers the unmasking.
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendFrame appends a final, masked frame whose payload is the concatenation
// of parts.
func appendFrame(dst []byte, op byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = append(dst, 0x80|op)
	switch {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, maskKey[:]...)
	start := len(dst)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	mask(dst[start:])
	return dst
}

// mask masks b in place, eight bytes at a time.
func mask(b []byte) {
	key := uint64(binary.LittleEndian.Uint32(maskKey[:]))
	key |= key << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^key)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= maskKey[i&3]
	}
}

// A frame is one of the server's, which are not masked.
type frame struct {
	op      byte
	final   bool
	payload []byte
}

// parseFrame returns the frame that b begins with and its length, which is 0
// if b does not hold all of it.
func parseFrame(b []byte) (f frame, length int) {
	if len(b) < 2 {
		return f, 0
	}
	header, size := 2, uint64(b[1]&0x7f)
	switch {
	case size == 126 && len(b) >= 4:
		header, size = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		header, size = 10, binary.BigEndian.Uint64(b[2:])
	case size >= 126:
		return f, 0
	}
	if uint64(len(b)-header) < size {
		return f, 0
	}
	length = header + int(size)
	return frame{op: b[0] & 0xf, final: b[0]&0x80 != 0, payload: b[header:length]}, length
}
