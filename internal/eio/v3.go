package eio

import "encoding/base64"

// DecodeV3 decodes one text packet of protocol 3. It differs from [Decode] in
// that the type of a binary message is written too, as in "b4AQID".
func DecodeV3(b []byte) (Packet, error) {
	switch {
	case len(b) == 0:
		return Packet{}, ErrEmpty
	case b[0] != binaryPrefix:
		return decodeText(b)
	case len(b) == 1:
		return Packet{}, ErrEmpty
	case Type(b[1]) != Message:
		return Packet{}, ErrType
	}
	return decodeBase64(b[2:])
}

// DecodeBinaryV3 decodes one binary packet of protocol 3: the number of its
// type, not its digit, and the data. Only messages are binary.
func DecodeBinaryV3(b []byte) (Packet, error) {
	switch {
	case len(b) == 0:
		return Packet{}, ErrEmpty
	case b[0] != BinaryMessageV3:
		return Packet{}, ErrType
	}
	return Packet{Type: Message, Binary: true, Data: b[1:len(b):len(b)]}, nil
}

// BinaryMessageV3 is the first byte of a binary message of protocol 3.
const BinaryMessageV3 = byte(Message - '0')

// AppendBinaryV3 appends data as a text packet of protocol 3.
func AppendBinaryV3(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, binaryPrefix, byte(Message)), data)
}
