// Package arguments turns the arguments of events and acks into JSON and attachments,
// and back.
package arguments

// A List is a list of arguments that are not decoded.
type List struct {
	Raw [][]byte // each argument as JSON, with placeholders for attachments
	Bin [][]byte // the attachments
}

// Clone returns a copy of the JSON of arguments.
func Clone(raw [][]byte) [][]byte {
	size := 0
	for _, r := range raw {
		size += len(r)
	}
	buf := make([]byte, 0, size)
	clones := make([][]byte, len(raw))
	for i, r := range raw {
		buf = append(buf, r...)
		clones[i] = buf[len(buf)-len(r) : len(buf) : len(buf)]
	}
	return clones
}

// Size returns the memory that arguments take, in bytes; at least one.
func Size(raw, bin [][]byte) int64 {
	const sliceHeader = 24
	json := 1
	for _, b := range raw {
		json += len(b)
	}
	n := Allocated(json) + sliceHeader*len(raw)
	for _, b := range bin {
		n += Allocated(len(b)) + 2*sliceHeader // append has grown the list of attachments
	}
	return int64(n)
}

// Allocated returns the number of bytes that the runtime may take for n bytes, which
// it rounds up to a size class or to pages.
func Allocated(n int) int {
	const page = 8 << 10
	if n <= 4*page {
		return n + n/8 + 16
	}
	return (n + page - 1) / page * page
}
