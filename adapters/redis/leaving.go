package redis

import "bytes"

// typeLeaving is the message by which adapters with heartbeats announce that they leave.
// Here it reduces the count of servers; other implementations ignore it.
const typeLeaving = 13

var (
	leavingText   = []byte(`{"type":13,`)
	leavingPacked = []byte("\x83\xa4type\x0d")
)

func isLeaving(payload []byte) bool {
	return bytes.HasPrefix(payload, leavingText) || bytes.HasPrefix(payload, leavingPacked)
}

// leavingClassic returns a request without a response.
func leavingClassic(uid string) []byte {
	var w writer
	w.object(2)
	w.key("type")
	w.integer(typeLeaving)
	w.key("uid")
	w.text(uid)
	w.end(object)
	return w.b
}

func leavingEnvelope(uid, namespace string, pack bool) []byte {
	w := writer{pack: pack}
	w.object(3)
	w.key("type")
	w.integer(typeLeaving)
	w.sender(uid, namespace)
	return w.b
}
