package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/socketio-go/socketio"
)

// The auction's protocol, declared once.
const (
	Watch socketio.Call[string, Lot] = "watch"
	Place socketio.Call[Bid, Lot]    = "bid"
	Lots  socketio.Event[[]Lot]      = "lots"
	Rose  socketio.Event[Lot]        = "rose"
	Won   socketio.Event[Lot]        = "won"
)

type (
	// An Item is something that is auctioned again and again.
	Item struct {
		ID    string        `json:"id"`
		Title string        `json:"title"`
		About string        `json:"about"`
		Start int           `json:"start"` // the least first bid
		Step  int           `json:"step"`  // the least raise
		For   time.Duration `json:"-"`     // how long it is open
	}

	// A Lot is the state of an item's auction.
	Lot struct {
		Item
		Price   int    `json:"price"`  // 0 before the first bid
		Bidder  string `json:"bidder"` // who bid it
		Minimum int    `json:"minimum"`
		Closed  bool   `json:"closed"`
		Seconds int    `json:"seconds"` // until it closes, or opens again
	}

	// A Bid offers an amount for a lot.
	Bid struct {
		Lot    string `json:"lot"`
		Amount int    `json:"amount"`
	}
)

const (
	softClose = 10 * time.Second // a bid keeps its lot open for this long at least
	pause     = 15 * time.Second // between two auctions of an item
	highest   = 1_000_000        // the most anybody can bid
)

var catalogue = []Item{
	{"globe", "Globe", "On a brass stand, with the borders of 1911", 80, 10, 90 * time.Second},
	{"gopher", "Plush gopher", "One previous owner, who wrote compilers", 20, 5, 60 * time.Second},
	{"radio", "Valve radio", "Receives long wave and, at night, Luxembourg", 50, 5, 120 * time.Second},
}

// An auctioneer knows the lots and takes the bids. What is told to people is
// emitted under the lock, so that they hear of bids in the order they were
// taken; Emit only queues.
type auctioneer struct {
	ns  *socketio.Namespace
	now func() time.Time

	mu   sync.Mutex // guards the following
	lots []*lot
}

type lot struct {
	Lot
	turn   time.Time // when it closes, or opens again
	leader string    // socket of the bidder

	room  socketio.Room    // who watches it
	clock socketio.Emitter // to the room; a second that comes late is of no use
}

// openAuction registers the auction and opens all lots. Its handlers are typed:
// the compiler checks them against the declarations above.
func openAuction(ns *socketio.Namespace, items []Item, now func() time.Time) *auctioneer {
	a := &auctioneer{ns: ns, now: now}
	for _, item := range items {
		room := ns.Room("lot:" + item.ID)
		l := &lot{room: room, clock: room.Broadcast().Volatile()}
		l.open(item, now())
		a.lots = append(a.lots, l)
	}

	ns.Use(a.admit)
	ns.OnConnect(func(s *socketio.Socket) {
		a.mu.Lock()
		defer a.mu.Unlock()
		Lots.Emit(s, a.list(a.now()))
	})
	Watch.On(ns, a.watch)
	Place.On(ns, a.bid)
	return a
}

// admit lets in who has a name and has accepted the terms. The data of the
// refusal tells the page which of the two is missing.
func (a *auctioneer) admit(_ context.Context, s *socketio.Socket) error {
	c, err := admit(s)
	if err != nil {
		return err
	}
	if !c.Terms {
		return &socketio.Error{Message: "please accept the terms of the auction", Data: json.RawMessage(`{"missing":"terms"}`)}
	}
	return nil
}

// watch puts s into the room of one lot, out of those of all others.
func (a *auctioneer) watch(_ context.Context, s *socketio.Socket, id string) (Lot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wanted, err := a.find(id)
	if err != nil {
		return Lot{}, err
	}
	for _, l := range a.lots {
		l.room.Leave(s)
	}
	return wanted.at(a.now()), wanted.room.Join(s)
}

// bid takes a bid or says why not.
func (a *auctioneer) bid(_ context.Context, s *socketio.Socket, b Bid) (Lot, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, err := a.find(b.Lot)
	if err != nil {
		return Lot{}, err
	}
	name, _ := Name.Get(s)
	now := a.now()
	switch {
	case l.Closed || !now.Before(l.turn):
		return Lot{}, socketio.Errorf("this lot is closed")
	case l.Bidder == name:
		return Lot{}, socketio.Errorf("yours is the highest bid already")
	case b.Amount < l.Minimum:
		return Lot{}, &socketio.Error{
			Message: fmt.Sprintf("the next bid is %d or more", l.Minimum),
			Data:    fmt.Appendf(nil, `{"minimum":%d}`, l.Minimum),
		}
	case b.Amount > highest:
		return Lot{}, socketio.Errorf("nobody has more than %d", highest)
	}
	l.Price, l.Bidder, l.leader = b.Amount, name, s.ID()
	l.Minimum = l.Price + l.Step
	if l.turn.Sub(now) < softClose {
		l.turn = now.Add(softClose)
	}
	state := l.at(now)
	return state, Rose.Emit(l.room, state)
}

// run moves the clock on until ctx ends.
func (a *auctioneer) run(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
			a.tick(a.now())
		}
	}
}

// tick opens and closes what is due and tells those who watch the time.
func (a *auctioneer) tick(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	turned := false
	for _, l := range a.lots {
		switch {
		case now.Before(l.turn):
			l.clock.Emit("clock", l.ID, l.at(now).Seconds)
			continue
		case l.Closed:
			l.open(l.Item, now)
		default:
			l.Closed, l.turn = true, now.Add(pause)
			if l.leader != "" {
				Won.Emit(a.ns.To(l.leader), l.at(now))
			}
		}
		turned = true
	}
	if turned {
		Lots.Emit(a.ns, a.list(now))
	}
}

func (a *auctioneer) find(id string) (*lot, error) {
	for _, l := range a.lots {
		if l.ID == id {
			return l, nil
		}
	}
	return nil, socketio.Errorf("there is no such lot")
}

func (a *auctioneer) list(now time.Time) []Lot {
	list := make([]Lot, len(a.lots))
	for i, l := range a.lots {
		list[i] = l.at(now)
	}
	return list
}

func (l *lot) open(item Item, now time.Time) {
	l.Lot = Lot{Item: item, Minimum: item.Start}
	l.leader = ""
	l.turn = now.Add(item.For)
}

// at returns the state as it is now, with the seconds that are left.
func (l *lot) at(now time.Time) Lot {
	state := l.Lot
	state.Seconds = int((l.turn.Sub(now) + time.Second - 1) / time.Second)
	return state
}
