package rawconn

import (
	"io"
	"slices"
	"sync"
)

const (
	minBuffer = 1 << 10
	maxPooled = 64 << 10 // larger buffers are left to the garbage collector
)

var buffers = sync.Pool{New: func() any { b := make([]byte, minBuffer); return &b }}

// GetBuffer returns a buffer for a message, to be released with [PutBuffer].
func GetBuffer() *[]byte { return buffers.Get().(*[]byte) }

// PutBuffer releases a buffer.
func PutBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}

// ReadAll appends what r has to b, whose capacity it uses and grows. It returns
// tooBig when there are more than limit bytes. gorilla has a limit of its own, which
// it compares with the size before a message is inflated.
func ReadAll(r io.Reader, b []byte, limit int64, tooBig error) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, max(minBuffer, len(b)))
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, tooBig
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}
