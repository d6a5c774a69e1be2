// Package stock is the protocol of a warehouse and its shops. The server and the
// client import it, so the compiler checks both ends.
package stock

import "github.com/socketio-go/socketio"

// The events and calls.
const (
	// Take is called by a shop. It is refused if there is not enough.
	Take socketio.Call[Order, Level] = "take"
	// Changed is sent to all shops when the level of an item has changed.
	Changed socketio.Event[Level] = "changed"
	// Count is called by the warehouse: it asks a shop how many pieces of an item it
	// has taken so far.
	Count socketio.Call[string, int] = "count"
)

type (
	// A Shop is what a client sends when it connects.
	Shop struct {
		Name string `json:"name"`
	}

	// An Order takes pieces of an item.
	Order struct {
		Item   string `json:"item"`
		Pieces int    `json:"pieces"`
	}

	// A Level is how many pieces of an item are left.
	Level struct {
		Item string `json:"item"`
		Left int    `json:"left"`
	}
)
