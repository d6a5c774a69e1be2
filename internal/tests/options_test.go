package tests_test

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/socketio-go/socketio"
	"github.com/socketio-go/socketio/internal/siotest"
)

// Every numeric option has values that cannot work and the extremes that do. An
// option without a row fails the test.
func TestBadOptions(t *testing.T) {
	t.Parallel()
	const (
		bytes = math.MaxInt / 8
		count = math.MaxInt32 / 16
		beat  = math.MaxInt32 * time.Millisecond
	)
	type values []any
	rows := map[string]struct{ bad, good values }{
		"Transports":           {values{socketio.Transport(4), socketio.Transport(255), socketio.Polling | 8}, values{socketio.Polling, socketio.WebSocket, socketio.Polling | socketio.WebSocket}},
		"PingInterval":         {values{time.Duration(-1), time.Duration(math.MinInt64), time.Microsecond, beat, beat + 1, time.Duration(math.MaxInt64)}, values{time.Second, beat - time.Minute}},
		"PingTimeout":          {values{time.Duration(-1), time.Duration(math.MinInt64), time.Microsecond, beat, beat + 1, time.Duration(math.MaxInt64)}, values{time.Second, beat - time.Minute}},
		"UpgradeTimeout":       {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Duration(1), time.Duration(math.MaxInt64)}},
		"ConnectTimeout":       {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Minute, time.Duration(math.MaxInt64)}},
		"WriteTimeout":         {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Second, time.Duration(math.MaxInt64)}},
		"AckTimeout":           {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Duration(1), time.Duration(math.MaxInt64)}},
		"MaxPayload":           {values{int64(-1), int64(math.MinInt64), int64(15), int64(bytes/4 + 1), int64(math.MaxInt64/4 + 1), int64(math.MaxInt64)}, values{int64(16), int64(bytes / 4)}},
		"MaxEvent":             {values{int64(-1), int64(math.MinInt64), int64(15), int64(bytes + 1), int64(math.MaxInt64)}, values{int64(16), int64(bytes)}},
		"MaxAttachments":       {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
		"MaxNamespaces":        {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
		"MaxQueue":             {values{int64(-1), int64(math.MinInt64), int64(bytes + 1), int64(math.MaxInt64)}, values{int64(1), int64(bytes)}},
		"MaxReplies":           {values{int64(-1), int64(math.MinInt64), int64(bytes + 1), int64(math.MaxInt64)}, values{int64(1), int64(bytes)}},
		"ShutdownSpread":       {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Duration(1), time.Millisecond}},
		"MaxInbox":             {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
		"MaxHandshakes":        {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
		"CompressMinBytes":     {values{-1, math.MinInt}, values{1, math.MaxInt}},
		"Recovery.Window":      {values{time.Duration(-1), time.Duration(math.MinInt64)}, values{time.Duration(1), time.Duration(math.MaxInt64)}},
		"Recovery.MaxEvents":   {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
		"Recovery.MaxBytes":    {values{int64(-1), int64(math.MinInt64), int64(bytes + 1), int64(math.MaxInt64)}, values{int64(1), int64(bytes)}},
		"Recovery.MaxSessions": {values{-1, math.MinInt, count + 1, math.MaxInt}, values{1, count}},
	}
	set := func(recovery bool, field string, value any) *socketio.Options {
		o := &socketio.Options{Recovery: new(socketio.Recovery)}
		of := reflect.ValueOf(o).Elem()
		if recovery {
			of = reflect.ValueOf(o.Recovery).Elem()
		}
		of.FieldByName(field).Set(reflect.ValueOf(value))
		return o
	}
	seen := 0
	for prefix, typ := range map[string]reflect.Type{"": reflect.TypeFor[socketio.Options](), "Recovery.": reflect.TypeFor[socketio.Recovery]()} {
		for i := range typ.NumField() {
			field := typ.Field(i)
			switch field.Type.Kind() {
			case reflect.Bool, reflect.Func, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.String:
				continue
			}
			name := prefix + field.Name
			row, ok := rows[name]
			if !ok || len(row.bad) == 0 || len(row.good) == 0 {
				t.Errorf("Options.%s has no row", name)
				continue
			}
			seen++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, value := range row.bad {
					siotest.WantPanic(t, func() { socketio.NewServer(set(prefix != "", field.Name, value)) }, "socketio: Options.", field.Name)
				}
				for _, value := range row.good {
					t.Run(fmt.Sprint(value), func(t *testing.T) {
						t.Parallel()
						srv := siotest.Serve(t, set(prefix != "", field.Name, value))
						transport := siotest.WebSocket
						if value == socketio.Polling {
							transport = siotest.Polling
						}
						c := srv.Open(t, transport)
						c.Write("40")
						c.WantConnect("/")
						c.Write(`421["sync"]`)
						c.Want(`431[]`)
					})
				}
			})
		}
	}
	if seen != len(rows) {
		t.Errorf("%d rows for %d fields", len(rows), seen)
	}
	t.Run("a heartbeat that is too long together", func(t *testing.T) {
		t.Parallel()
		siotest.WantPanic(t, func() {
			socketio.NewServer(&socketio.Options{PingInterval: beat / 2, PingTimeout: beat/2 + time.Second})
		},
			"socketio: Options.PingInterval and PingTimeout are ")
	})
	for name, cookie := range map[string]*http.Cookie{
		"without a name":      {},
		"with a bad name":     {Name: "a b"},
		"with a bad domain":   {Name: "io", Domain: "-"},
		"with a bad path":     {Name: "io", Path: "/;"},
		"with a bad lifetime": {Name: "io", Expires: time.Unix(-1e12, 0)},
	} {
		t.Run("a cookie "+name, func(t *testing.T) {
			t.Parallel()
			siotest.WantPanic(t, func() { socketio.NewServer(&socketio.Options{Cookie: cookie}) }, "socketio: Options.Cookie cannot be sent: ")
		})
	}
}
