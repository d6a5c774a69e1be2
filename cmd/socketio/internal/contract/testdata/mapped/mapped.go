// Package mapped has a type for each row of the table in docs/typescript.md.
//
//socketio:from both
package mapped

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"time"

	"github.com/socketio-go/socketio"
)

// Each event is sent in both directions.
const (
	// Basics are booleans, strings and numbers.
	BasicsEvent   socketio.Event[Basics]                = "basics"
	TagsEvent     socketio.Event[Tags]                  = "tags"
	NullsEvent    socketio.Event[Nulls]                 = "nulls"
	BinaryEvent   socketio.Event[Binaries]              = "binary"
	TimesEvent    socketio.Event[Times]                 = "times"
	RawEvent      socketio.Event[Raw]                   = "raw"
	EmbeddedEvent socketio.Event[Embedded]              = "embedded"
	TreeEvent     socketio.Event[Tree]                  = "tree"
	ListEvent     socketio.Event[Page[Item]]            = "page"
	PairEvent     socketio.Event[Pair[string, *Item]]   = "pair"
	EnumsEvent    socketio.Event[Enums]                 = "enums"
	MapsEvent     socketio.Event[Maps]                  = "maps"
	ArraysEvent   socketio.Event[Arrays]                = "arrays"
	TextsEvent    socketio.Event[Texts]                 = "texts"
	CustomEvent   socketio.Event[Customs]               = "custom"
	InlineEvent   socketio.Event[struct{ A, b, C int }] = "inline"
	EmptyEvent    socketio.Event[struct{}]              = "empty"
	StringEvent   socketio.Event[string]                = "string"
	NamesEvent    socketio.Event[Names]                 = "names"
	PointerEvent  socketio.Event[*Item]                 = "pointer"
	AnyEvent      socketio.Event[any]                   = "any"
	BytesEvent    socketio.Event[[]byte]                = "bytes"
	MoveEvent     socketio.Event[Move]                  = "move"
	NothingEvent  socketio.Event[Nothing]               = "nothing"
	ArgsEvent     socketio.Event[socketio.Args]         = "args"
	OddEvent      socketio.Event[Odd]                   = "an odd name/é" // a name that is no identifier

	// Lookup is answered with one value.
	LookupCall socketio.Call[string, Item] = "lookup"
	// Split is answered with several values.
	SplitCall socketio.Call[Move, Halves]                 = "split"
	NoneCall  socketio.Call[Nothing, Nothing]             = "none"
	ManyCall  socketio.Call[socketio.Args, socketio.Args] = "many"
)

// Basics are those of Go.
type Basics struct {
	Bool    bool
	String  string
	Int     int
	Int8    int8
	Int16   int16
	Int32   int32
	Int64   int64
	Uint    uint
	Uint8   uint8
	Uint16  uint16
	Uint32  uint32
	Uint64  uint64
	Float32 float32
	Float64 float64
	hidden  int
}

// Tags are what json tags can say.
type Tags struct {
	Renamed  string `json:"renamed"`
	Dash     string `json:"-,"`
	Skipped  string `json:"-"`
	Quoted   string `json:"needs quotes"`
	Function func() `json:"-"`

	EmptyString string         `json:"emptyString,omitempty"`
	EmptyInt    int            `json:"emptyInt,omitempty"`
	EmptyBool   bool           `json:",omitempty"`
	EmptyList   []string       `json:"emptyList,omitempty"`
	EmptyMap    map[string]int `json:"emptyMap,omitempty"`
	EmptyPtr    *Item          `json:"emptyPtr,omitempty"`
	EmptyAny    any            `json:"emptyAny,omitempty"`
	EmptyBytes  []byte         `json:"emptyBytes,omitempty"`
	// omitempty never leaves out a struct.
	EmptyStruct Item      `json:"emptyStruct,omitempty"`
	EmptyArray  [2]int    `json:"emptyArray,omitempty"`
	EmptyTime   time.Time `json:"emptyTime,omitempty"`

	ZeroStruct Item      `json:"zeroStruct,omitzero"`
	ZeroTime   time.Time `json:"zeroTime,omitzero"`
	ZeroPtr    *Item     `json:"zeroPtr,omitzero"`
	ZeroList   []int     `json:"zeroList,omitzero"`
	ZeroEmpty  []int     `json:"zeroEmpty,omitzero,omitempty"`

	IntText    int64    `json:"intText,string"`
	PtrText    *uint64  `json:"ptrText,string"`
	FloatText  float64  `json:"floatText,string"`
	BoolText   bool     `json:"boolText,string"`
	StringText string   `json:"stringText,string"`
	EnumText   Level    `json:"enumText,string"`
	ListText   []string `json:"listText,string"` // the option has no effect
	OptionText int      `json:"optionText,omitempty,string"`
}

// Nulls are what may be nil.
type Nulls struct {
	Pointer *string             `json:"pointer"`
	Twice   **int               `json:"twice"`
	Slice   []Item              `json:"slice"`
	Inner   [][]int             `json:"inner"`
	Map     map[string]*Item    `json:"map"`
	Lists   map[string][]string `json:"lists"`
	Named   Names               `json:"named"`
	Of      []*Item             `json:"of"`
}

// Names is a slice with a name.
type Names []string

// Binaries are attachments.
type Binaries struct {
	Bytes    []byte            `json:"bytes"`
	Optional []byte            `json:"optional,omitempty"`
	Named    Photo             `json:"named"`
	List     [][]byte          `json:"list"`
	Map      map[string][]byte `json:"map"`
	Pointer  *[]byte           `json:"pointer"`
	Digest   [4]byte           `json:"digest"` // an array of bytes is an array of numbers
	Octets   []Octet           `json:"octets"`
}

// A Photo is binary, too.
type Photo []byte

// An Octet is a byte with a name.
type Octet byte

// Times are those of package time.
type Times struct {
	Time     time.Time     `json:"time"`
	Pointer  *time.Time    `json:"pointer"`
	Duration time.Duration `json:"duration"`
	Month    time.Month    `json:"month"`
}

// Raw is anything.
type Raw struct {
	Any     any             `json:"any"`
	Message json.RawMessage `json:"message"`
	Number  json.Number     `json:"number"`
	List    []any           `json:"list"`
	Map     map[string]any  `json:"map"`
}

// A Base is embedded.
type Base struct {
	ID    string `json:"id"`
	Shown string `json:"shown"`
	Same  int
}

// An Other is embedded, too: Same is in both, so in neither.
type Other struct {
	Same  int
	Extra int `json:"extra"`
}

type unexported struct {
	Promoted bool `json:"promoted"`
}

// A Pointed is embedded by pointer, so its fields may be missing.
type Pointed struct {
	Maybe string `json:"maybe"`
}

// A Tagged has a name, so it is a property.
type Tagged struct {
	Inner int `json:"inner"`
}

// Embedded has the fields of others.
type Embedded struct {
	Base
	Other
	unexported
	*Pointed
	Tagged `json:"tagged"`
	Names
	Shown int `json:"shown"` // hides that of Base
}

// A Tree is recursive.
type Tree struct {
	Value    int              `json:"value"`
	Left     *Tree            `json:"left,omitempty"`
	Children []Tree           `json:"children"`
	ByName   map[string]*Tree `json:"byName,omitempty"`
}

// An Item is a small struct.
type Item struct {
	ID    string  `json:"id"`
	Price float64 `json:"price"` // in euros
}

// A Page is generic.
type Page[T any] struct {
	Items []T      `json:"items"`
	Next  *Page[T] `json:"next,omitempty"`
}

// A Pair has two parameters.
type Pair[K comparable, V any] struct {
	Key   K `json:"key"`
	Value V `json:"value"`
}

// A Color is one of its constants.
type Color string

// The colors.
const (
	Red   Color = "red"
	Green Color = "green"
	Blue  Color = `"blue"`
)

// A Level is a number.
type Level int

const (
	Low Level = iota + 1
	High
	highest       = High // an untyped use of a value that is there
	top     Level = 10
)

// A Ratio is a fraction.
type Ratio float64

// The ratios.
const (
	Half  Ratio = 0.5
	Whole Ratio = 1
)

// A UserID has no constants.
type UserID string

// Enums are types with constants.
type Enums struct {
	Color  Color   `json:"color"`
	Level  Level   `json:"level"`
	Ratio  Ratio   `json:"ratio"`
	User   UserID  `json:"user"`
	Colors []Color `json:"colors"`
	Maybe  *Color  `json:"maybe"`
}

// Maps are objects.
type Maps struct {
	Strings map[string]int            `json:"strings"`
	Ints    map[int]string            `json:"ints"`
	Colors  map[Color]int             `json:"colors"`
	Users   map[UserID]bool           `json:"users"`
	Text    map[netip.Addr]string     `json:"text"`
	Nested  map[string]map[string]int `json:"nested"`
}

// Arrays have a fixed length.
type Arrays struct {
	Three [3]int     `json:"three"`
	Many  [20]string `json:"many"`
	None  [0]int     `json:"none"`
	Grid  [2][2]bool `json:"grid"`
}

// Texts encode themselves as text.
type Texts struct {
	Addr    netip.Addr  `json:"addr"`
	Pointer *netip.Addr `json:"pointer"`
	Version Version     `json:"version"`
}

// A Version encodes itself as text.
type Version struct{ Major, Minor int }

// MarshalText returns "1.2".
func (v Version) MarshalText() ([]byte, error) { return json.Marshal([]int{v.Major, v.Minor}) }

// UnmarshalText is its inverse.
func (v *Version) UnmarshalText(text []byte) error {
	var list [2]int
	err := json.Unmarshal(text, &list)
	v.Major, v.Minor = list[0], list[1]
	return err
}

// Customs say what they are.
type Customs struct {
	Money Money `json:"money"`
	// Flags are a combination of bits.
	//
	//socketio:ts number
	//socketio:schema {"type":"integer"}
	Flags Level    `json:"flags"`
	Big   *big.Int `json:"big"` //socketio:ts number | null
}

// Money encodes itself.
//
//socketio:ts { cents: number }
//socketio:schema {"type":"object","properties":{"cents":{"type":"integer"}},"required":["cents"]}
type Money int

// MarshalJSON returns an object.
func (m Money) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]int{"cents": int(m)}) }

// UnmarshalJSON is its inverse.
func (m *Money) UnmarshalJSON(text []byte) error {
	var v struct{ Cents int }
	err := json.Unmarshal(text, &v)
	*m = Money(v.Cents)
	return err
}

// A Move is several arguments.
type Move struct {
	socketio.Positional
	X, Y   int
	By     *Item
	UserID UserID
	New    []byte // a word that TypeScript reserves
}

// Halves are several answers.
type Halves struct {
	socketio.Positional
	First, Second Item
}

// Nothing is no argument.
type Nothing struct{ socketio.Positional }

// Odd has comments like */ and names that are no identifiers.
//
// It has two paragraphs.
//
//socketio:name Strange
type Odd struct {
	A int `json:"a-b"`
	B int `json:"/* c */"` // ends */ early
}
