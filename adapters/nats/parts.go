package nats

import (
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// post hands a message to the connection, in parts if NATS does not allow that
// much at once. It may wait for the network.
func post(conn *natsgo.Conn, subject, sender string, message []byte) error {
	limit := int(conn.MaxPayload())
	if len(message) <= limit {
		return conn.Publish(subject, message)
	}
	limit -= headSize + textSize(len(sender))
	if limit <= 0 {
		return natsgo.ErrMaxPayload
	}
	part := make([]byte, 0, limit+headSize+textSize(len(sender)))
	for i := uint64(0); len(message) > 0; i++ {
		piece := message[:min(limit, len(message))]
		message = message[len(piece):]
		var flags byte
		if len(message) == 0 {
			flags = flagLast
		}
		part = append(appendHead(part[:0], kindPart, flags, i, sender), piece...)
		if err := conn.Publish(subject, part); err != nil {
			return err
		}
	}
	return nil
}

// An assembly is a message of which not all parts have come.
type assembly struct {
	next  uint64 // index of the next part
	data  []byte
	heard time.Time // when the last part came
}

var errParts = errors.New("socketio: nats: parts of a message are missing or too many")
