//go:build linux

package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// An httpConn is a connection for one HTTP request at a time. It is far
// cheaper than net/http's client.
type httpConn struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func dialHTTP(addr string, timeout time.Duration) (*httpConn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	return &httpConn{conn: conn, in: bufio.NewReader(conn)}, nil
}

// get returns the body of a response, which is valid until the next request.
func (h *httpConn) get(target string) ([]byte, error) {
	h.begin("GET", target)
	h.out = append(h.out, "\r\n"...)
	return h.do()
}

// post sends a polling payload.
func (h *httpConn) post(target string, payload []byte) ([]byte, error) {
	h.begin("POST", target)
	h.out = append(h.out, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: "...)
	h.out = strconv.AppendInt(h.out, int64(len(payload)), 10)
	h.out = append(h.out, "\r\n\r\n"...)
	h.out = append(h.out, payload...)
	return h.do()
}

func (h *httpConn) begin(method, target string) {
	h.out = fmt.Appendf(h.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, h.conn.RemoteAddr())
}

// do sends the request in out and reads the response.
func (h *httpConn) do() ([]byte, error) {
	if _, err := h.conn.Write(h.out); err != nil {
		return nil, err
	}
	status, length, err := h.head()
	if err != nil {
		return nil, err
	}
	if length >= 0 {
		h.body = append(h.body[:0], make([]byte, length)...)
		_, err = io.ReadFull(h.in, h.body)
	} else {
		err = h.chunks()
	}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %.100q", status, h.body)
	}
	return h.body, err
}

// head reads the status line and the header. A negative length means that the
// body comes in chunks.
func (h *httpConn) head() (status, length int, err error) {
	line, err := h.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, errors.New("short status line")
	}
	status, _ = strconv.Atoi(string(line[9:12]))
	length = -1
	for {
		line, err = h.in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, 0, err
		case len(line) <= len("\r\n"):
			return status, length, nil
		}
		const name = "content-length:"
		if len(line) > len(name) && line[len(name)-1] == ':' && (line[0]|0x20) == 'c' {
			var n uint32
			value := line[len(name):]
			for value[0] == ' ' {
				value = value[1:]
			}
			if n, value = decimal(value); len(value) == len("\r\n") {
				length = int(n)
			}
		}
	}
}

func (h *httpConn) chunks() error {
	h.body = h.body[:0]
	for {
		line, err := h.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line[:len(line)-len("\r\n")]), 16, 31)
		if err != nil {
			return err
		}
		start := len(h.body)
		h.body = append(h.body, make([]byte, n)...)
		if _, err := io.ReadFull(h.in, h.body[start:]); err != nil {
			return err
		}
		if _, err := h.in.Discard(len("\r\n")); err != nil || n == 0 {
			return err
		}
	}
}
