package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/leak"
	"github.com/socketio-go/socketio/internal/memnet"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(c, c)
			c.Close()
		}()
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.LocalAddr().String() + " to " + c.RemoteAddr().String() + " over " + l.Addr().Network(); got != "client to server over mem" {
			t.Error(got)
		}
		io.WriteString(c, "hello")
		c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.DialContext(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dialled without being accepted: %v", err)
		}
		l.Close()
		l.Close()
		if _, err := l.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialled a closed listener: %v", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepted from a closed listener: %v", err)
		}
	})
}

// Each case acts on a connection whose client has written "abcdef" with a
// buffer of 4 bytes. What the server reads, and how client's write and server's
// read end, are the outcome.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		act         func(client, server *memnet.Conn)
		got         string
		write, read error
		writeN      int
	}{
		{"none", func(c, _ *memnet.Conn) {}, "abcdef", nil, io.EOF, 6},
		{"cut before the first byte", func(c, _ *memnet.Conn) {
			c.Out().At(0, c.Cut)
		}, "", syscall.ECONNRESET, syscall.ECONNRESET, 0},
		{"cut at a byte", func(c, _ *memnet.Conn) {
			c.Out().At(3, c.Cut)
		}, "abc", syscall.ECONNRESET, syscall.ECONNRESET, 3},
		{"cut after the last byte", func(c, _ *memnet.Conn) {
			c.Out().At(6, c.Cut)
		}, "abcdef", nil, syscall.ECONNRESET, 6},
		{"cut further on", func(c, _ *memnet.Conn) {
			c.Out().At(7, c.Cut)
		}, "abcdef", nil, io.EOF, 6},
		{"half-closed at a byte", func(c, _ *memnet.Conn) {
			c.Out().At(3, c.Out().End)
		}, "abc", syscall.EPIPE, io.EOF, 3},
		{"frozen at a byte", func(c, _ *memnet.Conn) {
			c.Out().At(3, c.Freeze)
		}, "", os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, 4},
		{"frozen, with room for everything", func(c, _ *memnet.Conn) {
			c.Out().SetCapacity(10)
			c.Freeze()
		}, "", nil, os.ErrDeadlineExceeded, 6},
		{"frozen and thawed", func(c, _ *memnet.Conn) {
			c.Freeze()
			time.AfterFunc(time.Second, c.Thaw)
		}, "abcdef", nil, io.EOF, 6},
		{"no room at all", func(c, _ *memnet.Conn) {
			c.Out().SetCapacity(0)
		}, "", os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, 0},
		{"several faults", func(c, _ *memnet.Conn) {
			c.Out().At(5, c.Cut)
			c.Out().At(1, c.Freeze)
			c.Out().At(2, c.Thaw)
		}, "abcde", syscall.ECONNRESET, syscall.ECONNRESET, 5},
		{"the reader has closed", func(_, s *memnet.Conn) {
			s.Close()
		}, "", syscall.EPIPE, net.ErrClosed, 0},
		{"the writer has closed", func(c, _ *memnet.Conn) {
			c.Close()
		}, "", net.ErrClosed, io.EOF, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, server := memnet.Pipe()
				client.Out().SetCapacity(4)
				deadline := time.Now().Add(time.Minute)
				client.SetDeadline(deadline)
				server.SetDeadline(deadline)
				test.act(client, server)
				done := make(chan struct{})
				go func() {
					defer close(done)
					n, err := client.Write([]byte("abcdef"))
					if n != test.writeN || !errors.Is(err, test.write) {
						t.Errorf("wrote %d, %v; want %d, %v", n, err, test.writeN, test.write)
					}
					client.CloseWrite()
				}()
				got, err := readAll(server)
				if string(got) != test.got || !errors.Is(err, test.read) {
					t.Errorf("read %q, %v; want %q, %v", got, err, test.got, test.read)
				}
				<-done
			})
		})
	}
}

// readAll is io.ReadAll that tells of io.EOF.
func readAll(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	buf := make([]byte, 3)
	for {
		n, err := r.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.Bytes(), err
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := memnet.Pipe()
		client.Out().SetRate(10)
		begin := time.Now()
		io.WriteString(client, strings.Repeat("x", 20))
		client.Close()
		if client.Out().Waiting() != 20 || client.Out().Sent() != 20 || client.Out().Writes() != 1 {
			t.Error(client.Out().Waiting(), client.Out().Sent(), client.Out().Writes())
		}
		if got, _ := readAll(server); len(got) != 20 {
			t.Errorf("read %q", got)
		}
		if d := time.Since(begin); d < 1500*time.Millisecond || d > 2*time.Second {
			t.Errorf("20 bytes at 10 a second took %v", d)
		}
	})
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := memnet.Pipe()
		begin := time.Now()
		timesOut := func(after time.Duration) {
			t.Helper()
			_, err := client.Read(make([]byte, 1))
			var netErr net.Error
			if !errors.As(err, &netErr) || !netErr.Timeout() || time.Since(begin) != after {
				t.Errorf("%v after %v, want a timeout after %v", err, time.Since(begin), after)
			}
		}
		client.SetReadDeadline(begin.Add(time.Second))
		timesOut(time.Second)
		timesOut(time.Second)

		// A deadline may be moved while it is waited for.
		client.SetReadDeadline(begin.Add(time.Minute))
		time.AfterFunc(time.Second, func() { client.SetReadDeadline(begin.Add(3 * time.Second)) })
		timesOut(3 * time.Second)
		client.SetReadDeadline(begin.Add(time.Minute))
		time.AfterFunc(time.Second, func() { client.SetReadDeadline(time.Unix(1, 0)) })
		timesOut(4 * time.Second)

		// One that has passed may be lifted. Slowness does not outlast it.
		client.SetDeadline(time.Time{})
		client.In().SetRate(1)
		io.WriteString(server, "abcd")
		client.Read(make([]byte, 2))
		client.SetReadDeadline(begin.Add(5 * time.Second))
		timesOut(5 * time.Second)

		client.Close()
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
		server.Close()
	})
}

func TestServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memnet.Serve(&http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				bubble.Sleep(time.Hour)
				io.WriteString(w, r.Host+r.URL.Path)
			}),
		})
		defer s.Close()
		for range 2 {
			resp, err := s.Client.Get("http://example.com/path")
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != "example.com/path" {
				t.Errorf("%q", got)
			}
		}
	})
}
