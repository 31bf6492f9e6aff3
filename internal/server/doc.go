// Package server speaks Canal's TCP protocol to clients: it authenticates them
// and turns their packets into calls on the instance they name.
//
// [Server] accepts connections; each is a session with one goroutine that reads a
// request, answers it and reads the next, so replies come in the order of the
// requests. While a GET waits for data a second goroutine watches the connection,
// so that a client that went away does not take a batch with it.
//
// What an instance does with a request is not decided here (see package
// delivery), nor which instances run (see [Registry]).
package server
