// Package generate has its types generated.
package generate

import "github.com/socketio-go/socketio"

//go:generate socketio gen ts -o $OUT .

// Said is sent by the server.
//
//socketio:from server
const Said socketio.Event[string] = "said"
