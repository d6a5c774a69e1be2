module github.com/socketio-go/socketio

go 1.26.0

require (
	github.com/go-json-experiment/json v1.27.2
	github.com/gorilla/websocket v1.5.3
	golang.org/x/sync v0.24.0
)
