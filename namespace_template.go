package socketio

import (
	"fmt"
	"iter"
	"slices"
)

// A template is the state of a namespace that OfMatch returned.
type template struct {
	match    func(name string) bool
	children map[string]*Namespace // guarded by the server's mu
}

// OfMatch returns a template for all namespaces whose name satisfies match. The server
// creates a child namespace when its first client connects, and drops it when its last
// client has left. Handlers and middleware of the template apply to every child, and an
// event emitted to the template reaches the sockets of all children. Of with a
// matching name also returns a child, which is never dropped.
//
//	io.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
//
// match is called concurrently and should be quick. If several templates match a name,
// the one that was created first is used.
//
// OfMatch panics if match is nil, or if Of has already created a namespace whose name
// satisfies match: the template's middleware would not apply to it. Call OfMatch before
// Of, or exclude that name in match. The namespace "/" is never a child.
func (srv *Server) OfMatch(match func(name string) bool) *Namespace {
	checkNotNil("OfMatch", match == nil)
	n := newNamespace(srv, "", nil)
	n.template = &template{match: match, children: make(map[string]*Namespace)}
	srv.mu.Lock()
	srv.templates = append(slices.Clip(srv.templates), n)
	var existing []string
	for name, other := range srv.namespaces {
		if other.parent == nil && name != "/" {
			existing = append(existing, name)
		}
	}
	srv.mu.Unlock()
	for _, name := range existing {
		if n.matches(name) {
			srv.mu.Lock()
			srv.templates = slices.DeleteFunc(slices.Clone(srv.templates), func(t *Namespace) bool { return t == n })
			srv.mu.Unlock()
			panic(fmt.Sprintf("socketio: OfMatch: the namespace %q exists already, without the template's middleware: call OfMatch before Of(%q), or have match leave it out", name, name))
		}
	}
	return n
}

// Templates iterates over the templates that exist at the call, in the order in which
// OfMatch made them. No lock is held, so the body may block.
func (srv *Server) Templates() iter.Seq[*Namespace] {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return slices.Values(srv.templates) // the array is not modified
}

// templateOf returns the first template that matches a name, or nil, and the number of
// templates that exist.
func (srv *Server) templateOf(name string) (template *Namespace, among int) {
	srv.mu.RLock()
	templates := srv.templates
	srv.mu.RUnlock()
	for _, t := range templates {
		if t.matches(name) {
			return t, len(templates)
		}
	}
	return nil, len(templates)
}

func (n *Namespace) matches(name string) (ok bool) {
	n.srv.isolate(nil, "", func() { ok = n.template.match(name) })
	return ok
}

// acquire returns the namespace that a client connects to, and counts a reference to
// it, which release drops. It returns nil if there is no such namespace.
func (srv *Server) acquire(name []byte) *Namespace {
	srv.mu.RLock()
	n := srv.namespaces[string(name)]
	srv.mu.RUnlock()
	if n != nil && n.parent == nil {
		return n // not a child: it is never dropped
	}
	if len(name) > maxNamespaceName || len(name) == 0 || name[0] != '/' {
		return nil
	}
	parent, _ := srv.templateOf(string(name))
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if n = srv.namespaces[string(name)]; n == nil {
		if parent == nil {
			return nil
		}
		n = srv.addChild(parent, string(name))
	}
	n.refs++
	return n
}

// retain counts another reference to a namespace, which release drops.
func (srv *Server) retain(n *Namespace) {
	if n.parent == nil {
		return
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	n.refs++
}

// release drops a reference. A child without references is removed.
func (srv *Server) release(n *Namespace) {
	if n.parent == nil {
		return
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if n.refs--; n.refs == 0 && !n.pinned {
		delete(srv.namespaces, n.name)
		delete(n.parent.template.children, n.name)
		if n.cluster != nil {
			for len(srv.leaving) > 0 && isClosed(srv.leaving[0]) {
				srv.leaving = srv.leaving[1:]
			}
			srv.leaving = append(srv.leaving, n.cluster.leave())
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// addChild creates a child of a template. The caller holds mu.
func (srv *Server) addChild(parent *Namespace, name string) *Namespace {
	n := newNamespace(srv, name, parent)
	srv.namespaces[name] = n
	parent.template.children[name] = n
	srv.join(n)
	return n
}

// expand returns n itself, or the children if n is a template.
func (n *Namespace) expand() []*Namespace {
	if n.template == nil {
		return []*Namespace{n}
	}
	n.srv.mu.RLock()
	defer n.srv.mu.RUnlock()
	list := make([]*Namespace, 0, len(n.template.children))
	for _, child := range n.template.children {
		list = append(list, child)
	}
	return list
}
