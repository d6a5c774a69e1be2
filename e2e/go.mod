module github.com/socketio-go/socketio/e2e

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	github.com/redis/rueidis v1.0.79
	github.com/socketio-go/socketio v0.0.0
	github.com/socketio-go/socketio/adapters/redis v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace (
	github.com/socketio-go/socketio => ../
	github.com/socketio-go/socketio/adapters/redis => ../adapters/redis
)
