// Package mysql talks to a MySQL or MariaDB server the way a replica has to:
// it connects, asks for the settings that matter to a change stream, reads
// table definitions, and turns a connection into a raw binlog dump.
//
// Its central type is Conn. Handshake, authentication, TLS and text queries
// come from go-mysql's client; the dump does not: after the dump command a
// Conn only gives access to the socket, and package source cuts the bytes into
// events. Nothing here decides where to start or when to try again.
package mysql
