// Package web holds the built web pages of the admin. Their sources are the other
// files of this folder; `npm run build` makes dist of them, which is committed so
// that building the program needs no Node.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the web pages: index.html, in which the server replaces __CSP_NONCE__,
// and below assets the files that it names. Names in assets change with their
// contents, so these may be kept by browsers for ever.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // cannot be: the name is constant and valid
	}
	return files
}
