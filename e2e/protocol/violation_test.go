package protocol_test

import "testing"

// A violation is something no client may send.
type violation struct {
	name   string
	joined []string // the namespaces the client is in, "" being the main one
	send   []string
}

// violate fails the test unless each violation, on each transport, ends the
// connection of who committed it, with every socket on it, and is noticed by
// nobody else.
func violate(t *testing.T, violations []violation) {
	t.Helper()
	h := serve(t, nil)
	all := h.bystanders(t)
	for _, v := range violations {
		for _, transport := range transports {
			t.Run(v.name+", "+transport.name, func(t *testing.T) {
				c := transport.open(t, h)
				var ids []string
				for _, namespace := range v.joined {
					ids = append(ids, join(t, c, namespace))
				}
				c.send(v.send...)
				c.ended()
				for _, id := range ids {
					h.left(t, id)
				}
				all.noticedNothing(t)
			})
		}
	}
}
