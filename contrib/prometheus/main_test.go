package prometheus_test

import (
	"log/slog"
	"testing"

	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of servers without a Logger
	leak.Main(m)
}
