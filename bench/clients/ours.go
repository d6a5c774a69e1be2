//go:build linux

package clients

import (
	"context"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/client"
)

func openOurs(ctx context.Context, addr string, window int, received func() bool) (closer, error) {
	c, err := client.New("http://"+addr, &client.Options{Transports: []socketio.Transport{socketio.WebSocket}})
	if err != nil {
		return nil, err
	}
	c.On("echo", func(text string) error {
		if received() {
			return c.Emit("echo", text)
		}
		return nil
	})
	if err := c.Connect(ctx); err != nil {
		return c.Close, err
	}
	for range window {
		if err := c.Emit("echo", payload); err != nil {
			return c.Close, err
		}
	}
	return c.Close, nil
}
