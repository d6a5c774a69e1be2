package eio

import (
	"strconv"
	"unicode/utf8"
)

// Handshake is the content of the open packet, section "Handshake" of the
// protocol. The client reads it with encoding/json.
type Handshake struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"` // in milliseconds
	PingTimeout  int64    `json:"pingTimeout"`  // in milliseconds
	MaxPayload   int64    `json:"maxPayload"`   // in bytes
}

// AppendOpen appends the open packet, with the keys in the order in which the
// Node server writes them. No upgrades are an empty array, never null.
func AppendOpen(dst []byte, h Handshake) []byte {
	dst = append(dst, byte(Open))
	dst = append(dst, `{"sid":`...)
	dst = appendString(dst, h.SID)
	dst = append(dst, `,"upgrades":[`...)
	for i, u := range h.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, u)
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, h.PingInterval, 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, h.PingTimeout, 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, h.MaxPayload, 10)
	return append(dst, '}')
}

// appendString appends s as JSON. The strings of a handshake are short and
// need no escape in practice, so this is written for size, not for speed.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' {
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
