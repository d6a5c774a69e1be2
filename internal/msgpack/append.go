package msgpack

import "encoding/binary"

// AppendInt appends an integer in its shortest form.
func AppendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0 && n < 1<<7, n < 0 && n >= -1<<5:
		return append(dst, byte(n))
	case n >= 0 && n < 1<<8:
		return append(dst, 0xcc, byte(n))
	case n >= 0 && n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n >= 0 && n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(dst, 0xcf), uint64(n))
	case n >= -1<<7:
		return append(dst, 0xd0, byte(n))
	case n >= -1<<15:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= -1<<31:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
	}
}

// AppendString appends a string.
func AppendString[S string | []byte](dst []byte, s S) []byte {
	if len(s) < 1<<5 {
		return append(append(dst, 0xa0|byte(len(s))), s...)
	}
	return append(appendLength(dst, len(s), 0xd9, 0xda, 0xdb), s...)
}

// AppendBytes appends binary data.
func AppendBytes(dst, b []byte) []byte {
	return append(appendLength(dst, len(b), 0xc4, 0xc5, 0xc6), b...)
}

// AppendArray appends the header of an array of n elements.
func AppendArray(dst []byte, n int) []byte {
	if n < 1<<4 {
		return append(dst, 0x90|byte(n))
	}
	return appendLength(dst, n, 0, 0xdc, 0xdd)
}

// AppendMap appends the header of a map of n members.
func AppendMap(dst []byte, n int) []byte {
	if n < 1<<4 {
		return append(dst, 0x80|byte(n))
	}
	return appendLength(dst, n, 0, 0xde, 0xdf)
}

// appendLength appends the shortest of three kinds of header; there may be
// none with one byte.
func appendLength(dst []byte, n int, kind8, kind16, kind32 byte) []byte {
	switch {
	case n < 1<<8 && kind8 != 0:
		return append(dst, kind8, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, kind16), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, kind32), uint32(n))
	}
}
