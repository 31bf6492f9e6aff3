package zktree

import (
	"fmt"
	"strconv"
	"strings"
)

// The roots.
const (
	CanalRoot    = "/otter/canal"
	Servers      = CanalRoot + "/cluster"
	Destinations = CanalRoot + "/destinations"

	TowpathRoot         = "/towpath"
	TowpathServers      = TowpathRoot + "/servers"
	TowpathDestinations = TowpathRoot + "/destinations"
	Moves               = TowpathRoot + "/moves"
	Drains              = TowpathRoot + "/drain"
	Rebalance           = TowpathRoot + "/rebalance"
)

// Server is the node of a server; address is ip:port.
func Server(address string) string { return Servers + "/" + address }

// Destination is the node under which everything of a destination is.
func Destination(d string) string { return Destinations + "/" + d }

// Competitors is the parent of the servers that compete for a destination.
func Competitors(d string) string { return Destination(d) + "/cluster" }

// Competitor is the node of one server that competes for a destination.
func Competitor(d, address string) string { return Competitors(d) + "/" + address }

// Running is the node of the server that runs a destination.
func Running(d string) string { return Destination(d) + "/running" }

// Parse is the node in which Canal's ZooKeeper log position manager, which its
// shipped configuration does not use, keeps where the source is.
func Parse(d string) string { return Destination(d) + "/parse" }

// Client is the node of a subscription.
func Client(d string, id int16) string {
	return Destination(d) + "/" + strconv.Itoa(int(id))
}

// Cursor is the node of how far a client has confirmed.
func Cursor(d string, id int16) string { return Client(d, id) + "/cursor" }

// Filter is the node of the filter a client subscribed with.
func Filter(d string, id int16) string { return Client(d, id) + "/filter" }

// RunningClient is the node of the process that consumes as a client.
func RunningClient(d string, id int16) string { return Client(d, id) + "/running" }

// Marks is the parent of a client's outstanding batches.
func Marks(d string, id int16) string { return Client(d, id) + "/mark" }

// Mark is the node of one outstanding batch.
func Mark(d string, id int16, batch int64) string {
	return fmt.Sprintf("%s/%010d", Marks(d, id), batch)
}

// ParseClientID tells whether the name of a child of a destination is that of a
// subscription, and whose: Canal takes names that are all digits and reads them
// as a 16 bit number, on which larger ones fail.
func ParseClientID(name string) (id int16, ok bool) {
	if name == "" || strings.Trim(name, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(name, 10, 16)
	return int16(n), err == nil
}

// ClientIDs picks the subscriptions out of the children of a destination.
func ClientIDs(children []string) []int16 {
	var ids []int16
	for _, c := range children {
		if id, ok := ParseClientID(c); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// TowpathServer is the node by which Towpath servers know one another.
func TowpathServer(address string) string { return TowpathServers + "/" + address }

// TowpathDestination is the node of what the owner of a destination tells of it,
// and the parent of its lease.
func TowpathDestination(d string) string { return TowpathDestinations + "/" + d }

// leasePrefix begins the name of a lease.
const leasePrefix = "lease-"

// Lease is the node that exists for as long as one ownership of a destination
// lasts. The id must be unique for all times.
func Lease(d, id string) string { return TowpathDestination(d) + "/" + leasePrefix + id }

// IsLease tells whether a child of TowpathDestination is a lease.
func IsLease(name string) bool { return strings.HasPrefix(name, leasePrefix) }

// Move is the order to move a destination.
func Move(d string) string { return Moves + "/" + d }

// Status is the node in which the owner of a destination tells how far it has read.
func Status(d string) string { return TowpathDestination(d) + "/status" }

// History is the node of the history of a destination's tables. What is in it and
// under it is told in internal/history/zkstore.
func History(d string) string { return TowpathDestination(d) + "/history" }

// Drain is the order that a server shall own nothing.
func Drain(address string) string { return Drains + "/" + address }

// CheckDestination says why a destination cannot be a node, or be told apart
// from Canal's other nodes.
func CheckDestination(d string) error {
	switch {
	case d == "":
		return fmt.Errorf("destination: the name is empty")
	case d == "." || d == ".." || strings.ContainsAny(d, "/\x00"):
		return fmt.Errorf("destination %q: not the name of a node", d)
	}
	return nil
}
