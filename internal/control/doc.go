// Package control is the admin port of a server, both ends of it: the protocol by
// which Canal Admin checks, starts and stops servers and instances and reads
// their logs (Canal's AdminProtocol.proto, default port 11110), and what a
// Towpath server tells beyond that.
//
// A Server answers with Canal's texts and codes, so that Canal Admin can steer
// it; what is asked is done by a Backend, except for log files, which it reads
// itself. A Client speaks to servers of both kinds. Beyond Canal's requests there
// is one more, a Request in JSON; a Client finds out whether a server knows it.
//
// Canal's server goes on to serve a client whose password it has refused. This
// one closes the connection. Its answers hold no stack traces.
package control
