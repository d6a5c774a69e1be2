package prometheus

import (
	"fmt"
	"sync"

	"github.com/socketio-go/socketio"
)

// The bounds of labels. Later values are counted as [Other].
const (
	MaxNamespaces = 50
	MaxEvents     = 200 // of each direction
)

// Other is the label of namespaces and events that have no label of their own.
const Other = "_other"

// Options configures a [Collector] or [Histograms].
type Options struct {
	// Template returns the label of a template, for the label "namespace" of its
	// children. Nil or "" means "_template1" for the first template, and so on.
	Template func(template *socketio.Namespace) string
	// Buckets are the buckets of classic histograms, in seconds. Nil means 1 ms to 30 s.
	// A native histogram is always kept beside it.
	Buckets []float64
}

// A labelSet gives labels to values, up to a limit.
type labelSet struct {
	max int

	mu    sync.Mutex // guards the following
	known map[string]struct{}
}

func newLabelSet(limit int) *labelSet {
	return &labelSet{max: limit, known: make(map[string]struct{})}
}

// label returns value, or Other if there are too many.
func (l *labelSet) label(value string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known[value]; ok {
		return value
	}
	if len(l.known) >= l.max {
		return Other
	}
	l.known[value] = struct{}{}
	return value
}

// namespaceLabels gives labels to namespaces.
type namespaceLabels struct {
	template func(*socketio.Namespace) string
	set      *labelSet

	mu        sync.Mutex // guards the following
	templates map[*socketio.Namespace]string
}

func newNamespaceLabels(opts *Options) *namespaceLabels {
	n := &namespaceLabels{template: opts.Template, set: newLabelSet(MaxNamespaces), templates: make(map[*socketio.Namespace]string)}
	n.set.label("/")
	return n
}

// of returns the label of a namespace. A template and its children have one.
func (l *namespaceLabels) of(n *socketio.Namespace) string {
	if n.Template() != nil {
		n = n.Template()
	}
	if n.Name() != "" {
		return l.set.label(n.Name())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	label, ok := l.templates[n]
	if !ok {
		if l.template != nil {
			label = l.template(n)
		}
		if label == "" {
			label = fmt.Sprintf("_template%d", len(l.templates)+1)
		}
		l.templates[n] = label
	}
	return l.set.label(label)
}
