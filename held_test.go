package socketio_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/socketio-go/socketio"
)

// What one EmitWithAck to many holds is bounded: the answers that do not fit are
// replies with an error.
func TestMaxReplies(t *testing.T) {
	t.Parallel()
	srv := serve(t, &socketio.Options{MaxReplies: 3000})
	const clients = 5
	var list []*client
	for range clients {
		list = append(list, srv.join(t, webSocket))
	}
	done := ask(t.Context(), srv, "q")
	for _, c := range list {
		c.write("43" + c.wantQuestion(`"q"`) + `["` + strings.Repeat("x", 800) + `"]`)
		c.wantNothing() // it has been read
	}
	r := <-done
	wantEqual(t, "error", r.err, nil)
	kept, refused := 0, 0
	for _, reply := range r.list {
		switch {
		case reply.Err == nil && reply.Args.Len() == 1:
			kept++
		case reply.Err == socketio.ErrReplies && reply.Args.Len() == 0:
			refused++
		}
	}
	wantEqual(t, "kept", kept, 3)
	wantEqual(t, "refused", refused, clients-3)
}

// The auth of a connection is bounded for all of its sockets together, those that
// have left and not finished included.
func TestMaxAuth(t *testing.T) {
	t.Parallel()
	srv := serve(t, &socketio.Options{MaxPayload: 1000, MaxEvent: 2000})
	for i := range 4 {
		srv.Of(fmt.Sprint(i))
	}
	c := srv.open(t, webSocket)
	auth := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", 900))
	c.join("/0", auth)
	c.join("/1", auth)
	c.write("40/2," + auth)
	c.want(`44/2,{"message":"Too much auth"}`)
	c.join("/3", "")
	c.write("41/0,")
	c.wantHeardAfterLeaving(srv)
	c.join("/2", auth)
}

// wantHeardAfterLeaving waits until the socket that has left is finished.
func (c *client) wantHeardAfterLeaving(srv *testServer) {
	c.t.Helper()
	srv.Of("/3").On("sync", func() {})
	c.wantHeard("/3")
}

// However many header fields a request has, no more than 2000 are kept.
func TestHandshakeKeepsNotTooManyHeaders(t *testing.T) {
	t.Parallel()
	srv := serve(t, nil)
	header := make(http.Header)
	for i := range 5000 {
		header.Set(fmt.Sprintf("X-%d", i), "1")
	}
	c := srv.open(t, webSocket, header)
	s := srv.socket(t, c, c.join("/", ""))
	n := 0
	for _, values := range s.Handshake().Header {
		n += len(values)
	}
	wantEqual(t, "header fields", n, 2000)
}
