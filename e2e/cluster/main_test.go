// Package cluster_test runs clusters of Go and Node servers on one Redis.
package cluster_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
