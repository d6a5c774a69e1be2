package sio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/socketio-go/socketio/internal/sio"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return `2["a",` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `]` }
	objects := func(n int) string {
		return `2["a",` + strings.Repeat(`{"b":`, n-1) + `1` + strings.Repeat("}", n-1) + `]`
	}
	args := func(n int) string { return `2["a"` + strings.Repeat(",1", n) + `]` }
	results := func(n int) string { return `30[1` + strings.Repeat(",1", n-1) + `]` }
	attachments := func(n int) string { return fmt.Sprintf(`5%d-["a"]`, n) }
	for _, test := range []struct {
		name string
		make func(n int) string
		lim  sio.Limits
		most int
		want error
	}{
		{"arrays by default", nested, sio.Limits{}, sio.DefaultDepth, sio.ErrDepth},
		{"arrays, fewer", nested, sio.Limits{Depth: 2}, 2, sio.ErrDepth},
		{"arrays, more", nested, sio.Limits{Depth: 100_000}, 100_000, sio.ErrDepth},
		{"objects by default", objects, sio.Limits{}, sio.DefaultDepth, sio.ErrDepth},
		{"arguments by default", args, sio.Limits{}, sio.DefaultArgs, sio.ErrArgs},
		{"arguments, fewer", args, sio.Limits{Args: 1}, 1, sio.ErrArgs},
		{"arguments, more", args, sio.Limits{Args: 100_000}, 100_000, sio.ErrArgs},
		{"results by default", results, sio.Limits{}, sio.DefaultArgs, sio.ErrArgs},
		{"attachments by default", attachments, sio.Limits{}, sio.DefaultAttachments, sio.ErrAttachments},
		{"attachments, fewer", attachments, sio.Limits{Attachments: 2}, 2, sio.ErrAttachments},
		{"attachments, more", attachments, sio.Limits{Attachments: 1234}, 1234, sio.ErrAttachments},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p sio.Packet
			if err := p.Decode([]byte(test.make(test.most)), test.lim); err != nil {
				t.Errorf("%d: %v", test.most, err)
			}
			if err := p.Decode([]byte(test.make(test.most+1)), test.lim); !errors.Is(err, test.want) {
				t.Errorf("%d: %v, want %v", test.most+1, err, test.want)
			}
		})
	}
}

func TestNegativeLimitsAllowNothing(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		`51-["a"]`: sio.ErrAttachments,
		`2["a"]`:   sio.ErrDepth,
	} {
		var p sio.Packet
		if err := p.Decode([]byte(in), sio.Limits{Attachments: -1, Depth: -1}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", in, err, want)
		}
	}
}

func TestAttachmentCountCannotOverflow(t *testing.T) {
	t.Parallel()
	var p sio.Packet
	err := p.Decode([]byte(`5`+strings.Repeat("9", 40)+`-["a"]`), sio.Limits{Attachments: int(^uint(0) >> 1)})
	if !errors.Is(err, sio.ErrAttachments) {
		t.Error(err)
	}
}
