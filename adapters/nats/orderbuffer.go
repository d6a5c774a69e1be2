package nats

import "time"

// holdLimit bounds how long a message waits for the log. The entry that it waits for may
// be lost.
const holdLimit = 2 * time.Second

// reorderLimit bounds how long the log waits for a message outside of it, which may be
// lost.
const reorderLimit = time.Second

// An orderBuffer keeps the order of a sender's messages on two ways: a message waits for
// the log entries that were appended before it, and an entry waits for the messages that
// were sent before it. Its methods are called with the inbox's mu held.
type orderBuffer struct {
	logs     bool              // the member reads the log
	position int64             // the log has been read up to it
	numbers  map[string]uint64 // of the last entry that was read, by sender
	sent     map[string]uint64 // of the last message outside the log that was queued, by sender
	held     map[string][]heldMessage
	timer    *time.Timer // runs while messages are held
}

type heldMessage struct {
	head
	since time.Time
}

// hold holds h, whose bytes are counted, if it has to wait.
func (o *orderBuffer) hold(in *inbox, h head) bool {
	sender := string(h.sender)
	waiting := o.held[sender]
	if !o.logs || len(waiting) == 0 && !o.isEarly(h) {
		return false
	}
	if o.held == nil {
		o.held = make(map[string][]heldMessage)
	}
	o.held[sender] = append(waiting, heldMessage{h, time.Now()})
	if o.timer == nil {
		o.timer = time.AfterFunc(holdLimit, in.expire)
	}
	return true
}

func (o *orderBuffer) isEarly(h head) bool {
	b := h.barrier
	return b.position > o.position || b.number > 0 && b.number > o.numbers[string(h.sender)]
}

// maxNumbers bounds the number of senders in the maps.
const maxNumbers = 10000

// read notes an entry that was read and queued.
func (o *orderBuffer) read(in *inbox, d delivery) {
	o.position = max(o.position, d.position)
	if len(d.sender) > 0 && d.number > 0 {
		if o.numbers == nil || len(o.numbers) >= maxNumbers {
			o.numbers = make(map[string]uint64)
		}
		o.numbers[string(d.sender)] = max(o.numbers[string(d.sender)], d.number)
	}
	o.releaseHeld(in, time.Time{})
}

// releaseHeld queues messages that need not wait any more, and those that have waited
// since before.
func (o *orderBuffer) releaseHeld(in *inbox, before time.Time) {
	for sender, list := range o.held {
		n := 0
		for n < len(list) && (!o.isEarly(list[n].head) || !list[n].since.After(before)) {
			in.add(delivery{head: list[n].head})
			o.release(in, list[n].head)
			n++
		}
		if n == len(list) {
			delete(o.held, sender)
		} else {
			o.held[sender] = list[n:]
		}
	}
}

// learn adds a sender.
func (o *orderBuffer) learn(h head) {
	if !o.logs {
		return
	}
	if o.sent == nil || len(o.sent) >= maxNumbers {
		o.sent = make(map[string]uint64)
	}
	o.sent[string(h.sender)] = max(o.sent[string(h.sender)], h.number)
}

// release notes that a message and all before it are not awaited any more.
func (o *orderBuffer) release(in *inbox, h head) {
	if last, ok := o.sent[string(h.sender)]; ok && h.number > last {
		o.sent[string(h.sender)] = h.number
		in.wake()
	}
}

// isAhead reports whether an entry of the log was sent after a message that has not
// arrived yet. It can't be known of senders that have not announced themselves.
func (o *orderBuffer) isAhead(d delivery) bool {
	last, ok := o.sent[string(d.sender)]
	return ok && d.barrier.number > last
}

// expire queues the messages that have waited too long.
func (in *inbox) expire() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return
	}
	in.order.releaseHeld(in, time.Now().Add(-holdLimit))
	in.order.timer = nil
	if len(in.order.held) > 0 {
		in.order.timer = time.AfterFunc(holdLimit/8, in.expire)
	}
}

func (o *orderBuffer) end() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	o.held = nil
}
