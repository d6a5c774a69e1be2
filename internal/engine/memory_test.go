package engine_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/socketio-go/socketio/internal/engine"
)

// What is counted against MaxQueue is what the heap holds, however small the
// messages are. It does not run in parallel with others, as it measures the heap.
func TestQueueHoldsWhatItCounts(t *testing.T) { //nolint:paralleltest // see above
	const connections, limit = 50, 256 << 10
	for _, transport := range []string{"polling", "websocket"} {
		for _, size := range []int{1, 7, 40, 300, 3000, 60_000} {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, setup{config: func(c *engine.Config) { c.MaxQueue, c.MaxHandshakes = limit, connections }})
				defer h.stop()
				for range connections {
					if transport == "polling" {
						h.poll()
					} else {
						h.ws().mem().In().SetCapacity(0)
					}
				}
				text := make([]byte, size)
				before := liveHeap()
				counted := int64(0)
				for _, a := range h.all() {
					for {
						m := engine.NewMessage(text, nil)
						if a.Queued() > 0 && a.Queued()+m.Size() > limit {
							break
						}
						if err := a.Send(m, false); err != nil {
							t.Fatal(err)
						}
						if a.Queued() <= m.Size() {
							synctest.Wait() // for the flusher, which takes the first
						}
					}
					counted += a.Queued()
				}
				synctest.Wait()
				held := liveHeap() - before
				if counted < connections*limit/2 {
					t.Errorf("%s, %d bytes: only %d bytes are queued", transport, size, counted)
				}
				t.Logf("%s, %d bytes: held %d, counted %d", transport, size, held, counted)
				// To this come the flusher's buffer and timers.
				if most := counted + connections*(chunk+4<<10); held > most {
					t.Errorf("%s, %d bytes: the heap holds %d bytes, %d are counted", transport, size, held, counted)
				}
				runtime.KeepAlive(h)
			})
		}
	}
}

// chunk is what a flusher copies small messages into.
const chunk = 64 << 10

func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
