package zktree

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ServerRunning is what is in the node of the server that runs a destination.
// Members are in alphabetical order, as fastjson writes them.
type ServerRunning struct {
	Active  bool   `json:"active"`  // false asks the owner to give the destination up
	Address string `json:"address"` // ip:port for clients
}

// ParseServerRunning reads the node of a running server. A missing active is
// true, as in Canal's ServerRunningData; unknown members are ignored.
func ParseServerRunning(b []byte) (ServerRunning, error) {
	r := ServerRunning{Active: true}
	if err := parse(b, &r); err != nil {
		return ServerRunning{}, fmt.Errorf("parse running server: %w", err)
	}
	return r, nil
}

// Append appends r in Canal's form.
func (r ServerRunning) Append(dst []byte) []byte { return appendJSON(dst, r) }

// ClientRunning is what is in the node of the process that consumes as a client.
type ClientRunning struct {
	Active   bool   `json:"active"`            // false asks the process to give way
	Address  string `json:"address,omitempty"` // ip, then ip:port once it is connected
	ClientID int16  `json:"clientId"`
}

// ParseClientRunning reads the node of a consuming client; a missing active is true.
func ParseClientRunning(b []byte) (ClientRunning, error) {
	r := ClientRunning{Active: true}
	if err := parse(b, &r); err != nil {
		return ClientRunning{}, fmt.Errorf("parse running client: %w", err)
	}
	return r, nil
}

// Append appends r in Canal's form.
func (r ClientRunning) Append(dst []byte) []byte { return appendJSON(dst, r) }

func parse(b []byte, v any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return fmt.Errorf("no data")
	}
	return json.Unmarshal(b, v)
}

// appendJSON appends v without the escaping for HTML that fastjson does not do.
func appendJSON(dst []byte, v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return dst // the types above always encode
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
