// Package lint checks, as an ordinary test, what no compiler does: which
// package may import which, and that what the documents say of the tree is
// true: tests, functions, files, modules.
//
// There is nothing here but tests.
package lint
