//go:build linux

package clients

import (
	"context"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

const echo socketio.Event[string] = "echo"

func openOurs(ctx context.Context, addr string, window int, received func() bool) (closer, error) {
	c, err := client.New("http://"+addr, &client.Options{Transports: []socketio.Transport{socketio.WebSocket}})
	if err != nil {
		return nil, err
	}
	client.On(c, echo, func(_ context.Context, text string) error {
		if received() {
			return echo.Emit(c, text)
		}
		return nil
	})
	if err := c.Connect(ctx); err != nil {
		return c.Close, err
	}
	for range window {
		if err := echo.Emit(c, payload); err != nil {
			return c.Close, err
		}
	}
	return c.Close, nil
}
