package eio

import "bytes"

// Separator stands between the packets of a polling payload. It cannot occur
// inside one: JSON escapes control characters and base64 has none.
const Separator = 0x1e

// Next decodes the first packet of a polling payload and returns what follows
// it, nil after the last packet:
//
//	for rest := body; ; {
//		p, rest, err = eio.Next(rest)
//		…
//		if rest == nil {
//			break
//		}
//	}
//
// An empty payload, an empty packet and a separator at the end are ErrEmpty.
// Like [Decode] it works in place and overwrites base64.
func Next(payload []byte) (p Packet, rest []byte, err error) {
	first := payload
	if i := bytes.IndexByte(payload, Separator); i >= 0 {
		first, rest = payload[:i], payload[i+1:]
		if len(rest) == 0 {
			return Packet{}, nil, ErrEmpty
		}
	}
	if p, err = Decode(first); err != nil {
		return Packet{}, nil, err
	}
	return p, rest, nil
}
