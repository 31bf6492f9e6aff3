// Package entry turns binlog events into the bytes of Canal's Entry messages.
//
// It is the one place that knows both sides. Row events go straight from their
// bytes to protobuf wire format: what is constant about a column is prepared
// once per table version (Plan), values are appended as text, and lengths that
// are not known beforehand are written with the width they had last time and
// moved when the guess was wrong. Nothing is allocated per row or per cell.
//
// All functions append one framed entry to a buffer: the tag of field 2 of
// Messages (0x12), the entry's length, the entry. So a run of entries in one
// buffer is ready to be written to a socket as it stands.
//
// The fields set, and their order, are those of Canal's LogEventConvert: every
// field that the Java builder was given is written, zero or not, because the
// Java class is generated with explicit presence.
package entry
