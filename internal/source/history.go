package source

import "github.com/towpath-cdc/towpath/internal/binlog"

// history is a GTID set of either flavour. It is not changed.
type history struct {
	mysql *binlog.GTIDSet
	maria *binlog.MariaGTIDSet
}

// parseHistory reads a set as a server of the flavour writes it.
func parseHistory(flavor binlog.Flavor, text string) (*history, error) {
	h := &history{}
	var err error
	if flavor == binlog.FlavorMariaDB {
		h.maria, err = binlog.ParseMariaGTIDSet(text)
	} else {
		h.mysql, err = binlog.ParseGTIDSet(text)
	}
	return h, err
}

// contains tells whether all of o is in h, which is of the same flavour.
func (h *history) contains(o *history) bool {
	if h.maria != nil {
		return h.maria.ContainsSet(o.maria)
	}
	return h.mysql.ContainsSet(o.mysql)
}

// String is the text of the set.
func (h *history) String() string {
	if h.maria != nil {
		return h.maria.String()
	}
	return h.mysql.String()
}

// lacks tells whether a transaction is not in the set. The nil history is all.
func (h *history) lacks(g binlog.GTID) bool {
	return h != nil && h.mysql != nil && !h.mysql.Contains(g)
}

func (h *history) lacksMaria(g binlog.MariaGTID) bool {
	return h != nil && h.maria != nil && !h.maria.Contains(g)
}
