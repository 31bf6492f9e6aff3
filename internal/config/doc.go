// Package config reads the configuration of a Canal install and turns it into
// typed, checked values: Server for the process, Instance for one destination.
//
// A home directory is laid out as Canal lays it out: conf/canal.properties,
// conf/<destination>/instance.properties, logs/. Canal looks values up in two
// different ways, and both are kept:
//
//   - launcher keys (Canal's CanalController and PropertiesUtils): -D, then an
//     environment variable of exactly the same dotted name, then the main file;
//     no ${...} is expanded, and an empty environment variable hides the file;
//   - instance keys (Canal's PropertyPlaceholderConfigurer): -D, environment,
//     instance.properties, conf/canal.properties, default. Blank counts as
//     absent at each step except that a blank line in instance.properties hides
//     the line in canal.properties. ${key:default} is expanded, recursively.
//
// Every key that Canal knows is in the catalogue (Keys), with what it does here
// or why it does nothing. Report compares the files with the catalogue.
//
// The package does not watch files (Scan decides what a change means; the
// caller reads the directory when it likes), and it opens no connection.
package config
