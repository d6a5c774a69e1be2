package socketio

import (
	"context"
	"log/slog"
)

var _ slog.LogValuer = (*Socket)(nil)

// LogValue describes s to package log/slog: a group of "id", "namespace",
// "transport" and "remote". They are the attributes of the server's own lines. The
// id of a client of Socket.IO 2 is shortened, since it contains a secret.
func (s *Socket) LogValue() slog.Value {
	if s == nil {
		return slog.Value{}
	}
	return slog.GroupValue(
		slog.String("id", s.logID()),
		slog.String("namespace", shorten(s.ns.name, maxLogText)),
		slog.String("transport", s.Transport().String()),
		slog.String("remote", s.conn.session.RemoteAddr()),
	)
}

type socketKey struct{}

// SocketFrom returns the socket of a context that is [Socket.Context] or made from
// it, as those of handlers and middleware are. A [slog.Handler] can add the socket to
// every line this way.
func SocketFrom(ctx context.Context) (s *Socket, ok bool) {
	s, ok = ctx.Value(socketKey{}).(*Socket)
	return s, ok
}

// A socketContext is the parent of a socket's context.
type socketContext struct {
	context.Context // of the session
	socket          *Socket
}

func (c *socketContext) Value(key any) any {
	if key == (socketKey{}) {
		return c.socket
	}
	return c.Context.Value(key)
}
