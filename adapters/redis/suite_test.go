package redis

import (
	"testing"

	"github.com/socketio-go/socketio/adapter"
	"github.com/socketio-go/socketio/adapter/adaptertest"
	"github.com/socketio-go/socketio/internal/redistest"
)

func TestSuiteClassic(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Cluster {
		a := New(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAnswers)
}

func TestSuiteSharded(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Cluster {
		a := NewSharded(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAnswers)
}

func TestSuiteStreams(t *testing.T) {
	srv := redistest.Start(t)
	adaptertest.Run(t, func(t testing.TB) adapter.Cluster {
		a := NewStreams(clientOf(t, srv.Addr()), nil)
		t.Cleanup(a.Close)
		return a
	}, adaptertest.FailedAnswers, adaptertest.OrderOfEmits)
}
