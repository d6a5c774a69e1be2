package tests_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A method is a method of a value, with arguments made up for it.
type method struct {
	name string
	fn   reflect.Value
}

// methodsOf returns all exported methods of values.
func methodsOf(values ...any) (list []method) {
	for _, v := range values {
		of := reflect.ValueOf(v)
		for i := range of.NumMethod() {
			list = append(list, method{of.Type().String() + "." + of.Type().Method(i).Name, of.Method(i)})
		}
	}
	return list
}

// call calls the method, and what it returns if that can be called. It returns
// the error, if there is one.
func (m method) call(ctx context.Context, s *socketio.Socket) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	var args []reflect.Value
	for i := range m.fn.Type().NumIn() {
		in := m.fn.Type().In(i)
		if m.fn.Type().IsVariadic() && i == m.fn.Type().NumIn()-1 {
			in = in.Elem()
		}
		args = append(args, m.argument(ctx, in, s))
	}
	for _, out := range m.fn.Call(args) {
		switch {
		case out.Type() == reflect.TypeFor[error]():
			err, _ = out.Interface().(error)
		case out.Kind() != reflect.Func || out.IsNil():
		case out.Type().CanSeq():
			for range out.Seq() {
			}
		case out.Type().NumIn() == 0:
			out.Call(nil)
		}
	}
	return err
}

// argument makes a value up that a caller might pass.
func (m method) argument(ctx context.Context, in reflect.Type, s *socketio.Socket) reflect.Value {
	switch in {
	case reflect.TypeFor[context.Context]():
		return reflect.ValueOf(ctx)
	case reflect.TypeFor[*socketio.Socket]():
		return reflect.ValueOf(s)
	case reflect.TypeFor[socketio.Interceptor]():
		return reflect.ValueOf(socketio.Interceptor(func(ctx context.Context, _ *socketio.Socket, m *socketio.Message, next socketio.Next) ([]any, error) {
			return next(ctx, m)
		}))
	}
	switch {
	case in.Kind() == reflect.String:
		return reflect.ValueOf("name").Convert(in)
	case in.Kind() == reflect.Func:
		return reflect.MakeFunc(in, func([]reflect.Value) []reflect.Value {
			var out []reflect.Value
			for i := range in.NumOut() {
				out = append(out, reflect.Zero(in.Out(i)))
			}
			return out
		})
	case in.Kind() == reflect.Interface && in.NumMethod() == 0: // an argument to send, or a handler
		if strings.Contains(m.name, "Emit") {
			return reflect.ValueOf("value")
		}
		return reflect.ValueOf(func() {})
	case in == reflect.TypeFor[http.ResponseWriter]():
		return reflect.ValueOf(httptest.NewRecorder())
	case in == reflect.TypeFor[*http.Request]():
		return reflect.ValueOf(httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil).WithContext(ctx))
	}
	return reflect.Zero(in)
}

// Every method may be called at any time by any goroutine: while sockets come,
// go and are closed, while the server is, and afterwards.
func TestMethodsAtAnyTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		srv := siotest.Serve(t, &socketio.Options{Recovery: new(socketio.Recovery), AckTimeout: 5 * time.Millisecond})
		child := srv.OrgTemplate()
		var sockets []*socketio.Socket
		var reading sync.WaitGroup
		for _, transport := range []string{siotest.WebSocket, siotest.WebSocket, siotest.Polling} {
			c, s := srv.JoinSocket(t, transport)
			c.Join("/org-1", "")
			sockets = append(sockets, s)
			reading.Go(func() {
				for {
					if _, err := c.Next(); err != nil {
						return
					}
				}
			})
		}
		methods := methodsOf(srv.Server, srv.Of("/"), child, srv.Of("/org-1"), srv.Room("name"), srv.Broadcast(), child.To("name"),
			sockets[0], sockets[1], sockets[2], sockets[0].Volatile(), sockets[1].To("name"))
		ends := []string{"*socketio.Server.Close", "*socketio.Server.Shutdown"}
		var calling sync.WaitGroup
		for g := range uint64(4) {
			random := rand.New(rand.NewPCG(seed, g))
			calling.Go(func() {
				for _, i := range random.Perm(len(methods)) {
					if m := methods[i]; g == 0 || !slices.Contains(ends, m.name) { // one of them ends it all
						_ = m.call(t.Context(), sockets[i%3])
					}
				}
			})
		}
		calling.Wait()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
		for i, m := range methods {
			err := m.call(t.Context(), sockets[i%3])
			switch m.name {
			case "*socketio.Socket.Emit", "*socketio.Socket.EmitWithAck", "*socketio.Socket.Join", "*socketio.Socket.Disconnect", "*socketio.Socket.Close":
				if !errors.Is(err, socketio.ErrClosed) {
					t.Errorf("%s after the end: %v", m.name, err)
				}
			}
		}
		siotest.WantEqual(t, "connections", srv.Stats().Connections, 0)
	}
}
