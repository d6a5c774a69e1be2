package client

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/eioclient"
)

// engineConfig returns the settings of connections. What
// not every client needs is made when it is needed first.
func (c *Client) engineConfig() eioclient.Config {
	o := &c.opts
	poller := new(http.Client)
	if o.HTTPClient != nil {
		*poller = *o.HTTPClient
		poller.Timeout = 0
	}
	if poller.Jar == nil {
		poller.Jar, _ = cookiejar.New(nil) // never fails without options
	}
	transport := poller.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	base, ok := transport.(*http.Transport)
	if !ok { // it decides for itself how to connect
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	cfg := eioclient.Config{
		URL:            c.base,
		Upgrade:        !o.DisableUpgrade && o.Transports[0] == socketio.Polling,
		Jar:            poller.Jar,
		Dial:           base.DialContext,
		Proxy:          base.Proxy,
		Compression:    o.Compression,
		WriteTimeout:   o.WriteTimeout,
		UpgradeTimeout: o.UpgradeTimeout,
		MaxMessage:     o.MaxPayload,
		MaxQueue:       o.MaxQueue,
		V3:             o.EIO3,
		Now:            o.Now,
		Tasks:          &c.tasks,
	}
	switch {
	case o.Dial != nil:
		cfg.Dial = o.Dial
	case cfg.Dial == nil:
		cfg.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	cfg.TLS = sync.OnceValue(func() *tls.Config {
		config := o.TLS
		if config == nil {
			config = base.Clone().TLSClientConfig // reading it without Clone would be a race
		}
		if config != nil { // net/http adds HTTP/2 to its own, which has no WebSocket
			config = config.Clone()
			config.NextProtos = nil
		}
		return config
	})
	cfg.Poller = sync.OnceValue(func() *http.Client {
		if ok && (poller.Transport == nil || o.Dial != nil || o.TLS != nil) {
			own := base.Clone()
			if o.Dial != nil {
				own.DialContext = o.Dial
			}
			if o.TLS != nil {
				own.TLSClientConfig = o.TLS
			}
			poller.Transport = own
			c.own.Store(own)
		}
		return poller
	})
	for _, t := range o.Transports {
		if t == socketio.Polling {
			cfg.Transports = append(cfg.Transports, eioclient.Polling)
		} else {
			cfg.Transports = append(cfg.Transports, eioclient.WebSocket)
		}
	}
	return cfg
}

// closeIdle closes the connections of polling that are kept for later requests.
func (c *Client) closeIdle() {
	if own := c.own.Load(); own != nil {
		own.CloseIdleConnections()
	}
}
