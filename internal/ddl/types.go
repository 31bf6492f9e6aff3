package ddl

// Name is the full name of a table, as the server knows it. Schema is empty
// when a statement names none and the session had none.
type Name struct{ Schema, Table string }

func (n Name) String() string { return n.Schema + "." + n.Table }

// Column is the definition of a column.
type Column struct {
	Name       string
	Type       DataType
	NotNull    bool // NOT NULL, or what brings it: PRIMARY KEY or AUTO_INCREMENT at the column, SERIAL
	Null       bool // NULL is written out
	Primary    bool // PRIMARY KEY at the column
	Unique     bool // UNIQUE at the column, or SERIAL
	Foreign    bool // REFERENCES at the column, on a server that heeds it
	Generated  bool // computed from other columns
	Invisible  bool
	Compressed bool // MariaDB's COMPRESSED
	counts     bool // AUTO_INCREMENT
}

// Key is a key of a table.
type Key struct {
	Kind        KeyKind
	Name        string   // "" when the server chooses it
	Columns     []string // with those that expressions mention
	Expressions int      // parts that are expressions (functional key parts)
	Hash        bool     // USING HASH
	Foreign     bool     // brought by a foreign key: it gives way to a key that begins with its columns
	IfNotExists bool     // MariaDB: left out when there is one of this name
}

// Period is a period of MariaDB's application-time tables. Its columns are NOT
// NULL whatever they say, and keys may name it in their place.
type Period struct {
	Name       string // "" when there is none
	Start, End string
}

// KeyKind tells keys apart.
type KeyKind int

// Kinds of keys. OtherKey is an index that is not unique.
const (
	OtherKey KeyKind = iota
	PrimaryKey
	UniqueKey
)

// CreateTable is a table definition.
type CreateTable struct {
	Name        Name
	Columns     []Column
	Keys        []Key // in the order written, with those at columns and of foreign keys
	Period      Period
	Charset     string // default character set of the table, lower case; "" when not named
	IfNotExists bool
	OrReplace   bool
	Temporary   bool
	Like        *Name // CREATE TABLE … LIKE
	Select      bool  // CREATE TABLE … SELECT: there may be more columns than named
	Sequence    bool  // a sequence of MariaDB
	Versioned   bool  // MariaDB: WITH SYSTEM VERSIONING, at a column or for the table, without columns for the period
}

// ChangeKind says what a Change does.
type ChangeKind int

// Kinds of changes.
const (
	Create       ChangeKind = iota + 1 // Table.Create holds the definition
	Drop                               // the table is gone
	Rename                             // the table is called To
	Alter                              // Items, in the order written
	DropSchema                         // the schema Table.Schema and its tables are gone
	CreateSchema                       // the schema Table.Schema is new or altered, with the default character set Charset
	Unknown                            // the table is changed in a way that could not be read
)

// Change is what one statement, or a part of it, does to one table.
type Change struct {
	Kind    ChangeKind
	Table   Name
	To      Name         // Rename
	Create  *CreateTable // Create
	Items   []Item       // Alter
	Charset string       // CreateSchema

	IfNotExists bool // CreateSchema: not if there is one already
}

// ItemKind says what an Item does.
type ItemKind int

// Kinds of items of ALTER TABLE that change columns, keys or the name.
const (
	AddColumn      ItemKind = iota + 1 // Column at First, After or the end; its keys are items of their own, as those of ChangeColumn
	DropColumn                         // Name
	ChangeColumn                       // Name becomes Column, in place or at First or After
	RenameColumn                       // Name is called Column.Name
	AddKey                             // Key
	DropKey                            // Name; "PRIMARY" is the primary key
	RenameKey                          // Name is called Key.Name
	ConvertCharset                     // all columns and the default take Charset, "" when it is that of the schema
	SetCharset                         // the default for new columns is Charset, "" when it is that of the schema
	RenameTable                        // To
	AddPeriod                          // Period
	DropPeriod                         // the period is gone, its columns stay
	AddVersioning                      // MariaDB: ADD SYSTEM VERSIONING without columns for the period
	DropVersioning                     // MariaDB: DROP SYSTEM VERSIONING
)

// Item is one part of an ALTER TABLE.
type Item struct {
	Kind      ItemKind
	Name      string
	Column    Column
	First     bool
	After     string
	Key       Key
	Period    Period
	Charset   string
	To        Name
	Condition bool // IF EXISTS or IF NOT EXISTS: not an error if there is nothing to do
}
