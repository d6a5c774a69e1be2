package contract

import (
	"go/ast"
	"go/token"
	"strings"
)

// Directives are comments that begin with //socketio:, of
//
//	//socketio:from client|server|both   which side sends an event
//	//socketio:namespace /name           the namespace of an event; it may be repeated
//	//socketio:answers                   the result of an untyped handler is awaited
//	//socketio:ignore                    an event that is no part of the contract
//	//socketio:ts TYPE                   the TypeScript type of a declaration or field
//	//socketio:schema JSON               its JSON Schema, with //socketio:ts
//	//socketio:name NAME                 the name of a type in TypeScript
//
// in the comment of an event, of its group, of a type or of a field. The first two also
// stand in the comment of the package, for all its events.
var directiveWords = map[string]bool{
	"from": true, "namespace": true, "answers": true, "ignore": true, "ts": true, "schema": true, "name": true,
}

// A directive is one such comment.
type directive struct {
	word, arg string
	pos       token.Pos
}

type directives []directive

// directivesOf returns those of comments.
func (l *loader) directivesOf(groups ...*ast.CommentGroup) (list directives) {
	for _, g := range groups {
		if g == nil {
			continue
		}
		for _, c := range g.List {
			text, ok := strings.CutPrefix(c.Text, "//socketio:")
			if !ok {
				continue
			}
			word, arg, _ := strings.Cut(text, " ")
			arg = strings.TrimSpace(arg)
			switch {
			case !directiveWords[word]:
				l.problem(c.Pos(), "the directives are from, namespace, answers, ignore, ts, schema and name", "unknown directive //socketio:%s", word)
				continue
			case word == "from" && arg != "client" && arg != "server" && arg != "both":
				l.problem(c.Pos(), "write client, server or both", "//socketio:from %s", arg)
				continue
			case word == "namespace" && !strings.HasPrefix(arg, "/"):
				l.problem(c.Pos(), "the name of a namespace begins with a slash", "//socketio:namespace %s", arg)
				continue
			case (word == "ts" || word == "schema" || word == "name") && arg == "":
				l.problem(c.Pos(), "it needs an argument", "//socketio:%s", word)
				continue
			}
			list = append(list, directive{word, arg, c.Pos()})
		}
	}
	return list
}

// get returns the first directive of a kind.
func (ds directives) get(word string) (arg string, ok bool) {
	for _, d := range ds {
		if d.word == word {
			return d.arg, true
		}
	}
	return "", false
}

// all returns the arguments of all directives of a kind.
func (ds directives) all(word string) (args []string) {
	for _, d := range ds {
		if d.word == word {
			args = append(args, d.arg)
		}
	}
	return args
}

// of returns the directives of a kind.
func (ds directives) of(words ...string) (list directives) {
	for _, d := range ds {
		for _, w := range words {
			if d.word == w {
				list = append(list, d)
			}
		}
	}
	return list
}

// docOf returns the text of the first comment that has one, without directives.
func docOf(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.TrimSpace(g.Text()); text != "" {
			return text
		}
	}
	return ""
}

// comments are those of a file: by the line of the code that they belong to.
type comments struct {
	above, beside map[int]*ast.CommentGroup
}

func commentsOf(fset *token.FileSet, f *ast.File) comments {
	c := comments{make(map[int]*ast.CommentGroup), make(map[int]*ast.CommentGroup)}
	for _, g := range f.Comments {
		c.above[fset.Position(g.End()).Line+1] = g
		c.beside[fset.Position(g.Pos()).Line] = g
	}
	return c
}
