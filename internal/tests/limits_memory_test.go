package tests_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// What one EmitWithAck to many holds is bounded: the answers that do not fit are
// replies with an error.
func TestMaxReplies(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{MaxReplies: 3000})
	const clients = 5
	var list []*siotest.Client
	for range clients {
		list = append(list, srv.Join(t, siotest.WebSocket))
	}
	done := ask(t.Context(), srv, "q")
	for _, c := range list {
		c.Write("43" + c.WantAckRequest(`"q"`) + `["` + strings.Repeat("x", 800) + `"]`)
		c.WantNothing() // it has been read
	}
	r := <-done
	siotest.WantEqual(t, "error", r.err, nil)
	kept, refused := 0, 0
	for _, reply := range r.list {
		switch {
		case reply.Err == nil && reply.Args.Len() == 1:
			kept++
		case reply.Err == socketio.ErrReplies && reply.Args.Len() == 0:
			refused++
		}
	}
	siotest.WantEqual(t, "kept", kept, 3)
	siotest.WantEqual(t, "refused", refused, clients-3)
}

// The auth of a connection is bounded for all of its sockets together, those that
// have left and not finished included.
func TestMaxAuth(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, &socketio.Options{MaxPayload: 1000, MaxEvent: 2000})
	for i := range 4 {
		srv.Of(fmt.Sprint(i))
	}
	c := srv.Open(t, siotest.WebSocket)
	auth := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", 900))
	c.Join("/0", auth)
	c.Join("/1", auth)
	c.Write("40/2," + auth)
	c.Want(`44/2,{"message":"Too much auth"}`)
	c.Join("/3", "")
	c.Write("41/0,")
	c.WantDrained(srv)
	c.Join("/2", auth)
}

// However many header fields a request has, no more than 2000 are kept.
func TestHandshakeKeepsNotTooManyHeaders(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	header := make(http.Header)
	for i := range 5000 {
		header.Set(fmt.Sprintf("X-%d", i), "1")
	}
	c := srv.Open(t, siotest.WebSocket, header)
	s := srv.Socket(t, c, c.Join("/", ""))
	n := 0
	for _, values := range s.Handshake().Header {
		n += len(values)
	}
	siotest.WantEqual(t, "header fields", n, 2000)
}
