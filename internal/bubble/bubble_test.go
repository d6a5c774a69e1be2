package bubble_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/socketio-go/socketio/internal/bubble"
	"github.com/socketio-go/socketio/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		bubble.Sleep(time.Hour)
		if d := time.Since(start); d != time.Hour {
			t.Errorf("%v have passed", d)
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("no panic outside a bubble")
		}
	}()
	bubble.Sleep(0)
}
