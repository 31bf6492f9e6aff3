package zk

import "fmt"

// AnyVersion as a version matches every version of a node.
const AnyVersion int32 = -1

// Mode is how long a created node lasts and what is appended to its name. The
// numbers are those of ZooKeeper's CreateMode.
type Mode int32

// The modes. A sequential node has a number of ten digits, unique under its
// parent, appended to its name.
const (
	Persistent           Mode = 0
	Ephemeral            Mode = 1 // gone with the session
	PersistentSequential Mode = 2
	EphemeralSequential  Mode = 3
)

func (m Mode) sequential() bool { return m == PersistentSequential || m == EphemeralSequential }

// ACL is who may do what with created nodes.
type ACL int

const (
	// OpenACL lets everybody do everything, as Canal does.
	OpenACL ACL = iota
	// CreatorACL lets those do everything who give the credentials that are in
	// Config.Auth, and nobody else anything.
	CreatorACL
)

// allPermissions are read, write, create, delete and admin of ZooDefs.Perms.
const allPermissions = 31

func (a ACL) append(b []byte) []byte {
	b = appendInt(b, 1)
	b = appendInt(b, allPermissions)
	if a == CreatorACL {
		return appendText(appendText(b, "auth"), "")
	}
	return appendText(appendText(b, "world"), "anyone")
}

// Op is one operation of a Multi.
type Op struct {
	kind    int32
	path    string
	data    []byte
	version int32
	mode    Mode
}

// CreateOp creates a node; see Session.Create.
func CreateOp(path string, data []byte, m Mode) Op {
	return Op{kind: kindCreate, path: path, data: data, mode: m}
}

// SetOp sets the data of a node that has the version.
func SetOp(path string, data []byte, version int32) Op {
	return Op{kind: kindSet, path: path, data: data, version: version}
}

// DeleteOp deletes a node that has the version.
func DeleteOp(path string, version int32) Op {
	return Op{kind: kindDelete, path: path, version: version}
}

// CheckOp changes nothing, but makes the Multi fail unless the node exists and has
// the version.
func CheckOp(path string, version int32) Op {
	return Op{kind: kindCheck, path: path, version: version}
}

// String is the operation and its path.
func (o Op) String() string { return kindNames[o.kind] + " " + o.path }

var kindNames = map[int32]string{
	kindCreate:   "create",
	kindDelete:   "delete",
	kindExists:   "exists",
	kindGet:      "get",
	kindSet:      "set",
	kindSync:     "sync",
	kindChildren: "children",
	kindCheck:    "check",
	kindMulti:    "multi",
	kindClose:    "close",
}

// check says why the path is not one for the operation.
func (o Op) check() error {
	path := o.path
	if o.kind == kindCreate && o.mode.sequential() {
		path += "0" // the number may be the whole name
	}
	if err := checkPath(path); err != nil {
		return fmt.Errorf("%s: %w", kindNames[o.kind], err)
	}
	return nil
}

// append writes the record of the operation, which is the same in a request of its
// own and in a multi.
func (o Op) append(b []byte, c *Config) []byte {
	b = appendText(b, c.full(o.path))
	switch o.kind {
	case kindCreate:
		b = c.ACL.append(appendBytes(b, o.data))
		return appendInt(b, int32(o.mode))
	case kindSet:
		b = appendBytes(b, o.data)
	}
	return appendInt(b, o.version)
}

// Result is what one operation of a Multi did.
type Result struct {
	Path string // of the created node, with its number if sequential
	Stat Stat   // of the node whose data was set
}

// appendMulti writes the body of a multi: each operation after a header, and a
// header that says that it was all.
func appendMulti(b []byte, ops []Op, c *Config) []byte {
	for _, o := range ops {
		b = appendMultiHeader(b, o.kind, false)
		b = o.append(b, c)
	}
	return appendMultiHeader(b, -1, true)
}

func appendMultiHeader(b []byte, kind int32, done bool) []byte {
	return appendInt(appendBool(appendInt(b, kind), done), -1)
}

// multi reads the MultiResponse to ops. Its error is that of the operation that
// failed; what is wrong with the response itself is in d.err.
func (d *decoder) multi(ops []Op, c *Config) ([]Result, error) {
	results := make([]Result, len(ops))
	var undone bool
	var failed error
	for i := range ops {
		kind, done := d.int(), d.bool()
		d.int() // the code, which is in the result too
		if d.err == nil && done {
			d.err = fmt.Errorf("%w: %d results of %d operations", errMalformed, i, len(ops))
		}
		r, code := d.result(kind, c)
		if d.err != nil {
			return nil, nil
		}
		// Those before the one that failed are reported with code 0, those after it
		// as inconsistent (DataTree.processTxn).
		if failed == nil && code != codeOK {
			failed = &MultiError{i, fmt.Errorf("%s: %w", ops[i], codeError(code))}
		}
		undone = undone || kind == kindMultiFailed
		results[i] = r
	}
	d.int()
	if !d.bool() && d.err == nil || undone && failed == nil {
		d.err = fmt.Errorf("%w: results of a multi do not fit together", errMalformed)
	}
	switch {
	case d.err != nil:
		return nil, nil
	case failed != nil:
		return nil, failed
	}
	return results, nil
}

// result reads the result of one operation.
func (d *decoder) result(kind int32, c *Config) (r Result, code int32) {
	switch kind {
	case kindCreate:
		r.Path = c.strip(d.text())
	case kindCreate2:
		r.Path, r.Stat = c.strip(d.text()), d.stat()
	case kindSet:
		r.Stat = d.stat()
	case kindDelete, kindCheck:
	case kindMultiFailed:
		code = d.int()
	default:
		d.err = fmt.Errorf("%w: result of unknown kind %d", errMalformed, kind)
	}
	return r, code
}
