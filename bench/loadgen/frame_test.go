//go:build linux

package loadgen

import (
	"bytes"
	"testing"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := text(size)[:size]
		masked := appendFrame(nil, opText, payload[:size/2], payload[size/2:])

		// What a server would send: the same without mask.
		header := len(masked) - size - len(maskKey)
		plain := append([]byte(nil), masked[:header]...)
		plain[1] &^= 0x80
		body := masked[header+len(maskKey):]
		mask(body)
		plain = append(plain, body...)

		f, length := parseFrame(append(plain, "the next"...))
		if length != len(plain) || f.op != opText || !f.final || !bytes.Equal(f.payload, payload) {
			t.Errorf("frame of %d bytes: op %d, %d bytes, length %d of %d", size, f.op, len(f.payload), length, len(plain))
		}
		if _, length := parseFrame(plain[:len(plain)-1]); length != 0 {
			t.Errorf("a frame of %d bytes is taken for whole without its last byte", size)
		}
	}
}
