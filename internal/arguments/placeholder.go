package arguments

import (
	"bytes"

	"github.com/socketio-go/socketio/internal/sio"
)

// An attachment identifies binary data by its address and size, not by its content.
type attachment struct {
	data *byte
	size int
}

// A jsonSegment is a part of a payload that the application wrote. placeholders is
// how many placeholders in it stand for attachments.
type jsonSegment struct{ from, to, placeholders, arg int }

// check returns an error, and the argument, if clients would take data of the
// application for a placeholder. Clients look for placeholders only in packets with
// attachments.
func (e *Encoder) check() (arg int, err error) {
	if len(e.bin) == 0 {
		return 0, nil
	}
	for _, s := range e.appJSON {
		raw := e.json[s.from:s.to]
		if bytes.Count(raw, placeholderKey) == s.placeholders && !bytes.Contains(raw, []byte(`\u00`)) {
			continue // every placeholder stands for an attachment
		}
		if sio.Marked(raw) != s.placeholders {
			return s.arg, ErrPlaceholder
		}
	}
	return 0, nil
}

// checkRepeated checks the size of the packet in a format that can't refer to the
// same attachment twice, if such a format may be used.
func (e *Encoder) checkRepeated() error {
	if len(e.bin) == 0 || !e.opts.NoRepeats {
		return nil
	}
	repeated := 0
	for _, b := range e.bin {
		repeated -= len(b)
	}
	for _, m := range e.finder.Find(e.Payload()) {
		if m.Num < len(e.bin) {
			repeated += len(e.bin[m.Num])
		}
	}
	if repeated > sio.MaxRepeated {
		return errRepeated
	}
	return nil
}
