// Package inspect answers what is asked of a server beyond Canal's admin port: how
// it and its instances are doing, what they run with, which tables they know, and
// where their clients shall go on. It fills the JSON types of package control.
//
// Its central type is Inspector, whose Call takes a method and its parameters. A
// Recorder stands in front of the log's handler and remembers what went wrong.
//
// A server that nobody asks pays nothing for it: figures are gathered when they are
// asked for, and the end of a source's binlog is only followed while somebody has
// asked in the last half minute.
//
// The protocol on the wire, TLS and log files are not its business but that of
// package control, and neither is what Canal's own admin can do.
package inspect
