package nats

// An assembler makes entries of the messages of the log: whole, and each once.
type assembler struct {
	numbers map[string]uint64 // of the last entry, by sender
	parts   map[string]*assembly
	size    int64 // bytes in parts
}

// An assembled is an entry of the log.
type assembled struct {
	head
	whole bool // it is a complete event or gap, and not a repeated one
}

func (u *assembled) event() bool { return u.whole && u.kind != kindGap }

// assemble takes the next message. It returns how many entries of its sender are missing
// before it.
func (u *assembler) assemble(data []byte, limit int64) (what assembled, missing int, err error) {
	if what.head, err = decodeHead(data); err != nil {
		return assembled{}, 0, err
	}
	if what.kind == kindPart {
		whole, err := u.addPart(what.head, limit)
		if err != nil || whole == nil {
			return assembled{}, 0, err
		}
		sender := what.sender
		if what.head, err = decodeHead(whole); err != nil {
			return assembled{}, 0, err
		}
		if string(what.sender) != string(sender) {
			return assembled{}, 0, errSender
		}
	}
	switch {
	case what.kind != wireBroadcast && what.kind != kindGap:
		return assembled{}, 0, errKind
	case what.number == 0:
		return assembled{}, 0, errFormat
	}
	sender := string(what.sender)
	last, known := u.numbers[sender]
	if what.number <= last {
		return what, 0, nil
	}
	if !known && (u.numbers == nil || len(u.numbers) >= maxNumbers) {
		u.numbers = make(map[string]uint64)
	}
	u.numbers[sender] = what.number
	what.whole = true
	if known {
		missing = int(min(what.number-last-1, 1<<31-1))
	}
	return what, missing, nil
}

// addPart adds a part. It returns nil until the last part.
func (u *assembler) addPart(h head, limit int64) ([]byte, error) {
	sender := string(h.sender)
	as := u.parts[sender]
	if as == nil || h.number == 0 {
		u.drop(sender)
		if u.parts == nil {
			u.parts = make(map[string]*assembly)
		}
		as = new(assembly)
		u.parts[sender] = as
	}
	last := h.flags&flagLast != 0
	u.size += int64(len(h.rest))
	as.data = append(as.data, h.rest...)
	if as.next != h.number || u.size > limit || len(u.parts) > maxAssemblies {
		u.drop(sender)
		if !last {
			return nil, nil // the last part will show it
		}
		return nil, errParts
	}
	as.next++
	if !last {
		return nil, nil
	}
	u.drop(sender)
	return as.data, nil
}

func (u *assembler) drop(sender string) {
	if as := u.parts[sender]; as != nil {
		u.size -= int64(len(as.data))
		delete(u.parts, sender)
	}
}
