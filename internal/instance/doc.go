// Package instance runs destinations: it puts source, pipeline, store, cursors
// and desk of one destination together (Instance), and keeps the instances of a
// server (Manager), which it starts, stops and reloads as their configuration
// files come, go and change.
//
// It knows nothing of sockets of clients: package server finds instances
// through Manager.Lookup.
//
// In Canal's words an Instance is CanalInstanceWithSpring with what its Spring
// file wires, and Manager is the part of CanalController and
// CanalServerWithEmbedded that decides what runs.
package instance
