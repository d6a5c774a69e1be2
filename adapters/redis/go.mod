module github.com/socketio-go/socketio/adapters/redis

go 1.26.0

require (
	github.com/redis/rueidis v1.0.79
	github.com/socketio-go/socketio v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/socketio-go/socketio => ../..
