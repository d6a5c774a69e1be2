package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/engine"
)

func TestPoll(t *testing.T) {
	t.Parallel()
	specify(t, "is answered at once with all that is queued", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("a")
		p.app.Send(engine.NewMessage([]byte("b"), [][]byte{{1, 2, 3}, nil, []byte("x")}), false)
		p.app.Send(engine.NewRawMessage([]byte("c"), false), false)
		p.app.Send(engine.NewRawMessage([]byte{255}, true), false)
		r := p.get()
		p.want(r, 200, "4a\x1e4b\x1ebAQID\x1eb\x1ebeA==\x1e4c\x1eb/w==")
		for key, want := range map[string]string{
			"Content-Type":   "text/plain; charset=UTF-8",
			"Cache-Control":  "no-store",
			"Content-Length": "28",
		} {
			if got := r.header.Get(key); got != want {
				h.Errorf("%s: %s, want %s", key, got, want)
			}
		}
		if n := p.app.Queued(); n != 0 {
			h.Errorf("%d bytes are still queued", n)
		}
	})
	specify(t, "waits for something to be sent", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		pass(time.Second)
		p.app.send("hello")
		p.want(<-poll, 200, "4hello")
		poll = p.wait()
		p.app.send("世界")
		p.want(<-poll, 200, "4世界")
	})
	specify(t, "keeps the order and loses nothing under load", setup{config: func(c *engine.Config) { c.MaxQueue = 1 << 20 }}, func(h *harness) {
		p := h.poll()
		const n = 1000
		go func() {
			for i := range n {
				p.app.send(fmt.Sprint(i))
				if i%7 == 0 {
					pass(time.Millisecond)
				}
			}
		}()
		next := 0
		for next < n {
			for packet := range strings.SplitSeq(p.get().body, "\x1e") {
				if packet != fmt.Sprintf("4%d", next) {
					h.Fatalf("got %q, want message %d", packet, next)
				}
				next++
			}
		}
	})
	specify(t, "outlives the timeouts of an http.Server", setup{http: func(s *http.Server) {
		s.ReadTimeout, s.WriteTimeout = time.Second, 2*time.Second
	}}, func(h *harness) {
		p := h.poll()
		for range 2 {
			poll := p.wait()
			pass(10 * time.Second)
			p.app.send("late")
			p.want(<-poll, 200, "4late")
		}
	})
	specify(t, "leaves its connection as it was", setup{http: func(s *http.Server) {
		inner := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/other" {
				bubble.Sleep(time.Hour)
				io.WriteString(w, "other")
				return
			}
			inner.ServeHTTP(w, r)
		})
	}}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		for range 2 {
			p.app.send("hello")
			c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
			p.want(c.response(), 200, "4hello")
		}
		c.write("POST /?" + p.query() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
		p.want(c.response(), 200, "ok")
		c.write("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
		p.want(c.response(), 200, "other")
	})
	specify(t, "works without an http.Server", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("hello")
		w := httptest.NewRecorder()
		h.ServeHTTP(struct{ http.ResponseWriter }{w}, httptest.NewRequest("GET", "/?"+p.query(), nil))
		if w.Body.String() != "4hello" {
			h.Errorf("answered %q", w.Body)
		}
		p.app.wantOpen()
	})
}

func TestPollOverlap(t *testing.T) {
	t.Parallel()
	specify(t, "ends the session and both polls", setup{}, func(h *harness) {
		p := h.poll()
		first := p.wait()
		p.want(p.get(), 400, "")
		p.want(<-first, 200, "1")
		p.wantGone()
		p.app.wantClosed(engine.TransportError)
	})
	specify(t, "of polls that arrive at the same moment", setup{}, func(h *harness) {
		for range 100 {
			p := h.poll()
			answers := make(chan response, 2)
			for range 2 {
				go func() { answers <- p.get() }()
			}
			a, b := <-answers, <-answers
			if a.status > b.status {
				a, b = b, a
			}
			p.want(a, 200, "1")
			if b.status != 400 {
				h.Errorf("the second is answered %+v", b)
			}
			p.app.wantClosed(engine.TransportError)
		}
	})
}

func TestPollAborted(t *testing.T) {
	t.Parallel()
	specify(t, "while it waits", setup{}, func(h *harness) {
		p := h.poll()
		ctx, cancel := context.WithCancel(h.Context())
		poll := p.waitContext(ctx)
		cancel()
		<-poll
		p.app.wantClosed(engine.TransportError)
		p.wantGone()
	})
	specify(t, "while it is answered", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		c.mem().In().SetCapacity(100)
		p.app.send(strings.Repeat("x", 10_000))
		c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		c.mem().Cut()
		p.app.wantClosed(engine.TransportClose)
		p.wantGone()
	})
	specify(t, "while it is answered, at any byte of that, and what it has taken is never sent again", setup{}, func(h *harness) {
		get := func(p *poller, dialled func(*raw)) (*raw, response) {
			c := h.raw()
			dialled(c)
			p.app.send("a")
			p.app.send("b")
			c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
			return c, c.response()
		}
		whole, r := get(h.poll(), func(*raw) {})
		if r.body != "4a\x1e4b" {
			h.Fatalf("answered %+v", r)
		}
		for n := int64(1); n < whole.mem().In().Sent(); n++ {
			p := h.poll()
			_, r := get(p, func(c *raw) { c.mem().In().At(n, c.mem().Cut) })
			if r.err == nil {
				h.Errorf("cut at byte %d: answered %+v", n, r)
			}
			p.app.wantClosed(engine.TransportClose)
			p.wantGone()
		}
	})
	specify(t, "at the moment of being answered loses nothing unnoticed", setup{}, func(h *harness) {
		for range 50 {
			p := h.poll()
			c := h.raw()
			c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
			synctest.Wait()
			go c.Close()
			p.app.send("hello")
			synctest.Wait()
			if len(p.app.reasons()) == 0 && c.mem().In().Sent() == 0 {
				h.Fatal("the message is lost and the session open")
			}
		}
	})
}

func TestLargeResponse(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 3<<20)
	get := func(p *poller) *raw {
		c := p.h.raw()
		p.app.send(large)
		c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	specify(t, "is read slowly, within WriteTimeout", setup{}, func(h *harness) {
		p := h.poll()
		c := get(p)
		c.mem().In().SetRate(400 << 10)
		p.want(c.response(), 200, "4"+large)
		p.app.wantOpen()
		p.app.send("next")
		p.wantGet("4next")
	})
	specify(t, "is not read within WriteTimeout", setup{}, func(h *harness) {
		p := h.poll()
		get(p)
		pass(writeTimeout)
		p.app.wantClosed(engine.SlowClient)
		if h.Slow() != 1 {
			h.Errorf("%d slow clients", h.Slow())
		}
	})
	specify(t, "is read slowly, for longer than WriteTimeout", setup{config: func(c *engine.Config) { c.PingInterval = time.Hour }}, func(h *harness) {
		p := h.poll()
		c := get(p)
		c.mem().In().SetRate(20_000)
		began := time.Now()
		p.want(c.response(), 200, "4"+large)
		if took := time.Since(began); took < 10*writeTimeout {
			h.Errorf("took only %v", took)
		}
		p.app.wantOpen()
	})
	specify(t, "holds back what is sent meanwhile", setup{}, func(h *harness) {
		p := h.poll()
		c := get(p)
		synctest.Wait()
		p.app.send("next")
		poll := p.wait()
		p.want(c.response(), 200, "4"+large)
		p.want(<-poll, 200, "4next")
	})
	specify(t, "holds back the end of a session", setup{}, func(h *harness) {
		p := h.poll()
		c := get(p)
		synctest.Wait()
		p.app.send("bye")
		p.app.Close(engine.ForcedClose)
		poll := p.wait()
		p.want(c.response(), 200, "4"+large)
		p.want(<-poll, 200, "4bye")
		p.wantGet("1")
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "ends at once when the session is discarded", setup{}, func(h *harness) {
		p := h.poll()
		get(p)
		synctest.Wait()
		p.app.Discard(engine.ForcedClose)
		synctest.Wait()
		if n := h.Wait(canceled()); n > 0 {
			h.Errorf("%d requests are left", n)
		}
	})
}

// A stub is a ResponseWriter that lets a test act in the middle of things.
type stub struct {
	*httptest.ResponseRecorder
	readDeadline func(time.Time)
	flush        func()
}

func (w *stub) SetReadDeadline(t time.Time) error {
	if w.readDeadline != nil {
		w.readDeadline(t)
	}
	return nil
}

func (w *stub) FlushError() error {
	if w.flush != nil {
		w.flush()
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestPollingClientCloses(t *testing.T) {
	t.Parallel()
	specify(t, "while a poll waits", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.want(p.post("4a\x1e1\x1e4b"), 200, "ok")
		p.want(<-poll, 200, "6")
		p.app.wantGot("a")
		p.app.wantClosed(engine.TransportClose)
		p.wantGone()
	})
	specify(t, "before its poll arrives", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("not owed any more")
		p.want(p.post("1"), 200, "ok")
		p.app.wantReason(engine.TransportClose)
		h.wantRefusal(p.post("4b"), 400, unknownSession)
		p.wantGet("6")
		p.app.wantClosed(engine.TransportClose)
		p.wantGone()
	})
	specify(t, "and never polls again", setup{}, func(h *harness) {
		p := h.poll()
		p.want(p.post("1"), 200, "ok")
		p.app.wantReason(engine.TransportClose)
		pass(closeWait)
		p.app.wantClosed(engine.TransportClose)
	})
	specify(t, "while a response is written", setup{}, func(h *harness) {
		p := h.poll()
		c := h.raw()
		p.app.send(strings.Repeat("x", 1<<20))
		c.write("GET /?" + p.query() + " HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		p.want(p.post("1"), 200, "ok")
		if r := c.response(); len(r.body) != 1+1<<20 {
			h.Errorf("the response is cut: %d bytes, %v", len(r.body), r.err)
		}
		p.wantGet("6")
		p.app.wantClosed(engine.TransportClose)
	})
}

func TestPollingServerCloses(t *testing.T) {
	t.Parallel()
	specify(t, "while a poll waits", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		if !p.app.Close(engine.ForcedClose) || p.app.Close(engine.ParseError) || p.app.Discard(engine.ParseError) {
			h.Error("only the first close is the first")
		}
		p.want(<-poll, 200, "1")
		p.wantGone()
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "what is queued comes first", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.app.send("a")
		p.app.send("b")
		p.app.Close(engine.ForcedClose)
		if err := p.app.send("c"); !errors.Is(err, engine.ErrClosed) {
			h.Errorf("sent to a closing session: %v", err)
		}
		p.want(<-poll, 200, "4a\x1e4b")
		p.wantGet("1")
		p.wantGone()
	})
	specify(t, "and the next poll hears of it", setup{}, func(h *harness) {
		p := h.poll()
		p.app.send("a")
		p.app.Close(engine.ForcedClose)
		p.app.wantReason(engine.ForcedClose)
		h.wantRefusal(p.post("4a"), 400, unknownSession)
		pass(writeTimeout - 1)
		p.wantGet("4a")
		p.wantGet("1")
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "and no poll comes", setup{}, func(h *harness) {
		p := h.poll()
		p.app.Close(engine.ForcedClose)
		pass(writeTimeout)
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "at once, while a poll waits", setup{}, func(h *harness) {
		p := h.poll()
		poll := p.wait()
		p.app.Discard(engine.ForcedClose)
		p.want(<-poll, 200, "1")
		p.wantGone()
		p.app.wantClosed(engine.ForcedClose)
	})
	specify(t, "from its receiver", setup{receive: func(a *app, _ *engine.Turn, _ string, _ bool) {
		a.send("bye")
		a.Close(engine.ForcedClose)
	}}, func(h *harness) {
		p := h.poll()
		p.want(p.post("4a"), 200, "ok")
		p.wantGet("4bye")
		p.wantGet("1")
		p.app.wantClosed(engine.ForcedClose)
	})
}
