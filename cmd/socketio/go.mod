module github.com/socketio-go/socketio/cmd/socketio

go 1.26.0

require (
	github.com/creack/pty v1.1.24
	github.com/socketio-go/socketio v0.0.0
	golang.org/x/term v0.47.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/socketio-go/socketio => ../..
