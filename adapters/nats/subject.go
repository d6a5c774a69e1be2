package nats

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// broadcastSub is the last token of the subject that every server of a namespace is
// subscribed to. No member has that name.
const broadcastSub = "all"

// logSub is the last token of the subject of the log. No member has that name.
const logSub = "log"

// subject returns the subject that all servers of a namespace, or one of them, are
// subscribed to.
func subject(prefix, namespace, recipient string) string {
	return prefix + "." + token(namespace) + "." + recipient
}

// maxToken bounds tokens that consist of the escaped name. The names of namespaces are
// not bounded.
const maxToken = 128

// token returns the token for a namespace. What is not a letter, a digit, "/", "-" or
// "_" becomes "=" and two hexadecimal digits for each byte. A long name becomes "==" and
// its SHA-256.
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

// maxName bounds the name of a member or of an external sender, in bytes.
const maxName = 64

// validName reports whether a sender may have that name, which is part of subjects.
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
