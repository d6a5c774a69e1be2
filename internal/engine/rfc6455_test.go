package engine_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

// The rules of RFC 6455 for what a client sends, each with all of its cases.
func TestWebSocketRules(t *testing.T) {
	t.Parallel()
	// refused and accepted try something on a WebSocket of its own.
	refused := func(h *harness, in string, code int) {
		h.Helper()
		ws := h.ws()
		ws.write(in)
		kind, got, err := ws.ReadMessage()
		var closeErr *websocket.CloseError
		if !errors.As(err, &closeErr) || closeErr.Code != code {
			h.Errorf("%.20q: read %d %q, %v; want a close frame with %d", in, kind, got, err, code)
		}
		ws.wantEnd(0)
		ws.app.wantGot()
	}
	accepted := func(h *harness, in string, got ...string) {
		h.Helper()
		ws := h.ws()
		ws.write(in)
		ws.app.wantGot(got...)
		ws.app.wantOpen()
		ws.app.Discard(engine.ForcedClose)
	}
	specify(t, "lengths in each of the three forms", setup{config: func(c *engine.Config) { c.MaxPayload = 1 << 20 }}, func(h *harness) {
		for _, n := range []int{1, 125, 126, 127, 128, 65535, 65536, 65537} {
			data := strings.Repeat("x", n-1)
			accepted(h, rawFrame(final|text, "4"+data), data)
			accepted(h, rawFrame(final|binry, "b"+data), "binary b"+data)
		}
	})
	specify(t, "reserved opcodes", setup{}, func(h *harness) {
		for _, op := range []byte{0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf} {
			refused(h, rawFrame(final|op, ""), 1002)
			refused(h, rawFrame(final|op, "4x"), 1002)
		}
	})
	specify(t, "reserved bits", setup{}, func(h *harness) {
		for rsv := byte(0x10); rsv < 0x80; rsv += 0x10 {
			for _, op := range []byte{text, binry, pings, pongs, closes} {
				refused(h, rawFrame(final|rsv|op, ""), 1002)
			}
		}
	})
	specify(t, "control frames are short and whole, and may come between fragments", setup{}, func(h *harness) {
		for _, op := range []byte{pings, pongs, closes} {
			refused(h, rawFrame(op, ""), 1002)
			refused(h, rawFrame(final|op, strings.Repeat("x", 126)), 1002)
		}
		for _, op := range []byte{pings, pongs} {
			longest := rawFrame(final|op, strings.Repeat("x", 125))
			accepted(h, rawFrame(text, "4a")+longest+rawFrame(0, "b")+longest+rawFrame(final, "c"), "abc")
		}
	})
	specify(t, "fragments belong to one message", setup{}, func(h *harness) {
		accepted(h, rawFrame(text, "")+rawFrame(0, "")+rawFrame(final, "4"), "")
		accepted(h, rawFrame(binry, "")+rawFrame(final, ""), "binary ")
		accepted(h, rawFrame(binry, "a")+rawFrame(final, "b")+rawFrame(text, "4c")+rawFrame(final, "d"), "binary ab", "cd")
		refused(h, rawFrame(0, "4"), 1002)
		refused(h, rawFrame(final, ""), 1002)
		refused(h, rawFrame(text, "4")+rawFrame(text, "4"), 1002)
		refused(h, rawFrame(text, "4")+rawFrame(final|binry, "4"), 1002)
	})
	specify(t, "text is UTF-8", setup{}, func(h *harness) {
		for _, good := range []string{"κόσμε", "\x00", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "\U0010ffff"} {
			accepted(h, rawFrame(final|text, "4"+good), good)
			for i := range len(good) {
				accepted(h, rawFrame(text, "4"+good[:i])+rawFrame(final, good[i:]), good)
			}
		}
		for _, bad := range []string{
			"\x80", "\xbf", "\xc3", "\xe4\xb8", "\xf0\x9f\x98", "\xfe", "\xff", // no beginning, or no end
			"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", // longer than necessary
			"\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", // surrogates
			"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", // beyond Unicode
		} {
			refused(h, rawFrame(final|text, "4"+bad), 1007)
			refused(h, rawFrame(final|text, "4a"+bad+"b"), 1007)
			refused(h, rawFrame(text, "4"+bad[:1])+rawFrame(final, bad[1:]), 1007)
			accepted(h, rawFrame(final|binry, bad), "binary "+bad)
		}
	})
	status := func(code int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(code))) }
	specify(t, "a close frame is answered with its code", setup{}, func(h *harness) {
		for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
			refused(h, rawFrame(final|closes, status(code)), code)
			refused(h, rawFrame(final|closes, status(code)+strings.Repeat("x", 123)), code)
		}
		refused(h, rawFrame(final|closes, ""), 1005)
		refused(h, rawFrame(final|closes, "\x03"), 1005) // half a code is none
	})
	specify(t, "a close frame with a code that may not be sent", setup{}, func(h *harness) {
		for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
			refused(h, rawFrame(final|closes, status(code)), 1002)
		}
	})
	specify(t, "nothing counts behind a close frame", setup{}, func(h *harness) {
		refused(h, rawFrame(final|closes, status(1000))+rawFrame(final|text, "4x")+rawFrame(final|pings, ""), 1000)
		refused(h, rawFrame(text, "4x")+rawFrame(final|closes, status(1000))+rawFrame(final, "x"), 1000)
	})
}
