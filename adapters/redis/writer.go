package redis

import (
	"strconv"

	"github.com/socketio-go/socketio/internal/msgpack"
	"github.com/socketio-go/socketio/internal/sio"
)

// A writer appends values, as JSON or as MessagePack.
type writer struct {
	b      []byte
	pack   bool     // MessagePack
	binary [][]byte // for the placeholders in raw values
	err    error
}

// object begins an object of n members, list a list of n elements. Both end
// with end.
func (w *writer) object(n int) {
	if w.pack {
		w.b = msgpack.AppendMap(w.b, n)
	} else {
		w.b = append(w.b, '{')
	}
}

func (w *writer) list(n int) {
	if w.pack {
		w.b = msgpack.AppendArray(w.b, n)
	} else {
		w.b = append(w.b, '[')
	}
}

func (w *writer) end(kind byte) {
	if !w.pack {
		w.b = append(w.b, kind+2) // the closing bracket
	}
}

// key begins a member, item an element.
func (w *writer) key(name string) {
	w.item()
	w.text(name)
	if !w.pack {
		w.b = append(w.b, ':')
	}
}

func (w *writer) item() {
	if n := len(w.b); !w.pack && w.b[n-1] != '{' && w.b[n-1] != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) text(s string) {
	if w.pack {
		w.b = msgpack.AppendString(w.b, s)
	} else {
		w.b = sio.AppendString(w.b, s)
	}
}

func (w *writer) texts(values []string) {
	w.list(len(values))
	for _, s := range values {
		w.item()
		w.text(s)
	}
	w.end(list)
}

func (w *writer) integer(n int64) {
	if w.pack {
		w.b = msgpack.AppendInt(w.b, n)
	} else {
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *writer) boolean(b bool) {
	switch {
	case !w.pack:
		w.b = strconv.AppendBool(w.b, b)
	case b:
		w.b = append(w.b, 0xc3)
	default:
		w.b = append(w.b, 0xc2)
	}
}

// value appends raw JSON with placeholders for binary parts.
func (w *writer) value(raw []byte) {
	if w.err != nil {
		return
	}
	if !w.pack {
		w.b = append(w.b, raw...)
		return
	}
	b, err := msgpack.AppendJSON(w.b, raw, w.binary)
	if err != nil {
		w.err = err
		return
	}
	w.b = b
}
