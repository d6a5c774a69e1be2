package prometheus_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/socketio-go/socketio"
	socketioprom "github.com/socketio-go/socketio/contrib/prometheus"
)

// A server with counters and histograms.
func Example() {
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	histograms := socketioprom.NewHistograms(nil)
	io := socketio.NewServer(&socketio.Options{Hooks: histograms.Hooks(nil)})
	defer io.Close()
	histograms.Measure(io.Of("/"))
	registry.MustRegister(socketioprom.NewCollector(io, nil), histograms)

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "socketio_connections{") {
			fmt.Print(line)
		}
	}
	// Output:
	// socketio_connections{protocol="3",transport="polling"} 0
	// socketio_connections{protocol="3",transport="websocket"} 0
	// socketio_connections{protocol="4",transport="polling"} 0
	// socketio_connections{protocol="4",transport="websocket"} 0
}
