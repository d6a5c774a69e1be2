package socketio

import (
	"fmt"
	"slices"
)

// A template is what a namespace made by OfMatch keeps: the predicate, and the
// children that exist because of it.
type template struct {
	match    func(name string) bool
	children map[string]*Namespace // guarded by the server's mu
}

// OfMatch returns the template of all namespaces whose name satisfies match
// and that Of has not created before. A child is created when its first client
// connects and dropped with its last; what is registered on the template holds
// for every child, and what is emitted to it reaches the sockets of all
// children. Of with a name that matches returns a child too, which stays.
//
//	io.OfMatch(regexp.MustCompile(`^/org-\d+$`).MatchString)
//
// match may be called concurrently and should be quick. The templates are
// asked in the order of their creation.
//
// OfMatch panics if Of has created a namespace before whose name satisfies match:
// the template's middleware and handlers would not hold for it. Call OfMatch
// first, or have match leave that name out. The namespace "/" is no child of any
// template.
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

// templateOf returns the template that wants a namespace of that name, or nil, and
// how many templates there were.
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

// acquire returns the namespace that a client asks for, which release gives
// back, or nil.
func (srv *Server) acquire(name []byte) *Namespace {
	srv.mu.RLock()
	n := srv.namespaces[string(name)]
	srv.mu.RUnlock()
	if n != nil && n.parent == nil {
		return n // the ordinary case: it stays for ever
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

// retain keeps a namespace that acquire has returned for one user more.
func (srv *Server) retain(n *Namespace) {
	if n.parent == nil {
		return
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	n.refs++
}

// release gives back what acquire has returned. The last one drops a child.
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

// addChild makes a namespace of a template. The caller holds mu.
func (srv *Server) addChild(parent *Namespace, name string) *Namespace {
	n := newNamespace(srv, name, parent)
	srv.namespaces[name] = n
	parent.template.children[name] = n
	srv.join(n)
	return n
}

// expand returns the namespaces that n stands for: itself, or the children of
// a template.
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
