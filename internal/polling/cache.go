package polling

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Texts are what an admin said, all of it in force.
type Texts struct {
	Server    Text            `json:"server"`
	Instances map[string]Text `json:"instances"` // by destination
}

// Contents are the texts of the instances without what else is known of them.
func (t Texts) Contents() map[string]string {
	contents := make(map[string]string, len(t.Instances))
	for d, text := range t.Instances {
		contents[d] = text.Content
	}
	return contents
}

// Cache keeps Texts in a file, which only its owner can read: there are passwords in
// it. It is written anew as a whole, under another name first, so that a crash leaves
// the old one or the new one.
type Cache struct {
	File  string
	Admin string // canal.admin.manager as it is written
	Node  string // ip:port by which the admin knows the server
}

// ErrNoCache means that there is no cache of this server and its admin.
var ErrNoCache = errors.New("nothing is remembered of what this admin said to this server")

// A cache is one line, cacheMagic and the SHA-256 of the rest in hex, and then JSON.
const (
	cacheMagic = "towpath canal-admin cache 1 "
	maxCache   = 256 << 20 // bytes; a larger file is not read
)

// cached is the JSON in a cache.
type cached struct {
	Admin string `json:"admin"`
	Node  string `json:"node"`
	Texts
}

// Load reads the cache. The error is ErrNoCache when there is none, or one of another
// server or admin; any other means that the file cannot be used.
func (c Cache) Load() (Texts, error) {
	f, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return Texts{}, ErrNoCache
	}
	if err != nil {
		return Texts{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCache+1))
	if err != nil {
		return Texts{}, err
	}
	if len(b) > maxCache {
		return Texts{}, fmt.Errorf("%s: larger than %d bytes", c.File, maxCache)
	}
	held, err := decodeCache(b)
	if err != nil {
		return Texts{}, fmt.Errorf("%s: %w", c.File, err)
	}
	if held.Admin != c.Admin || held.Node != c.Node {
		return Texts{}, ErrNoCache
	}
	return held.Texts, nil
}

// decodeCache checks and reads the content of a cache.
func decodeCache(b []byte) (cached, error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	sum, ours := bytes.CutPrefix(line, []byte(cacheMagic))
	if !ok || !ours {
		return cached{}, errors.New("this is not a cache of what an admin said")
	}
	if want := sha256.Sum256(rest); string(sum) != hex.EncodeToString(want[:]) {
		return cached{}, errors.New("the cache is damaged: its checksum does not fit")
	}
	var held cached
	if err := json.Unmarshal(rest, &held); err != nil {
		return cached{}, fmt.Errorf("the cache is damaged: %w", err)
	}
	if held.Server.Content == "" {
		return cached{}, errors.New("the cache is damaged: it has no canal.properties")
	}
	return held, nil
}

// Save replaces the cache.
func (c Cache) Save(t Texts) error {
	body, err := json.Marshal(cached{Admin: c.Admin, Node: c.Node, Texts: t})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	content := append([]byte(cacheMagic+hex.EncodeToString(sum[:])+"\n"), body...)
	dir := filepath.Dir(c.File)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(c.File)+".*.new") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// syncDir makes a rename in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
