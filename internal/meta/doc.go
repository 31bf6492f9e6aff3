// Package meta remembers who subscribed to a destination and how far each
// client has confirmed: Canal's meta managers.
//
// Manager is the central interface; Memory, File and ZooKeeper are its forms.
// Cursor and its JSON forms (AppendCursor, ParseCursor) are shared by all of them
// and are Canal's, so that a Java server can take over from this one and the
// other way round.
//
// Outstanding batches are not kept here: every form in the configurations that
// Canal ships keeps them in memory only, and package delivery needs them under
// the same lock as the store.
package meta
