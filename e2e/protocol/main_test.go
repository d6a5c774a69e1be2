// Package protocol_test is the specification of Engine.IO 4 and Socket.IO 5
// as seen from the wire: raw requests and frames against a server made with
// the public API. Where no comment says otherwise it is how the official Node
// server behaves.
package protocol_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second
