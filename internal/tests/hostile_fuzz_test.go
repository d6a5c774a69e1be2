package tests_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/sio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// FuzzPackets has a client send packets, as messages of a WebSocket or as one
// body of polling: a separator stands between them, and a NUL before what is
// binary. Whatever they are, the server answers in packets, calls each function
// as often as it promises, and keeps nothing in the end.
func FuzzPackets(f *testing.F) {
	for _, script := range []string{
		`42["join","a"]|420["echo",1,{"x":[]}]|452-7["echo",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]|` + "\x00bin|\x00|41",
		`40/org-1,|42/org-1,["ask",{"b":1}]|43/org-1,0["yes"]|41/org-1,|40/org-1,{}|40/nowhere,`,
		`42["ask"]|430[1,2]|42["ask"]|461-1[{"_placeholder":true,"num":0}]|` + "\x00x",
		`42["typed","a",1,{"X":1},"x"]|421["typed"]|422["typed",{},[],1]|423["panic"]`,
		`42["leave"]|42["echo"]|40`,
		`40{"pid":"x","offset":"y"}|1|42["echo"]`,
		`bAQID|451-["echo",{"_placeholder":true,"num":0}]|bAQID|3|6`,
	} {
		for how := range uint8(4) {
			f.Add(strings.ReplaceAll(script, "|", siotest.Separator), how)
		}
	}
	for _, test := range hostilePackets {
		var parts []string
		for _, p := range test.packets {
			if b, ok := p.([]byte); ok {
				p = "\x00" + string(b)
			}
			parts = append(parts, p.(string))
		}
		f.Add(strings.Join(parts, siotest.Separator), uint8(len(parts)))
	}
	f.Fuzz(func(t *testing.T, script string, how uint8) {
		synctest.Test(t, func(t *testing.T) {
			opts := &socketio.Options{MaxPayload: 10_000}
			if how&1 != 0 {
				opts.Recovery = &socketio.Recovery{}
			}
			transport := siotest.WebSocket
			if how&2 != 0 {
				transport = siotest.Polling
			}
			sendPackets(t, siotest.ServeInMemory(t, opts), transport, script)
		})
	})
}

func sendPackets(t *testing.T, srv *siotest.Server, transport, script string) {
	var connects, disconnects, asked, answered, panics atomic.Int32
	for _, n := range []*socketio.Namespace{srv.Of("/"), srv.OfMatch(regexp.MustCompile(`^/org-\d$`).MatchString)} {
		n.OnConnect(func(*socketio.Socket) { connects.Add(1) })
		n.OnDisconnect(func(*socketio.Socket, socketio.Reason) { disconnects.Add(1) })
		n.On("echo", func(args socketio.Args) socketio.Args { return args })
		n.On("join", func(s *socketio.Socket, rooms ...string) { s.Join(rooms...) })
		n.On("leave", func(s *socketio.Socket) { s.Disconnect() })
		n.On("typed", func(_ string, _ int, p *point, b []byte) (*point, error) { return p, nil })
		n.On("panic", func() { panics.Add(1); panic("on purpose") })
		n.On("ask", func(s *socketio.Socket, args socketio.Args) {
			if s.Emit("question", args, func(socketio.Args, error) { answered.Add(1) }) == nil {
				asked.Add(1)
			}
		})
	}
	c := srv.Join(t, transport)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			packet, err := c.Next()
			if err != nil {
				return
			}
			if text, ok := packet.(string); ok && text != "6" {
				var p sio.Packet
				if err := p.Decode([]byte(strings.TrimPrefix(text, "4")), sio.Limits{}); text[0] != '4' || err != nil {
					t.Errorf("the server sent %q: %v", text, err)
				}
			}
		}
	}()
	if w, ok := c.Wire.(*siotest.PollingWire); ok {
		w.Do(http.MethodPost, []byte(script))
		bubble.Sleep(time.Second)
		w.Write("1")
	} else {
		for part := range strings.SplitSeq(script, siotest.Separator) {
			var packet any = part
			if binary, ok := strings.CutPrefix(part, "\x00"); ok || !utf8.ValidString(part) {
				packet = []byte(binary)
			}
			c.Wire.Write(packet)
		}
		bubble.Sleep(time.Second)
		c.Wire.Close()
	}
	<-read
	synctest.Wait()
	siotest.WantEqual(t, "calls of OnDisconnect", disconnects.Load(), connects.Load())
	siotest.WantEqual(t, "callbacks", answered.Load(), asked.Load())
	if st := srv.Stats(); st.Connections+st.Sockets+st.Rooms+int(st.QueuedBytes) > 0 || st.Panics != uint64(panics.Load()) {
		t.Errorf("left: %+v; %d panics were on purpose", st, panics.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(ctx); err != nil { // there is nothing to wait for
		t.Error(err)
	}
}
