package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is what a scan sees of one sub-folder of canal.conf.dir.
type Folder struct {
	HasFile bool      // it holds an instance.properties
	ModTime time.Time // of that file
}

// ScanState is what a scanner remembers: the registered destinations, each with
// the modification time of its file, zero while that is not known. A destination
// whose start failed stays registered, so that it is tried again only when its
// file changes.
type ScanState map[string]time.Time

// NewScanState registers the destinations that were started before the first
// scan.
func NewScanState(destinations []string) ScanState {
	s := ScanState{}
	for _, d := range destinations {
		s[d] = time.Time{}
	}
	return s
}

// ScanOp is what to do with a destination.
type ScanOp int

// The operations. Reload is a stop and a start.
const (
	ScanStart ScanOp = iota
	ScanStop
	ScanReload
)

// String names the operation as Canal's log does.
func (o ScanOp) String() string { return [...]string{"start", "stop", "reload"}[o] }

// ScanAction is one thing that a scan decided.
type ScanAction struct {
	Op          ScanOp
	Destination string
}

// Scan compares what was remembered with what is there now, as Canal's
// SpringInstanceConfigMonitor does: a new folder with a file starts, a file or
// folder that is gone stops, and a file whose time changed, older times
// included, reloads. So a listed destination without a folder is stopped by the
// first scan. It changes neither argument; actions are sorted by destination,
// stops first.
//
// When a stop fails, put the destination back with its old time; the next scan
// decides to stop it again.
func Scan(prev ScanState, folders map[string]Folder) (ScanState, []ScanAction) {
	next := ScanState{}
	var stops, others []ScanAction
	for _, d := range slices.Sorted(maps.Keys(prev)) {
		f := folders[d]
		if !f.HasFile {
			stops = append(stops, ScanAction{ScanStop, d})
			continue
		}
		next[d] = f.ModTime
		if known := prev[d]; !known.IsZero() && !known.Equal(f.ModTime) {
			others = append(others, ScanAction{ScanReload, d})
		}
	}
	for _, d := range slices.Sorted(maps.Keys(folders)) {
		if _, registered := prev[d]; !registered && folders[d].HasFile {
			next[d] = folders[d].ModTime
			others = append(others, ScanAction{ScanStart, d})
		}
	}
	return next, append(stops, others...)
}

// ReadFolders lists the sub-folders of root for Scan, leaving out "spring" in
// any case. A root that does not exist yields ok false: nothing must be stopped
// on that account. An error means that the listing is not complete and must not
// be used either.
func ReadFolders(root string) (folders map[string]Folder, ok bool, err error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	folders = map[string]Folder{}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		info, err := os.Stat(dir) // follows links, as Java does
		if err != nil || !info.IsDir() || strings.EqualFold(e.Name(), "spring") {
			continue
		}
		f, err := readFolder(dir)
		if err != nil {
			return nil, false, err
		}
		folders[e.Name()] = f
	}
	return folders, true, nil
}

func readFolder(dir string) (Folder, error) {
	file := findInstanceFile(dir)
	if file == "" {
		return Folder{}, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Folder{}, nil
	}
	if err != nil {
		return Folder{}, err
	}
	return Folder{HasFile: true, ModTime: info.ModTime()}, nil
}
