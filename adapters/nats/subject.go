package nats

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// all is the last token of the subject that every server of a namespace listens
// to. No seat has that name.
const broadcastSub = "all"

// logged is the last token of the subject of what is kept. No seat has that name
// either.
const logSub = "log"

// subject is where the servers of a namespace, or one of them, listen.
func subject(prefix, namespace, recipient string) string {
	return prefix + "." + token(namespace) + "." + recipient
}

// maxToken bounds the tokens that are legible. Subjects have a bound in NATS,
// the names of namespaces have none.
const maxToken = 128

// token writes the name of a namespace as one token of a subject: what is not a
// letter, a digit, or one of "/", "-" and "_" becomes "=" and two hexadecimal
// digits for each byte; a long name becomes "==" and its SHA-256.
func token(namespace string) string {
	const hex = "0123456789abcdef"
	var t strings.Builder
	for i := range len(namespace) {
		c := namespace[i]
		if plain(c) || c == '/' {
			t.WriteByte(c)
		} else {
			t.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
		if t.Len() > maxToken {
			sum := sha256.Sum256([]byte(namespace))
			return "==" + base64.RawURLEncoding.EncodeToString(sum[:])
		}
	}
	return t.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// validSubject reports whether s can begin a subject.
func validSubject(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r == '*' || r == '>' || r == 0x7f }) {
			return false
		}
	}
	return true
}

// maxName bounds the name of a seat or of an emitter, in bytes.
const maxName = 64

// validName reports whether a sender may have that name: it becomes part of
// subjects.
func validName[S ~string | ~[]byte](name S) bool {
	if len(name) == 0 || len(name) > maxName || string(name) == broadcastSub || string(name) == logSub {
		return false
	}
	for i := range len(name) {
		if !plain(name[i]) {
			return false
		}
	}
	return true
}
