package siotest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A PollingWire sends a POST for every write and a GET when there is nothing
// left to read.
type PollingWire struct {
	Ctx    context.Context
	HTTP   *http.Client
	URL    string // with the session's id
	Header http.Header
	Wait   time.Duration
	unread []any
}

func (srv *Server) openPolling(t testing.TB, h http.Header) *PollingWire {
	t.Helper()
	w := &PollingWire{Ctx: t.Context(), HTTP: srv.HTTP, URL: srv.URL + "?EIO=4&transport=polling", Header: h, Wait: srv.WaitLimit}
	body, err := w.Do(http.MethodGet, nil)
	var open struct{ SID string }
	if err != nil || !strings.HasPrefix(string(body), "0") || json.Unmarshal(body[1:], &open) != nil || open.SID == "" {
		t.Fatalf("the session opened with %q, %v", body, err)
	}
	w.URL += "&sid=" + open.SID
	return w
}

// Do sends one request of the session and returns the body of the response.
func (w *PollingWire) Do(method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.Ctx, w.Wait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = w.Header.Clone()
	resp, err := w.HTTP.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			err = ErrTimeout
		}
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %s %s", ErrEnd, resp.Status, got)
	}
	return got, err
}

// Separator separates the packets of a payload.
const Separator = "\x1e"

func (w *PollingWire) Write(packets ...any) error {
	var parts []string
	for _, p := range packets {
		switch p := p.(type) {
		case string:
			parts = append(parts, p)
		case []byte:
			parts = append(parts, "b"+base64.StdEncoding.EncodeToString(p))
		}
	}
	got, err := w.Do(http.MethodPost, []byte(strings.Join(parts, Separator)))
	if err == nil && string(got) != "ok" {
		err = fmt.Errorf("POST answered with %q", got)
	}
	return err
}

func (w *PollingWire) Read() (any, error) {
	for len(w.unread) == 0 {
		if err := w.poll(); err != nil {
			return nil, err
		}
	}
	packet := w.unread[0]
	w.unread = w.unread[1:]
	if packet == nil {
		return nil, ErrEnd
	}
	return packet, nil
}

// poll sends a GET and keeps what comes.
func (w *PollingWire) poll() error {
	body, err := w.Do(http.MethodGet, nil)
	if err != nil {
		return err
	}
	for part := range strings.SplitSeq(string(body), Separator) {
		switch {
		case part == "6":
		case part == "1":
			w.unread = append(w.unread, nil)
		case strings.HasPrefix(part, "b"):
			data, err := base64.StdEncoding.DecodeString(part[1:])
			if err != nil {
				return err
			}
			w.unread = append(w.unread, data)
		default:
			w.unread = append(w.unread, part)
		}
	}
	return nil
}

// Close leaves the session to its server, as a client does that disappears.
func (w *PollingWire) Close() {}
