package engine

// LookupQuery returns the first value of a query parameter.
func LookupQuery(query, key string) (string, bool) { return lookupQuery(query, key) }
