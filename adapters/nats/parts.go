package nats

import (
	"errors"
	"fmt"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// idHeader has the ID by which a stream recognizes duplicates.
const idHeader = natsgo.MsgIdHdr

// publishParts publishes a message on the connection, in parts if it is longer than NATS
// allows. It may wait for the network. A message with a number is for a stream, and may
// be published again.
func publishParts(conn *natsgo.Conn, subject, sender string, number uint64, message []byte) error {
	limit := int(conn.MaxPayload())
	put := func(_ uint64, data []byte) error { return conn.Publish(subject, data) }
	if number > 0 {
		limit -= headerSize // the headers count as payload
		put = func(part uint64, data []byte) error {
			m := natsgo.NewMsg(subject)
			m.Header.Set(idHeader, fmt.Sprintf("%s-%d-%d", sender, number, part))
			m.Data = data
			return conn.PublishMsg(m)
		}
	}
	if len(message) <= limit {
		return put(0, message)
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
		if err := put(i, part); err != nil {
			return err
		}
	}
	return nil
}

// headerSize is an upper bound of the size of the headers of a numbered message.
const headerSize = 64 + maxName + 2*20

// An assembly is a message whose parts have not all arrived.
type assembly struct {
	next     uint64 // index of the next part
	data     []byte
	lastSeen time.Time // when the last part arrived
}

var errParts = errors.New("socketio: nats: parts of a message are missing or too many")
