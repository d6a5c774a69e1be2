package tests_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/memnet"
	"github.com/socketio-go/socketio/internal/siotest"
)

func TestCompression(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 500)
	short := strings.Repeat("short", 10)
	for _, test := range []struct {
		name       string
		threshold  int
		deflating  bool
		emit       func(srv *siotest.Server, s *socketio.Socket)
		want       string
		compressed bool
	}{
		{"off", 0, true, func(srv *siotest.Server, s *socketio.Socket) { s.Compress(true).Emit("m", long) }, long, false},
		{"on, a long event", 1024, true, func(srv *siotest.Server, s *socketio.Socket) { s.Emit("m", long) }, long, true},
		{"on, a broadcast", 1024, true, func(srv *siotest.Server, s *socketio.Socket) { srv.Emit("m", long) }, long, true},
		{"on, a short event", 1024, true, func(srv *siotest.Server, s *socketio.Socket) { s.Emit("m", short) }, short, false},
		{"on, not with this client", 1024, false, func(srv *siotest.Server, s *socketio.Socket) { s.Emit("m", long) }, long, false},
		{"Compress(true) of a short event", 1024, true, func(srv *siotest.Server, s *socketio.Socket) {
			s.Compress(true).Emit("m", short)
		}, short, true},
		{"Compress(true) of a short broadcast", 1024, true, func(srv *siotest.Server, s *socketio.Socket) {
			srv.To(s.ID()).Compress(true).Emit("m", short)
		}, short, true},
		{"Compress(false) of a long event", 1024, true, func(srv *siotest.Server, s *socketio.Socket) {
			s.Compress(false).Emit("m", long)
		}, long, false},
		{"Compress(false) of a long broadcast", 1024, true, func(srv *siotest.Server, s *socketio.Socket) {
			srv.Broadcast().Compress(true).Compress(false).Emit("m", long)
		}, long, false},
		{"Compress(false), asking for answers", 1024, true, func(srv *siotest.Server, s *socketio.Socket) {
			srv.Broadcast().Compress(false).Emit("m", long, func([]socketio.Reply, error) {})
		}, long, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := memnet.Listen()
			srv := siotest.ServeOn(t, &socketio.Options{CompressMinBytes: test.threshold}, l, l.DialContext)
			srv.WaitLimit = siotest.WaitLimit
			var s *socketio.Socket
			c := srv.Open(t, siotest.WebSocket)
			if test.deflating {
				c = srv.OpenDeflating(t)
			} else {
				c.Join("/", "")
			}
			c.WantNothing()
			for s = range srv.LocalSockets() {
			}
			before := c.MemConn().In().Sent()
			test.emit(srv, s)
			packet, _ := c.Read().(string)
			if _, payload, _ := strings.Cut(packet, "["); payload != `"m","`+test.want+`"]` {
				t.Errorf("got %.100s", packet)
			}
			n := c.MemConn().In().Sent() - before
			if compressed := n < int64(len(test.want)); compressed != test.compressed {
				t.Errorf("%d characters took %d bytes, compressed should be %t", len(test.want), n, test.compressed)
			}
		})
	}

	t.Run("clients with and without it in one room, with binary", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, &socketio.Options{CompressMinBytes: 100})
		blob := bytes.Repeat([]byte("blob"), 1000)
		clients := []*siotest.Client{srv.OpenDeflating(t), srv.Join(t, siotest.WebSocket), srv.Join(t, siotest.Polling), srv.OpenDeflating(t)}
		for _, c := range clients {
			c.WantNothing() // it is in the namespace
		}
		for range 10 {
			srv.Emit("m", long, blob, []byte{})
		}
		for _, c := range clients {
			for range 10 {
				c.Want(`452-["m","`+long+`",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, blob, []byte{})
			}
			c.Write(`421["echo","` + long + `"]`)
			c.Want(`431["` + long + `"]`)
		}
	})

	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		srv := siotest.Serve(t, &socketio.Options{CompressMinBytes: 100})
		for _, test := range []struct {
			compress   func(socketio.Emitter) socketio.Emitter
			compressed bool
		}{
			{func(e socketio.Emitter) socketio.Emitter { return e }, true},
			{func(e socketio.Emitter) socketio.Emitter { return e.Compress(false) }, false},
		} {
			c, s := srv.JoinSocket(t, siotest.Polling)
			if err := test.compress(srv.To(s.ID())).Emit("m", long); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Wire.(*siotest.PollingWire).URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", "gzip") // so that net/http does not decode
			resp, err := srv.HTTP.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			siotest.WantEqual(t, "compressed", resp.Header.Get("Content-Encoding") == "gzip", test.compressed)
			body := io.Reader(resp.Body)
			if test.compressed {
				if body, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(body)
			if want := `42["m","` + long + `"]`; string(got) != want || err != nil {
				t.Errorf("got %.100q, %v", got, err)
			}
		}
	})
}

// A few kB that would be many MB must not become them. It does not run beside
// other tests, whose memory would be counted.
func TestBombIsNotInflated(t *testing.T) {
	srv := siotest.Serve(t, &socketio.Options{CompressMinBytes: 1024})
	healthy := srv.Join(t, siotest.WebSocket)
	const inflated = 16 << 20
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, `42["`)
	zeros := bytes.Repeat([]byte("0"), 1<<20)
	for range inflated / len(zeros) {
		_, _ = w.Write(zeros)
	}
	_ = w.Flush()
	payload := bytes.TrimSuffix(bomb.Bytes(), []byte{0, 0, 0xff, 0xff})
	frame := []byte{0x80 | 0x40 | 0x1, 0x80 | 127, 0, 0, 0, 0, 0, byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}
	frame = append(frame, payload...)

	const bombs = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range bombs {
		c := srv.OpenDeflating(t)
		if _, err := c.Wire.(*siotest.WebSocketWire).WS.NetConn().Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(); !websocket.IsCloseError(unwrapClose(err), websocket.CloseMessageTooBig) {
			t.Errorf("a bomb of %d bytes was answered with %v", len(frame), err)
		}
	}
	runtime.ReadMemStats(&after)
	// MaxPayload is 1e6, and a growing buffer is copied.
	if spent := after.TotalAlloc - before.TotalAlloc; spent > bombs*6e6 {
		t.Errorf("%d bombs of %d bytes took %d bytes of memory", bombs, len(frame), spent)
	} else {
		t.Logf("%d bombs of %d bytes took %d bytes of memory", bombs, len(frame), spent)
	}
	healthy.WantNothing()
}

func unwrapClose(err error) error {
	if multi, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range multi.Unwrap() {
			var closeErr *websocket.CloseError
			if errors.As(e, &closeErr) {
				return e
			}
		}
	}
	return err
}
