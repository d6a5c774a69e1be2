// Package bridge lets package socketiotest see what the root package does not
// export. The root package sets the variables when it is initialised. A server is
// a *socketio.Server, which this package cannot import.
package bridge

// An Observer is told what a server reports. Its functions may be called
// concurrently and must not block.
type Observer struct {
	Error     func(error)        // every error that the server reports
	Unhandled func(event string) // every event that has no handler
}

var (
	// Observe adds an observer of a server. Only connections that are opened after
	// the first call are counted by Running.
	Observe func(server any, o Observer)
	// Running describes the handlers that run or wait. It is empty when there are none.
	Running func(server any) []string
)
