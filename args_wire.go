package socketio

// ArgsFromWire returns arguments as they came: raw are the JSON of each, bin the
// attachments that placeholders in them name by number. It is for codecs, clients
// and tests of them. It keeps both, which must not be modified after.
func ArgsFromWire(raw, bin [][]byte) Args { return Args{raw, bin} }
