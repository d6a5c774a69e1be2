package tests_test

import (
	"context"
	"runtime/pprof"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio/internal/siotest"

	"github.com/socketio-go/socketio"
)

// Names that clients choose are not labels.
func TestProfileLabelsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.ServeInMemory(t, nil)
		template := srv.OrgTemplate()
		seen := make(chan string, 10)
		for _, n := range []*socketio.Namespace{srv.Of("/"), template} {
			n.On("known", func() {})
			n.Intercept(socketio.ProfileLabels, func(ctx context.Context, _ *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
				namespace, _ := pprof.Label(ctx, "socketio.namespace")
				event, _ := pprof.Label(ctx, "socketio.event")
				seen <- namespace + " " + event
				return next(ctx, m)
			})
		}
		c := srv.Join(t, siotest.WebSocket)
		c.Join("/org-1", "")
		for _, test := range []struct{ packet, want string }{
			{`42["known"]`, "/ known"},
			{`42["invented"]`, "/ _other"},
			{`42/org-1,["known"]`, "_template known"},
			{`42/org-1,["invented"]`, "_template _other"},
		} {
			c.Write(test.packet)
			siotest.WantEqual(t, test.packet, siotest.Receive(t, seen), test.want)
		}
	})
}
