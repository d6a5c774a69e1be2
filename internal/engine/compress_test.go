package engine_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

const threshold = 200

func compressing(c *engine.Config) { c.Compression = threshold }

func withCompression(text string, c engine.Compression) *engine.Message {
	m := engine.NewMessage([]byte(text), nil)
	m.SetCompression(c)
	return m
}

func TestPermessageDeflate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 100)
	for _, test := range []struct {
		name       string
		config     func(*engine.Config)
		deflates   bool
		message    *engine.Message
		compressed bool
	}{
		{"a message of some length", compressing, true, engine.NewMessage([]byte(long), nil), true},
		{"a short message", compressing, true, engine.NewMessage([]byte("short"), nil), false},
		{"a short message, always", compressing, true, withCompression(strings.Repeat("x", 50), engine.CompressAlways), true},
		{"a long message, never", compressing, true, withCompression(long, engine.CompressNever), false},
		{"not asked for", compressing, false, engine.NewMessage([]byte(long), nil), false},
		{"not configured", nil, true, engine.NewMessage([]byte(long), nil), false},
		{"not configured, always", nil, true, withCompression(long, engine.CompressAlways), false},
	} {
		specify(t, test.name, setup{config: test.config, deflates: test.deflates}, func(h *harness) {
			ws := h.ws()
			var text string
			for data := range test.message.Parts() {
				text = string(data)
			}
			for range 2 { // no context is carried over
				synctest.Wait()
				before := ws.mem().In().Sent()
				ws.app.Send(test.message, false)
				ws.want("4" + text)
				if n := ws.mem().In().Sent() - before; (n < int64(len(text))) != test.compressed {
					h.Errorf("%d characters took %d bytes", len(text), n)
				}
			}
			ws.send("4" + long) // compressed if that was negotiated
			ws.app.wantGot(long)
		})
	}
	specify(t, "a message with attachments, each by its length", setup{config: compressing, deflates: true}, func(h *harness) {
		ws := h.ws()
		parts := []string{"short", long, "", "x"}
		ws.app.Send(engine.NewMessage([]byte("text"), [][]byte{[]byte(parts[0]), []byte(parts[1]), nil, []byte(parts[3])}), false)
		ws.want("4text")
		for _, want := range parts {
			if kind, got := ws.next(); kind != websocket.BinaryMessage || got != want {
				h.Errorf("attachment of kind %d: %q, want %q", kind, got, want)
			}
		}
	})
	specify(t, "a broadcast, compressed once", setup{config: compressing, deflates: true}, func(h *harness) {
		m := engine.NewMessage([]byte(long), nil)
		var all []*socket
		for range 20 {
			all = append(all, h.ws())
		}
		h.deflates = false
		plain, poller := h.ws(), h.poll()
		for _, s := range h.Sessions() {
			go s.Send(m, false)
		}
		for _, ws := range append(all, plain) {
			ws.want("4" + long)
		}
		poller.wantGet("4" + long)
	})

	deflate := func(data string) string {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, flate.BestCompression)
		io.WriteString(w, data)
		w.Flush()
		return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
	}
	const rsv1 = 0x40
	for _, test := range []struct {
		name string
		in   string
		code int
	}{
		{"a bomb", rawFrame(final|rsv1|text, deflate("4"+strings.Repeat("x", 100*maxPayload))), 1009},
		{"a byte too many, inflated", rawFrame(final|rsv1|text, deflate("4"+strings.Repeat("x", maxPayload))), 1009},
		{"what can't be inflated", rawFrame(final|rsv1|text, "\xff\xff\xff"), 1005},
	} {
		specify(t, test.name, setup{config: compressing, deflates: true}, func(h *harness) {
			ws := h.ws()
			ws.write(test.in)
			ws.wantClose(test.code, 0)
			ws.app.wantGot()
			ws.app.wantClosed(engine.TransportError)
		})
	}
	specify(t, "as much as is allowed, inflated", setup{config: compressing, deflates: true}, func(h *harness) {
		ws := h.ws()
		full := strings.Repeat("x", maxPayload-1)
		ws.write(rawFrame(final|rsv1|text, deflate("4"+full)))
		ws.app.wantGot(full)
		ws.app.wantOpen()
	})
}

func TestGzip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 100)
	for _, test := range []struct {
		name       string
		config     func(*engine.Config)
		accept     string
		messages   []*engine.Message
		compressed bool
	}{
		{"a long response", compressing, "gzip", []*engine.Message{engine.NewMessage([]byte(long), nil)}, true},
		{"among others", compressing, "br, GZIP ;q=0.5,deflate", []*engine.Message{engine.NewMessage([]byte(long), nil)}, true},
		{"of two long messages one of which is never to be", compressing, "gzip", []*engine.Message{
			engine.NewMessage([]byte(long), nil), withCompression(long, engine.CompressNever),
		}, false},
		{"a short response", compressing, "gzip", []*engine.Message{engine.NewMessage([]byte("short"), nil)}, false},
		{"not accepted", compressing, "deflate, br", []*engine.Message{engine.NewMessage([]byte(long), nil)}, false},
		{"refused", compressing, "gzip;q=0, br", []*engine.Message{engine.NewMessage([]byte(long), nil)}, false},
		{"refused with decimals", compressing, "gzip; q=0.0", []*engine.Message{engine.NewMessage([]byte(long), nil)}, false},
		{"not mentioned", compressing, "", []*engine.Message{engine.NewMessage([]byte(long), nil)}, false},
		{"not configured", nil, "gzip", []*engine.Message{engine.NewMessage([]byte(long), nil)}, false},
	} {
		specify(t, test.name, setup{config: test.config}, func(h *harness) {
			p := h.poll()
			var want []string
			for _, m := range test.messages {
				for data := range m.Parts() {
					want = append(want, "4"+string(data))
				}
				p.app.Send(m, false)
			}
			r := h.do("GET", p.query(), "", "Accept-Encoding", test.accept)
			body := r.body
			if compressed := r.header.Get("Content-Encoding") == "gzip"; compressed != test.compressed {
				h.Errorf("compressed: %t", compressed)
			} else if compressed {
				if r.header.Get("Vary") != "Accept-Encoding" || len(body) > 200 {
					h.Errorf("%v, %d bytes", r.header, len(body))
				}
				unzip, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					h.Fatal(err)
				}
				b, err := io.ReadAll(unzip)
				if err != nil {
					h.Fatal(err)
				}
				body = string(b)
			}
			if body != strings.Join(want, "\x1e") {
				h.Errorf("got %q", body)
			}
			p.app.wantOpen()
		})
	}
}
