package cluster_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/redistest"
)

// TestFaults runs faults/*.test.mjs over each adapter. Each has a Redis of its own, and
// a proxy between Redis and the Go server. The tests cause faults of both.
func TestFaults(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("faults/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	for _, adapter := range []string{"classic", "sharded", "streams"} {
		for _, file := range files {
			t.Run(adapter+"/"+strings.TrimSuffix(filepath.Base(file), ".test.mjs"), func(t *testing.T) {
				t.Parallel()
				redis := redistest.Start(t)
				proxy := redistest.NewProxy(t, redis.Addr())
				in := &cluster{adapter: adapter, prefix: "faults", addr: redis.Addr()}
				through := *in
				through.addr = proxy.Addr()
				srv := serve(t, "go", &through, nil)
				stage := stage(t, redis, proxy)
				node(t, file, append(in.env(), "GO_URL="+srv.http.URL, "STAGE_URL="+stage))
			})
		}
	}
}

// stage lets the tests in Node control a server and a proxy.
func stage(t *testing.T, redis *redistest.Server, proxy *redistest.Proxy) (url string) {
	mux := http.NewServeMux()
	for path, do := range map[string]func(){
		"redis/kill": redis.Kill, "redis/restart": redis.Restart,
		"proxy/freeze": proxy.Freeze, "proxy/thaw": proxy.Thaw, "proxy/cut": proxy.Cut,
	} {
		mux.HandleFunc("POST /"+path, func(http.ResponseWriter, *http.Request) { do() })
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}
