package redis

import "bytes"

// typeLeaving is what adapters with heartbeats say when they end. Here it says that
// one server less is to be counted; other implementations ignore it.
const typeLeaving = 13

var (
	leavingText   = []byte(`{"type":13,`)
	leavingPacked = []byte("\x83\xa4type\x0d")
)

func isLeaving(payload []byte) bool {
	return bytes.HasPrefix(payload, leavingText) || bytes.HasPrefix(payload, leavingPacked)
}

// leavingClassic is a request that nobody answers.
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
