package client

import (
	"encoding/json"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/sio"
)

// appendPacket appends an EVENT or ACK. event is a JSON string, or nil.
func appendPacket(dst []byte, t sio.Type, namespace string, id int64, event []byte, args socketio.Args) (text []byte, bin [][]byte) {
	bin = args.Binary()
	if len(bin) > 0 {
		t += sio.BinaryEvent - sio.Event
	}
	dst = sio.AppendHeader(dst, t, namespace, len(bin), id)
	dst = append(append(dst, '['), event...)
	for i := range args.Len() {
		if i > 0 || event != nil {
			dst = append(dst, ',')
		}
		dst = append(dst, args.Raw(i)...)
	}
	return append(dst, ']'), bin
}

func quoted(s string) []byte { return sio.AppendString(nil, s) }

// argsOf returns arguments that alias nothing that will change.
func argsOf(raw, bin [][]byte) socketio.Args { return socketio.ArgsFromWire(raw, bin) }

// keep copies arguments that alias a buffer in use.
func keep(raw [][]byte) [][]byte {
	size := 0
	for _, r := range raw {
		size += len(r)
	}
	buf := make([]byte, 0, size)
	kept := make([][]byte, len(raw))
	for i, r := range raw {
		buf = append(buf, r...)
		kept[i] = buf[len(buf)-len(r) : len(buf) : len(buf)]
	}
	return kept
}

// sizeOf returns what keeping arguments costs in bytes, one at least.
func sizeOf(raw, bin [][]byte) int64 {
	const sliceHeader = 24
	n := 1
	for _, list := range [][][]byte{raw, bin} {
		for _, b := range list {
			n += len(b) + sliceHeader
		}
	}
	return int64(n)
}

// stringOf decodes a JSON string.
func stringOf(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}
