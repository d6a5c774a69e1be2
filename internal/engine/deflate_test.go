package engine_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio/internal/engine"
)

// deflated is data as a compressed message.
func deflated(data string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, data)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestMessageIsDeflatedOnce(t *testing.T) {
	t.Parallel()
	m := engine.NewMessage([]byte(strings.Repeat("long ", 1000)), [][]byte{make([]byte, 1000)})
	forms := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range forms {
		wg.Go(func() { forms[i] = m.Compressed(threshold) })
	}
	wg.Wait()
	for _, form := range forms {
		if &form[0] != &forms[0][0] {
			t.Error("a message was compressed twice")
		}
	}
	if len(forms[0]) > 200 {
		t.Errorf("compressed to %d bytes", len(forms[0]))
	}
}

func TestDeflatingIsNoLoss(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 5000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, test := range []struct {
		name    string
		message *engine.Message
		wire    int // bytes
	}{
		{"noise", engine.NewRawMessage(noise, true), 5004},
		{"always", func() *engine.Message {
			m := engine.NewMessage([]byte("0123456789"), nil)
			m.SetCompression(engine.CompressAlways)
			return m
		}(), 13},
	} {
		if n := len(test.message.Compressed(threshold)); n != test.wire {
			t.Errorf("%s: %d bytes, want %d", test.name, n, test.wire)
		}
	}
}

// Clients may compress a message in fragments, of which the first says so.
func TestDeflatedFragments(t *testing.T) {
	t.Parallel()
	const rsv1 = 0x40
	packed := deflated("4hello " + strings.Repeat("x", 500))
	half := len(packed) / 2
	for _, test := range []struct {
		name  string
		write []string
		got   []string
		code  int
	}{
		{"two", []string{rawFrame(rsv1|text, packed[:half]), rawFrame(final, packed[half:])}, []string{"hello " + strings.Repeat("x", 500)}, 0},
		{"one for each byte", func() (frames []string) {
			for i := range len(packed) {
				op := 0
				if i == 0 {
					op = rsv1 | text
				}
				frames = append(frames, rawFrame(byte(op), packed[i:i+1]))
			}
			return append(frames, rawFrame(final, ""))
		}(), []string{"hello " + strings.Repeat("x", 500)}, 0},
		{"a ping between two", []string{rawFrame(rsv1|text, packed[:half]), rawFrame(final|0x9, ""), rawFrame(final, packed[half:])}, []string{"hello " + strings.Repeat("x", 500)}, 0},
		{"only the second says so", []string{rawFrame(text, "4hello"), rawFrame(final|rsv1, packed)}, nil, 1007},
		{"a bomb in two", []string{rawFrame(rsv1|text, deflated("4" + strings.Repeat("x", 100*maxPayload))[:50]), rawFrame(final, deflated("4" + strings.Repeat("x", 100*maxPayload))[50:])}, nil, 1009},
		{"nothing", []string{rawFrame(final|rsv1|text, "")}, nil, 1005},
	} {
		specify(t, test.name, setup{config: compressing, deflates: true}, func(h *harness) {
			ws := h.ws()
			ws.write(strings.Join(test.write, ""))
			if test.code == 0 {
				ws.app.wantGot(test.got...)
				ws.app.wantOpen()
				return
			}
			for {
				_, _, err := ws.ReadMessage()
				if websocket.IsCloseError(err, test.code) {
					break
				}
				if err != nil {
					h.Fatalf("%v, want a close frame with %d", err, test.code)
				}
			}
			ws.app.wantGot()
		})
	}
}

// A client may offer what the server can't do; then it is answered without.
func TestDeflateOffers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		offer    string
		accepted bool
	}{
		{"permessage-deflate", true},
		{"permessage-deflate; client_max_window_bits", true},
		{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", true},
		{"permessage-deflate; server_max_window_bits=15", true},
		{"permessage-deflate; server_max_window_bits=\"15\"; client_max_window_bits", true},
		{"permessage-deflate; server_max_window_bits=10", false},
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=15", true},
		{"permessage-deflate; server_max_window_bits=16", false},
		{"permessage-deflate; server_max_window_bits", false},
		{"permessage-bzip2, permessage-deflate", true},
		{"permessage-bzip2", false},
		{"x-permessage-deflate", false},
		{"", false},
	} {
		specify(t, "offer: "+test.offer, setup{config: compressing}, func(h *harness) {
			conn := h.raw()
			conn.write("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1", "Host: example.com",
				"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions: "+test.offer, "", "")
			resp, err := http.ReadResponse(conn.r, nil)
			if err != nil {
				h.Fatal(err)
			}
			want := ""
			if test.accepted {
				want = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
				if strings.Contains(test.offer, "15") {
					want += "; server_max_window_bits=15"
				}
			}
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); resp.StatusCode != 101 || got != want {
				h.Errorf("answered %d with %q, want %q", resp.StatusCode, got, want)
			}
			synctest.Wait()
			long := strings.Repeat("long ", 100)
			h.last().Send(engine.NewMessage([]byte(long), nil), false)
			var head [2]byte
			for range 2 { // the open packet is the first
				if _, err := io.ReadFull(conn.r, head[:]); err != nil {
					h.Fatal(err)
				}
				n := int64(head[1])
				if n == 126 {
					var size [2]byte
					io.ReadFull(conn.r, size[:])
					n = int64(size[0])<<8 + int64(size[1])
				}
				io.CopyN(io.Discard, conn.r, n)
			}
			if compressed := head[0]&0x40 != 0; compressed != test.accepted {
				h.Errorf("compressed: %t", compressed)
			}
		})
	}
}

func TestGzipByMessage(t *testing.T) {
	t.Parallel()
	short := strings.Repeat("x", 100)
	never := withCompression("x", engine.CompressNever)
	for _, test := range []struct {
		name       string
		accept     string
		messages   []*engine.Message
		compressed bool
	}{
		{"a short one", "gzip", []*engine.Message{engine.NewMessage([]byte(short), nil)}, false},
		{"a short one, always", "gzip", []*engine.Message{withCompression(short, engine.CompressAlways)}, true},
		{"a short one, always, not accepted", "gzip;q=0", []*engine.Message{withCompression(short, engine.CompressAlways)}, false},
		{"always and never", "gzip", []*engine.Message{withCompression(short, engine.CompressAlways), never}, false},
		{"never and always", "gzip", []*engine.Message{never, withCompression(short, engine.CompressAlways)}, false},
		{"what does not get smaller, always", "gzip", []*engine.Message{withCompression("0123456789", engine.CompressAlways)}, false},
		{"refused in capitals", "gzip;Q=0.00", []*engine.Message{withCompression(short, engine.CompressAlways)}, false},
		{"hardly wanted", "gzip;q=0.001", []*engine.Message{withCompression(short, engine.CompressAlways)}, true},
	} {
		specify(t, test.name, setup{config: compressing}, func(h *harness) {
			p := h.poll()
			for _, m := range test.messages {
				p.app.Send(m, false)
			}
			r := h.do("GET", p.query(), "", "Accept-Encoding", test.accept)
			if compressed := r.header.Get("Content-Encoding") == "gzip"; compressed != test.compressed {
				h.Errorf("compressed: %t", compressed)
			}
			p.app.wantOpen()
		})
	}
	specify(t, "a POST that is said to be as it is", setup{config: compressing}, func(h *harness) {
		p := h.poll()
		p.want(p.post("4hello", "Content-Encoding", "identity"), 200, "ok")
		p.app.wantGot("hello")
	})
	specify(t, "a POST is never inflated", setup{config: compressing}, func(h *harness) {
		p := h.poll()
		for _, coding := range []string{"gzip", "deflate"} {
			if r := p.post("4hello", "Content-Encoding", coding); r.status != http.StatusUnsupportedMediaType {
				h.Errorf("%s: answered %d", coding, r.status)
			}
		}
		p.app.wantGot()
		p.app.wantOpen()
	})
}
