package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/binlog"
)

// cursorType is the class name that must be the first member of a cursor in
// ZooKeeper: Java's reader needs it there to know what it reads.
const cursorType = "com.alibaba.otter.canal.protocol.position.LogPosition"

// slaveID is what Canal writes for the slave id of a cursor's identity.
const slaveID = -1

// maxSources bounds the sources of a cursor.
const maxSources = 64

// The JSON forms. Members are declared in alphabetical order, in which Java's
// fastjson writes them; it leaves out members that are null.
type (
	cursorJSON struct {
		Type     string        `json:"@type,omitempty"`
		Identity *identityJSON `json:"identity,omitempty"`
		Postion  *positionJSON `json:"postion,omitempty"` // sic
		Sources  []sourceJSON  `json:"sources,omitempty"` // not Canal's, which leaves out what it does not know
	}
	sourceJSON struct {
		Identity *identityJSON `json:"identity,omitempty"`
		Number   int           `json:"number"`
		Postion  *positionJSON `json:"postion,omitempty"`
		Whole    bool          `json:"whole,omitempty"`
	}
	identityJSON struct {
		SlaveID       int64        `json:"slaveId"`
		SourceAddress *addressJSON `json:"sourceAddress,omitempty"`
	}
	addressJSON struct {
		Address *string `json:"address"`
		Port    int     `json:"port"`
	}
	positionJSON struct {
		GTID        string `json:"gtid"`
		Included    bool   `json:"included"`
		JournalName string `json:"journalName,omitempty"`
		Position    *int64 `json:"position,omitempty"`
		ServerID    int64  `json:"serverId,omitempty"`
		Timestamp   int64  `json:"timestamp"`
	}
	fileJSON struct {
		ClientDatas []clientDataJSON `json:"clientDatas"`
		Destination string           `json:"destination"`
	}
	clientDataJSON struct {
		ClientIdentity *clientJSON `json:"clientIdentity,omitempty"`
		Cursor         *cursorJSON `json:"cursor,omitempty"`
	}
	clientJSON struct {
		ClientID    int16  `json:"clientId"`
		Destination string `json:"destination"`
		Filter      string `json:"filter"`
	}
)

// AppendCursor appends c in the form in which it is kept in ZooKeeper, which
// begins with the member @type.
func AppendCursor(dst []byte, c Cursor) []byte {
	j := c.toJSON()
	j.Type = cursorType
	return appendJSON(dst, j)
}

// ParseCursor reads a cursor as Java or AppendCursor wrote it, with or without
// @type. Members may be in any order; all but the position itself may be
// missing. It is an error when the bytes are anything else.
func ParseCursor(b []byte) (Cursor, error) {
	var j cursorJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Cursor{}, fmt.Errorf("parse cursor: %w", err)
	}
	if j.Type != "" && j.Type != cursorType {
		return Cursor{}, fmt.Errorf("parse cursor: @type is %q, not %s", j.Type, cursorType)
	}
	c, err := j.cursor()
	if err != nil {
		return Cursor{}, fmt.Errorf("parse cursor: %w", err)
	}
	return c, nil
}

func (c Cursor) toJSON() *cursorJSON {
	p := c.Position
	j := &cursorJSON{
		Identity: &identityJSON{SlaveID: slaveID},
		Postion: &positionJSON{
			GTID: p.GTIDSet, JournalName: p.File, ServerID: p.ServerID, Timestamp: p.Timestamp,
		},
	}
	if p.File != "" {
		j.Postion.Position = &p.Offset
	}
	if c.Host != "" || c.Port != 0 {
		a := &addressJSON{Port: c.Port}
		if c.Host != "" {
			a.Address = &c.Host
		}
		j.Identity.SourceAddress = a
	}
	if c.Sources != nil {
		for _, e := range c.Sources.List {
			of := e.Cursor.toJSON()
			j.Sources = append(j.Sources, sourceJSON{Identity: of.Identity, Number: e.Number, Postion: of.Postion, Whole: e.Cursor.Whole})
		}
	}
	return j
}

// cursor reads the JSON form. The member "included" is ignored: Java never
// stores true, and cannot start from such a cursor itself.
func (j *cursorJSON) cursor() (Cursor, error) {
	p := j.Postion
	if p == nil {
		return Cursor{}, errors.New(`member "postion" (so spelt) is missing`)
	}
	c := Cursor{Position: binlog.Position{
		File: p.JournalName, Timestamp: p.Timestamp, ServerID: p.ServerID, GTIDSet: p.GTID,
	}}
	if p.Position != nil {
		c.Position.Offset = *p.Position
	}
	if j.Identity != nil && j.Identity.SourceAddress != nil {
		a := j.Identity.SourceAddress
		c.Port = a.Port
		if a.Address != nil {
			c.Host = *a.Address
		}
	}
	if len(j.Sources) > maxSources {
		return Cursor{}, fmt.Errorf("%d sources", len(j.Sources))
	}
	for _, e := range j.Sources {
		of, err := (&cursorJSON{Identity: e.Identity, Postion: e.Postion}).cursor()
		if err != nil {
			return Cursor{}, fmt.Errorf("source %d: %w", e.Number, err)
		}
		of.Whole = e.Whole
		c.Sources = c.Sources.With(e.Number, of)
	}
	return c, nil
}

// appendRecords appends the content of a meta.dat.
func appendRecords(dst []byte, destination string, records []Record) []byte {
	f := fileJSON{Destination: destination, ClientDatas: make([]clientDataJSON, len(records))}
	for i, r := range records {
		d := &f.ClientDatas[i]
		d.ClientIdentity = &clientJSON{ClientID: r.Client.ID, Destination: r.Client.Destination, Filter: r.Client.Filter}
		if r.HasCursor {
			d.Cursor = r.Cursor.toJSON()
		}
	}
	return appendJSON(dst, f)
}

// parseRecords reads the content of a meta.dat. foreign is the number of
// clients that were left out because they belong to another destination, as
// Canal does.
func parseRecords(b []byte, destination string) (records []Record, foreign int, err error) {
	var f *fileJSON
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, 0, err
	}
	if f == nil {
		return nil, 0, errors.New("it is null, not an object")
	}
	for i, d := range f.ClientDatas {
		id := d.ClientIdentity
		if id == nil {
			return nil, 0, fmt.Errorf(`client %d has no "clientIdentity"`, i)
		}
		if id.Destination != destination {
			foreign++
			continue
		}
		r := Record{Client: Client{Destination: id.Destination, ID: id.ClientID, Filter: id.Filter}}
		if d.Cursor != nil {
			if r.Cursor, err = d.Cursor.cursor(); err != nil {
				return nil, 0, fmt.Errorf("cursor of client %d: %w", id.ClientID, err)
			}
			r.HasCursor = true
		}
		records = append(records, r)
	}
	if len(records) == 0 && foreign > 0 {
		return nil, foreign, fmt.Errorf("its clients belong to another destination (%q)", f.ClientDatas[0].ClientIdentity.Destination)
	}
	return records, foreign, nil
}

// appendJSON appends v without a newline, and without escaping what only HTML
// needs escaped: a filter full of & and < stays readable.
func appendJSON(dst []byte, v any) []byte {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("meta: " + err.Error()) // the types above have nothing that cannot be encoded
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
