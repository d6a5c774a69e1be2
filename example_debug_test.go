package socketio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/socketio-go/socketio"
)

// What the handler shows of a server without clients.
func ExampleServer_DebugHandler() {
	io := socketio.NewServer(nil)
	defer io.Close()
	mux := http.NewServeMux()
	mux.Handle("/debug/socketio", io.DebugHandler())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/debug/socketio", nil))
	var state struct {
		Namespaces map[string]struct{ Sockets int }
		Queues     []struct{ QueuedBytes int }
	}
	_ = json.Unmarshal(w.Body.Bytes(), &state)
	fmt.Println(w.Header().Get("Content-Type"), state.Namespaces, len(state.Queues))
	// Output: application/json map[/:{0}] 0
}
