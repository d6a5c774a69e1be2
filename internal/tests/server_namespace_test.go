package tests_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// A Server has each method of its default namespace but Name, with the same signature, and
// no exported field.
func TestServerHasTheMethodsOfItsNamespace(t *testing.T) {
	t.Parallel()
	server, namespace := reflect.TypeFor[*socketio.Server](), reflect.TypeFor[*socketio.Namespace]()
	wantMethods(t, namespace, server, map[string]bool{"Name": true, "Stats": true, "Template": true})
	for i := range server.Elem().NumField() {
		if f := server.Elem().Field(i); f.IsExported() {
			t.Errorf("Server has the exported field %s", f.Name)
		}
	}
}

// What emits has the same modifiers.
func TestModifiersAreUniform(t *testing.T) {
	t.Parallel()
	emitter := reflect.TypeFor[socketio.Emitter]()
	for _, of := range []reflect.Type{
		emitter, reflect.TypeFor[*socketio.Server](), reflect.TypeFor[*socketio.Namespace](), reflect.TypeFor[socketio.Room](), reflect.TypeFor[*socketio.Socket](),
	} {
		for _, name := range []string{"Volatile", "Local", "Compress", "To", "Except"} {
			m, ok := of.MethodByName(name)
			if !ok || m.Type.NumOut() != 1 || m.Type.Out(0) != emitter {
				t.Errorf("%s has no method %s that returns an Emitter", of, name)
				continue
			}
			want, _ := emitter.MethodByName(name)
			siotest.WantEqual(t, fmt.Sprint(of, ".", name), parameters(m), parameters(want))
		}
	}
}

// wantMethods compares the methods of two types.
func wantMethods(t *testing.T, of, in reflect.Type, but map[string]bool) {
	t.Helper()
	for m := range of.Methods() {
		if but[m.Name] {
			continue
		}
		got, ok := in.MethodByName(m.Name)
		if !ok {
			t.Errorf("%s has no method %s", in, m.Name)
			continue
		}
		siotest.WantEqual(t, m.Name, parameters(got), parameters(m))
	}
}

// parameters describes a method without its receiver.
func parameters(m reflect.Method) string {
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return fmt.Sprint(in, out, m.Type.IsVariadic())
}

// The emitter of a socket with Local means the socket; with a room, the others in it
// on this server.
func TestLocalOfASocket(t *testing.T) {
	t.Parallel()
	srv := siotest.Serve(t, nil)
	c, s := srv.JoinSocket(t, siotest.WebSocket)
	other := srv.Join(t, siotest.WebSocket)
	s.Local().Emit("own")
	c.Want(`42["own"]`)
	other.WantNothing()
	s.Local().Except("room").Emit("others")
	other.Want(`42["others"]`)
	c.WantNothing()
	srv.Room(s.ID()).Local().Emit("room")
	srv.Room(s.ID()).Compress(false).Emit("room")
	c.Want(`42["room"]`, `42["room"]`)
	srv.Of("/").Compress(true).Emit("all")
	c.Want(`42["all"]`)
	other.Want(`42["all"]`)
}
