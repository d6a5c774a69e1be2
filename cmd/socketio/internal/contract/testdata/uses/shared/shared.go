// Package shared declares what a server and a client of it use.
package shared

import "github.com/socketio-go/socketio"

// A State is one of two, one of which is not exported.
type State string

const (
	// Open is the first one.
	Open  State = "open"
	ended State = "ended"
)

// A Door has a comment, which comes from another package.
type Door struct {
	State State `json:"state"` // of the door
}

// The events.
const (
	Opened socketio.Event[Door]        = "opened" // by somebody
	Knock  socketio.Call[string, Door] = "knock"
	Unused socketio.Event[string]      = "unused"
)
