package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
)

// nonceMark is what index.html has where the nonce of each answer goes.
const nonceMark = "__CSP_NONCE__"

// hashed are names with a hash of the content in them, which never change.
var hashed = regexp.MustCompile(`[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+$`)

// serveStatic answers what is not below /api: the web pages. Without them the
// root still answers, since probes of orchestrators ask for it.
func (a *API) serveStatic(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.writeStatus(w, r, http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	content, err := a.readUI(name)
	switch {
	case err == nil && name == "index.html":
		serveIndex(w, r, content)
	case err == nil:
		serveAsset(w, r, name, content)
	case errors.Is(err, fs.ErrNotExist) && r.URL.Path == "/":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("Towpath Admin: this build has no web pages; /api/openapi.json lists the calls.\n")) //nolint:errcheck // the client has gone
	case errors.Is(err, fs.ErrNotExist):
		a.writeStatus(w, r, http.StatusNotFound)
	default:
		a.log.Error("file not read", "name", name, "error", err)
		a.writeStatus(w, r, http.StatusInternalServerError)
	}
}

func (a *API) readUI(name string) ([]byte, error) {
	if a.UI == nil || !fs.ValidPath(name) {
		return nil, fs.ErrNotExist
	}
	info, err := fs.Stat(a.UI, name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(a.UI, name)
}

// serveIndex sends the page with a nonce of its own. The ETag is of the file, so
// a browser that has it is told so; the nonce that it has then stays in force
// with the policy that came with it.
func serveIndex(w http.ResponseWriter, r *http.Request, content []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h.Set("ETag", etag)
	if matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	nonce := rand.Text()
	h.Set("Content-Security-Policy", contentPolicy(nonce))
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.Write(bytes.ReplaceAll(content, []byte(nonceMark), []byte(nonce))) //nolint:errcheck // the client has gone
}

// matches tells whether an If-None-Match header names an ETag.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == etag || part == "*" {
			return true
		}
	}
	return false
}

func serveAsset(w http.ResponseWriter, r *http.Request, name string, content []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", contentType(name))
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h.Set("ETag", etag)
	if hashed.MatchString(path.Base(name)) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if matches(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(content) //nolint:errcheck // the client has gone
}

// types are those of the files that the pages consist of. The tables of the
// system are not asked for them: some give .js another one.
var types = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".gif": "image/gif", ".ico": "image/x-icon",
	".woff": "font/woff", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

func contentType(name string) string {
	extension := path.Ext(name)
	if known := types[extension]; known != "" {
		return known
	}
	if known := mime.TypeByExtension(extension); known != "" {
		return known
	}
	return "application/octet-stream"
}

// contentPolicy lets the page load nothing but its own files, and style elements
// that have the nonce.
func contentPolicy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self' data:; " +
		"font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
}

// Values of headers that are shared and not changed.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	sameOrigin = []string{"same-origin"}
)

// secure sets the headers that every answer has.
func secure(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"], h["Referrer-Policy"], h["Cross-Origin-Opener-Policy"] = noSniff, noReferrer, sameOrigin
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
