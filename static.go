package socketio

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/socketio-go/socketio/browser"
	"github.com/socketio-go/socketio/internal/origin"
)

// clientFiles serves the files of the browser client beside the endpoint.
type clientFiles struct {
	srv  *Server
	fsys fs.FS
}

// serve responds to a request for a file. It reports whether the request was for one.
func (c clientFiles) serve(origins *origin.Policy, w http.ResponseWriter, r *http.Request) bool {
	_, name := path.Split(r.URL.Path)
	if name == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	content, ok := c.read(name)
	if !ok {
		return false
	}
	h := w.Header()
	_ = origins.Check(r, h) // sets the CORS headers; any origin may load a script
	switch path.Ext(name) {
	case ".js":
		h.Set("Content-Type", "application/javascript; charset=utf-8")
	case ".map":
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	sum := sha256.Sum256(content)
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	h.Set("Cache-Control", "no-cache") // revalidate, which is cheap with the ETag
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return true
}

func (c clientFiles) read(name string) (content []byte, ok bool) {
	if c.fsys == nil {
		return browser.Client, name == "socket.io.js"
	}
	if !strings.HasPrefix(name, "socket.io.") {
		return nil, false // the directory may hold other files
	}
	c.srv.guard(nil, "", func() {
		var err error
		content, err = fs.ReadFile(c.fsys, name)
		ok = err == nil
	})
	return content, ok
}
