package meta

import "path/filepath"

// ReadFile returns what a File that is opened in dir would begin with, and
// writes nothing: a server may be running on it. The errors are those of
// OpenFile; notice is FileOptions.Notice.
func ReadFile(dir, destination string, notice func(text string)) ([]Record, error) {
	f := &File{o: FileOptions{Destination: destination, Dir: dir, Notice: notice}, path: filepath.Join(dir, FileName)}
	return f.load()
}
