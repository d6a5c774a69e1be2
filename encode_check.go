package socketio

import (
	"bytes"
	"fmt"

	"github.com/socketio-go/socketio/internal/sio"
)

// An attachment is what makes two of them the same: where it is, not what it is.
type attachment struct {
	data *byte
	size int
}

// A segment is a part of a payload that the application has written, with that
// many placeholders that are meant as such.
type segment struct{ from, to, marks, arg int }

// check says which argument has data that clients would take for a placeholder.
// It does nothing unless there are attachments: otherwise nothing is one.
func (e *encoder) check() (arg int, err error) {
	if len(e.bin) == 0 {
		return 0, nil
	}
	for _, s := range e.loose {
		raw := e.json[s.from:s.to]
		if bytes.Count(raw, placeholderKey) == s.marks && !bytes.Contains(raw, []byte(`\u00`)) {
			continue // all of them are ours
		}
		if sio.Marked(raw) != s.marks {
			return s.arg, errPlaceholder
		}
	}
	return 0, nil
}

// checkNumber checks how many attachments clients are sent in one packet.
func (srv *Server) checkNumber(attachments int) error {
	most := max(srv.opts.MaxAttachments, sio.DefaultAttachments)
	if attachments > most && srv.opts.Codec == nil {
		return fmt.Errorf("%d attachments, where clients take %d: see Options.MaxAttachments", attachments, most)
	}
	return nil
}

// checkRepeated checks how large the packet becomes where it is translated into a
// format in which the same data can't be referred to twice.
func (e *encoder) checkRepeated(srv *Server) error {
	if len(e.bin) == 0 || srv.opts.Codec == nil && srv.opts.Adapter == nil {
		return nil
	}
	repeated := 0
	for _, b := range e.bin {
		repeated -= len(b)
	}
	for _, m := range e.finder.Find(e.payload()) {
		if m.Num < len(e.bin) {
			repeated += len(e.bin[m.Num])
		}
	}
	if repeated > sio.MaxRepeated {
		return errRepeated
	}
	return nil
}
