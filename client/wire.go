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

// stringOf decodes a JSON string.
func stringOf(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}
