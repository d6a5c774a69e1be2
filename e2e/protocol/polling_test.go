package protocol_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
)

func TestPostIsAnsweredOK(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	a := p.post("40")
	if a.status != http.StatusOK || a.body != "ok" || a.header.Get("Content-Type") != "text/html" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d %q %v", a.status, a.body, a.header)
	}
}

func TestPollIsAnsweredWithPackets(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	p.send("42[\"message\",\"é漢😀\u2028\"]")
	a := p.get()
	a.polled(t, "42[\"message-back\",\"é漢😀\u2028\"]")
	for name, want := range map[string]string{
		"Content-Type":   "text/plain; charset=UTF-8",
		"Cache-Control":  "no-store",
		"Content-Length": strconv.Itoa(len(a.body)), // in bytes
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestPayloadHoldsPacketsInOrder(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	p.send(`42["message",1]`, `42["message",2]`, `42["message",3]`)
	expect(t, p, `42["message-back",1]`, `42["message-back",2]`, `42["message-back",3]`)
}

func TestBinaryIsBase64InPayloads(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	const header, first, second = `452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQIDBA==", "b//79"
	back := strings.Replace(header, "message", "message-back", 1)
	t.Run("all in one payload", func(t *testing.T) {
		p.send(header, first, second)
		expect(t, p, back, first, second)
	})
	t.Run("attachments in later payloads", func(t *testing.T) {
		p.send(header)
		p.send(first)
		p.send(second)
		expect(t, p, back, first, second)
	})
}

// What an answer ends is over when the client has it, also for clients that use
// a connection for every request.
func TestRequestsMayFollowEachOtherAtOnce(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	h.client.Transport = &http.Transport{DisableKeepAlives: true}
	p := h.openPolling(t)
	join(t, p, "")
	for range 500 {
		p.send("3")
	}
	for range 100 {
		echoes(t, p)
	}
}

func TestPollThatWaitsIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	poll := p.wait()
	p.send(`42["message",1]`)
	(<-poll).polled(t, `42["message-back",1]`)
}

func TestSecondPollClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	p := h.openPolling(t)
	id := join(t, p, "")
	first := p.wait()
	if a := p.get(); a.status != http.StatusBadRequest || a.body != "" {
		t.Errorf("the second poll was answered %d %q", a.status, a.body)
	}
	(<-first).polled(t, "1")
	p.get().gone(t)
	h.leaves(t, id, socketio.ReasonError)
	all.noticedNothing(t)
}

func TestSecondPostClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	p := h.openPolling(t)
	id := join(t, p, "")

	// The body of the first is held back until the second has been answered.
	body, unsent := io.Pipe()
	first := h.begin(t.Context(), t, "POST", p.query(), body)
	if a := p.post(`42["message",2]`); a.status != http.StatusBadRequest || a.body != "" {
		t.Errorf("the second POST was answered %d %q", a.status, a.body)
	}
	unsent.Close()
	if a := <-first; a.status == http.StatusOK {
		t.Errorf("the first POST was answered %d %q", a.status, a.body)
	}
	p.ended()
	h.leaves(t, id, socketio.ReasonError)
	all.noticedNothing(t)
}

func TestAbortedPollClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	p := h.openPolling(t)
	id := join(t, p, "")

	ctx, abort := context.WithCancel(t.Context())
	poll := h.begin(ctx, t, "GET", p.query(), http.NoBody)
	abort()
	<-poll
	h.leaves(t, id, socketio.ReasonError)
	p.get().gone(t)
	all.noticedNothing(t)
}

func TestClosePacketEndsTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	id := join(t, p, "")
	poll := p.wait()
	p.send("1")
	(<-poll).polled(t, "6")
	p.get().gone(t)
	h.leaves(t, id, socketio.ReasonTransport)
}

func TestInvalidPayloadClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	for name, payload := range map[string]string{
		"unknown type":         "abc",
		"type out of range":    "7",
		"empty":                "",
		"separator alone":      "\x1e",
		"separator behind":     "3\x1e",
		"empty packet between": "3\x1e\x1e3",
		"ping by the client":   "2",
		"bad base64":           "b!!!!",
		"truncated base64":     "bAQI",
	} {
		t.Run(name, func(t *testing.T) {
			p := h.openPolling(t)
			poll := p.wait()
			if a := p.post(payload); a.status != http.StatusOK || a.body != "ok" {
				t.Errorf("the POST was answered %d %q", a.status, a.body)
			}
			if a := <-poll; !strings.HasSuffix(a.body, "1") {
				t.Errorf("the poll was answered %d %q, want it to end with 1", a.status, a.body)
			}
			p.get().gone(t)
			all.noticedNothing(t)
		})
	}
}

func TestPostOfAnotherContentType(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	p := h.openPolling(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", h.endpoint(p.query()), strings.NewReader("40"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if a, err := h.do(r); err != nil || a.status != http.StatusBadRequest {
		t.Errorf("answered %d %q, %v", a.status, a.body, err)
	}
	p.ended()
	all.noticedNothing(t)
}

// Ours: bodies are never inflated.
func TestCompressedPostIsRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", h.endpoint(p.query()), strings.NewReader("40"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "gzip")
	if a, err := h.do(r); err != nil || a.status != http.StatusUnsupportedMediaType {
		t.Errorf("answered %d %q, %v", a.status, a.body, err)
	}
	echoesAfterJoin(t, p)
}

// The session stays open when a body is refused for its size.
func TestPostOverMaxPayloadIsRefused(t *testing.T) {
	t.Parallel()
	const limit = 1000
	h := serve(t, &socketio.Options{MaxPayload: limit})
	all := h.bystanders(t)
	event := func(size int) string {
		const frame = `42["message",""]`
		return fmt.Sprintf(`42["message","%s"]`, strings.Repeat("x", size-len(frame)))
	}
	for name, body := range map[string]io.Reader{
		"by its Content-Length": strings.NewReader(event(limit + 1)),
		"chunked":               io.MultiReader(strings.NewReader(event(limit + 1))), // of a length nobody knows
		"far beyond":            strings.NewReader(event(100 * limit)),
	} {
		t.Run(name, func(t *testing.T) {
			p := h.openPolling(t)
			join(t, p, "")
			r, err := http.NewRequestWithContext(t.Context(), "POST", h.endpoint(p.query()), body)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := h.do(r); err != nil || a.status != http.StatusRequestEntityTooLarge || a.body != "" {
				t.Errorf("answered %d %q, %v", a.status, a.body, err)
			}
			echoes(t, p)
			all.noticedNothing(t)
		})
	}
	t.Run("exactly the limit is accepted", func(t *testing.T) {
		p := h.openPolling(t)
		join(t, p, "")
		p.send(event(limit))
		expect(t, p, strings.Replace(event(limit), "message", "message-back", 1))
	})
}

// Ours: text that is no UTF-8 closes the session; Node replaces it.
func TestPostOfInvalidUTF8ClosesTheSession(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	all := h.bystanders(t)
	p := h.openPolling(t)
	join(t, p, "")
	p.send("42[\"message\",\"\xff\"]")
	p.ended()
	all.noticedNothing(t)
}

func TestBodyMayArriveInPieces(t *testing.T) {
	t.Parallel()
	h := serve(t, nil)
	p := h.openPolling(t)
	join(t, p, "")
	const event = `42["message","é漢😀"]`
	body, unsent := io.Pipe()
	go func() { // ends when all is written
		for i := range len(event) { // in the midst of letters, too
			_, _ = io.WriteString(unsent, event[i:i+1])
		}
		unsent.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), "POST", h.endpoint(p.query()), body)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.do(r); err != nil || a.body != "ok" {
		t.Fatalf("answered %d %q, %v", a.status, a.body, err)
	}
	expect(t, p, `42["message-back","é漢😀"]`)
}

func TestOtherMethodsLeaveTheSessionAlone(t *testing.T) {
	t.Parallel()
	p := serve(t, nil).openPolling(t)
	join(t, p, "")
	for _, method := range []string{"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"} {
		if a := p.host.request(t, method, p.query(), ""); a.status < http.StatusBadRequest {
			t.Errorf("%s was answered %d", method, a.status)
		}
	}
	echoes(t, p)
}
