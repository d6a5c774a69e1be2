//go:build linux

package suite

import (
	"time"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// A Case is a scenario with its configuration, to be run on some servers.
type Case struct {
	Name     string
	Scenario string
	Config   loadgen.Config
	Servers  []string // nil means all
	Unpinned bool     // server and generator share all CPUs
	Once     bool     // not in every repetition
	Measured role     // of the servers of a cluster; empty if the server is alone
}

// A role is what a server does in a cluster. Only one server is measured at a
// time: it has a CPU to itself, and Redis, the others and the generator share the
// other one.
type role string

const (
	publishes role = "publishes" // is emitted to
	delivers  role = "delivers"  // has the members of the room
	bystands  role = "bystands"  // has no member
)

// The names of cases that tables and plots refer to.
const (
	echoW1        = "echo-w1"
	echoW16       = "echo-w16"
	echoRate      = "echo-rate4k"
	ackW1         = "ack-w1"
	ackW16        = "ack-w16"
	binaryCase    = "binary"
	broadcast     = "broadcast"
	broadcast1    = "broadcast-w1"
	broadcast1All = "broadcast-w1-all"
	polling       = "polling"
	idle          = "idle"
	slow          = "slow"
	roomsCase     = "rooms"

	clusterPublish   = "cluster-publish"
	clusterPublish1  = "cluster-publish-w1"
	clusterDeliver   = "cluster-deliver"
	clusterUnwanted  = "cluster-unwanted"
	clusterUnwanted1 = "cluster-unwanted-w1"
)

// clusterCases are those of several servers on one Redis.
var clusterCases = []Case{
	{Name: clusterPublish, Measured: publishes, Config: loadgen.Config{Connections: 1, Window: 64, PerEvent: true}},
	{Name: clusterPublish1, Measured: publishes, Config: loadgen.Config{Connections: 1, Window: 1, PerEvent: true}},
	{Name: clusterDeliver, Measured: delivers},
	{Name: clusterUnwanted, Measured: bystands, Config: loadgen.Config{Connections: 1, Window: 64, PerEvent: true}},
	{Name: clusterUnwanted1, Measured: bystands, Config: loadgen.Config{Connections: 1, Window: 1, PerEvent: true}},
}

// basic are the cases of the main table.
var basic = []Case{
	{Name: echoW1, Scenario: "echo", Config: loadgen.Config{Window: 1}},
	{Name: echoW16, Scenario: "echo", Config: loadgen.Config{Window: 16}},
	{Name: ackW1, Scenario: "ack", Config: loadgen.Config{Window: 1}},
	{Name: ackW16, Scenario: "ack", Config: loadgen.Config{Window: 16}},
	{Name: binaryCase, Scenario: "binary"},
	{Name: broadcast, Scenario: "broadcast"},
	{Name: broadcast1, Scenario: "broadcast", Config: loadgen.Config{Window: 1}},
	{Name: broadcast1All, Scenario: "broadcast", Config: loadgen.Config{Window: 1, Everybody: true}},
	{Name: polling, Scenario: "polling"},
	{Name: echoRate, Scenario: "echo", Config: loadgen.Config{Rate: 4000}},
	{Name: idle, Scenario: "idle"},
}

// The sizes that scaling is measured at.
var (
	connectionCounts = []int{100, 1000, 3000, 9000}
	roomSizes        = []int{10, 100, 1000, 9000}
	membershipSizes  = []int{10, 9000}
)

// Cases returns all cases of the suite.
func Cases() []Case {
	cases := append([]Case(nil), basic...)
	for _, c := range basic {
		if c.Scenario != "idle" && c.Config.Rate == 0 {
			c.Name += unpinnedSuffix
			c.Unpinned, c.Once = true, true
			cases = append(cases, c)
		}
	}
	for _, n := range connectionCounts {
		cases = append(cases, Case{Name: sized(scaleConnections, n), Scenario: "echo", Config: loadgen.Config{Connections: n, WarmUp: 2 * time.Second}})
	}
	for _, n := range roomSizes {
		cases = append(cases, Case{Name: sized(scaleRoom, n), Scenario: "broadcast", Config: loadgen.Config{Connections: n}})
	}
	for _, n := range membershipSizes {
		cases = append(cases, Case{Name: sized(scaleMembership, n), Scenario: "membership", Config: loadgen.Config{Connections: n}})
	}
	for _, c := range clusterCases {
		c.Scenario, c.Servers = "cluster", []string{Ours, Node}
		cases = append(cases, c)
	}
	return append(cases,
		Case{Name: roomsCase, Scenario: "rooms", Servers: []string{Ours, Node}, Once: true},
		Case{Name: slow, Scenario: "slow", Unpinned: true, Once: true},
	)
}

const unpinnedSuffix = " unpinned"

// A series is a scenario that is run at several sizes.
type series string

const (
	scaleConnections series = "connections"
	scaleRoom        series = "room"
	scaleMembership  series = "membership"
)

func sized(s series, n int) string { return string(s) + "-" + itoa(n) }
