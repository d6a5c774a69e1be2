package engine

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Compression overrides [Config].Compression for one message.
type Compression uint8

// Whether a message is compressed. Of messages that share a polling response
// the greatest counts.
const (
	CompressDefault Compression = iota // if it is large enough
	CompressAlways                     // whatever its size
	CompressNever
)

// covers reports whether so many bytes are to be compressed.
func (c Compression) covers(size, threshold int) bool {
	switch c {
	case CompressAlways:
		return size > 0
	case CompressNever:
		return false
	}
	return size >= threshold
}

// SetCompression sets whether m is compressed. It must be called before the
// first Send.
func (m *Message) SetCompression(c Compression) { m.compression = c }

// acceptsDeflate reports whether a client offers permessage-deflate in a form
// that can be accepted, and whether it limits the server's window, which has to be
// confirmed. No other limit than what deflate has anyway can be accepted (RFC 7692,
// section 7.1.2.1).
func acceptsDeflate(r *http.Request) (ok, limited bool) {
	for _, line := range r.Header["Sec-Websocket-Extensions"] {
		for offer := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) != "permessage-deflate" {
				continue
			}
			if ok, limited = acceptsWindow(params); ok {
				return true, limited
			}
		}
	}
	return false, false
}

func acceptsWindow(params string) (ok, limited bool) {
	for param := range strings.SplitSeq(params, ";") {
		name, bits, _ := strings.Cut(param, "=")
		if strings.TrimSpace(name) != "server_max_window_bits" {
			continue
		}
		if strings.Trim(bits, ` "`) != "15" {
			return false, false
		}
		limited = true
	}
	return true, limited
}

// What gorilla answers if it accepts an offer of permessage-deflate, and what
// confirms a limit of the server's window.
const (
	deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	windowAnswer  = "; server_max_window_bits=15"
)

// rsv1 marks a compressed frame (RFC 7692, section 7.2.1).
const rsv1 = 0x40

// A deflated is the compressed form of a message, made once for all receivers
// that have negotiated permessage-deflate without context takeover.
type deflated struct {
	once sync.Once
	wire []byte
}

// compressed returns m as frames for a WebSocket with permessage-deflate.
func (m *Message) compressed(threshold int) []byte {
	if !m.compression.covers(len(m.wire), threshold) {
		return m.wire
	}
	d := m.deflated.Load()
	if d == nil {
		m.deflated.CompareAndSwap(nil, new(deflated))
		d = m.deflated.Load()
	}
	d.once.Do(func() { d.wire = m.deflate(threshold) })
	return d.wire
}

func (m *Message) deflate(threshold int) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	var wire []byte
	for op, data := range m.frames() {
		if op != opText && op != opBinary || !m.compression.covers(len(data), threshold) {
			wire = append(appendFrameHeader(wire, op, len(data)), data...)
			continue
		}
		packed := d.deflate(data)
		if len(packed) >= len(data) { // an image, for example
			wire = append(appendFrameHeader(wire, op, len(data)), data...)
			continue
		}
		header := len(wire)
		wire = append(appendFrameHeader(wire, op, len(packed)), packed...)
		wire[header] |= rsv1
	}
	return wire
}

// A deflater compresses one message after another.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // never fails
	return &deflater{w: w}
}}

// deflate returns data compressed, without the empty block that flushing
// leaves at the end (RFC 7692, section 7.2.1). The result is valid until the
// next call.
func (d *deflater) deflate(data []byte) []byte {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(data) // a bytes.Buffer takes everything
	_ = d.w.Flush()
	return bytes.TrimSuffix(d.out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// gzippers compress polling responses.
var gzippers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // never fails
	return w
}}

// gzipInto compresses a response, if that is wanted, the client takes it and it
// is worth it. It sets the response's headers.
func gzipInto(dst *bytes.Buffer, h http.Header, r *http.Request, body []byte, c Compression, threshold int) []byte {
	if threshold == 0 || !c.covers(len(body), threshold) || !acceptsGzip(r) {
		return body
	}
	w := gzippers.Get().(*gzip.Writer)
	defer gzippers.Put(w)
	w.Reset(dst)
	_, _ = w.Write(body) // a bytes.Buffer takes everything
	_ = w.Close()
	if dst.Len() >= len(body) {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	return dst.Bytes()
}

// acceptsGzip reports whether gzip is among the codings that a client accepts
// (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(coding, ";")
			weight, weighted := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
			refused := weighted && strings.Trim(weight, "0.") == ""
			if strings.EqualFold(strings.TrimSpace(name), "gzip") && !refused {
				return true
			}
		}
	}
	return false
}
