package protocol_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// An answer is an HTTP response with its body.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request and returns the answer.
func (h *host) do(r *http.Request) (answer, error) {
	response, err := h.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// request sends a request to the endpoint.
func (h *host) request(t *testing.T, method, query, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.endpoint(query), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.do(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var marks atomic.Int64

// begin sends a request, returns when the server handles it, and delivers the
// answer, with the status 0 if there was none.
func (h *host) begin(ctx context.Context, t *testing.T, method, query string, body io.Reader) <-chan answer {
	t.Helper()
	mark := strconv.FormatInt(marks.Add(1), 10)
	arrived := make(chan struct{})
	h.arrivals.Store(mark, arrived)
	r, err := http.NewRequestWithContext(ctx, method, h.endpoint(query+"&t="+mark), body)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer, 1)
	go func() { // ends with the request, at the latest by the client's timeout
		a, err := h.do(r)
		if err != nil {
			a = answer{body: err.Error()}
		}
		answers <- a
	}()
	<-arrived
	return answers
}

// refused fails the test unless a is Engine.IO's error with the given code.
func (a answer) refused(t *testing.T, status, code int, message string) {
	t.Helper()
	if want := fmt.Sprintf(`{"code":%d,"message":%q}`, code, message); a.status != status || a.body != want {
		t.Errorf("answered %d %s, want %d %s", a.status, a.body, status, want)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
}

// gone fails the test unless a says that there is no such session.
func (a answer) gone(t *testing.T) {
	t.Helper()
	a.refused(t, http.StatusBadRequest, 1, "Session ID unknown")
}

// polled fails the test unless a is a poll's answer with this payload.
func (a answer) polled(t *testing.T, payload string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != payload {
		t.Errorf("the poll was answered %d %q, want 200 %q", a.status, a.body, payload)
	}
}

// A polling is a session over HTTP long-polling.
type polling struct {
	t       *testing.T
	host    *host
	sid     string
	arrived []string // packets received and not yet looked at
}

const overPolling = "EIO=4&transport=polling"

func (h *host) openPolling(t *testing.T) *polling {
	t.Helper()
	a := h.request(t, "GET", overPolling, "")
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(a.body, "0")), &open); err != nil || a.status != http.StatusOK {
		t.Fatalf("the handshake was answered %d %s", a.status, a.body)
	}
	return &polling{t: t, host: h, sid: open.SID}
}

func (p *polling) reportTo(t *testing.T) { p.t = t }

func (p *polling) query() string { return overPolling + "&sid=" + p.sid }

func (p *polling) get() answer {
	p.t.Helper()
	return p.host.request(p.t, "GET", p.query(), "")
}

func (p *polling) post(body string) answer {
	p.t.Helper()
	return p.host.request(p.t, "POST", p.query(), body)
}

// wait begins a poll, returns when it waits, and delivers its answer.
func (p *polling) wait() <-chan answer {
	p.t.Helper()
	return p.host.begin(p.t.Context(), p.t, "GET", p.query(), http.NoBody)
}

func (p *polling) send(packets ...string) {
	p.t.Helper()
	if a := p.post(strings.Join(packets, "\x1e")); a.status != http.StatusOK || a.body != "ok" {
		p.t.Fatalf("POST %q was answered %d %s", packets, a.status, a.body)
	}
}

func (p *polling) next() string {
	p.t.Helper()
	for len(p.arrived) == 0 {
		a := p.get()
		if a.status != http.StatusOK {
			p.t.Fatalf("the poll was answered %d %s", a.status, a.body)
		}
		p.arrived = strings.Split(a.body, "\x1e")
	}
	packet := p.arrived[0]
	p.arrived = p.arrived[1:]
	return packet
}

func (p *polling) ended() {
	p.t.Helper()
	for {
		a := p.get()
		if a.status != http.StatusOK {
			a.gone(p.t)
			return
		}
		p.arrived = append(p.arrived, strings.Split(a.body, "\x1e")...)
		for _, packet := range p.arrived {
			if packet != "1" && packet != "6" {
				p.t.Fatalf("received %q, want the session to end", packet)
			}
		}
	}
}
