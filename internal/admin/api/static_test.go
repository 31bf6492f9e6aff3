package api

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func pages() fstest.MapFS {
	return fstest.MapFS{
		"index.html":                {Data: []byte(`<html><head><title>Towpath</title><meta name="csp-nonce" content="__CSP_NONCE__"></head></html>`)},
		"assets/index-Bx1yZ_9a.js":  {Data: []byte("console.log(1)")},
		"assets/style-0123abcd.css": {Data: []byte("a{}")},
		"logo.svg":                  {Data: []byte("<svg/>")},
	}
}

func TestStatic(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name, path   string
		status       int
		kind, caches string
	}{
		{"root", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"index", "/index.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"script", "/assets/index-Bx1yZ_9a.js", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"style", "/assets/style-0123abcd.css", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"picture", "/logo.svg", 200, "image/svg+xml", "no-cache"},
		{"folder", "/assets", 404, "application/json", ""},
		{"folder with a slash", "/assets/", 404, "application/json", ""},
		{"unknown", "/no-such-page", 404, "application/json", ""},
		{"outside", "/../conf/application.yml", 404, "application/json", ""},
		{"outside, encoded", "/..%2fconf%2fapplication.yml", 404, "application/json", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, header, body := w.get(t, tt.path, "")
			if status != tt.status || header.Get("Content-Type") != tt.kind || header.Get("Cache-Control") != tt.caches {
				t.Errorf("got %d %v %s", status, header, body)
			}
			for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy"} {
				if header.Get(name) == "" {
					t.Errorf("no header %s", name)
				}
			}
			if status == 200 && header.Get("Content-Security-Policy") == "" {
				t.Error("no policy")
			}
		})
	}
}

func TestIndexNonce(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 2 {
		_, header, body := w.get(t, "/", "")
		m := regexp.MustCompile(`content="([^"]+)"`).FindStringSubmatch(string(body))
		if m == nil || m[1] == nonceMark || seen[m[1]] || !strings.Contains(header.Get("Content-Security-Policy"), "'nonce-"+m[1]+"'") {
			t.Errorf("nonce %v, policy %s", m, header.Get("Content-Security-Policy"))
		}
		seen[m[1]] = true
	}
	_, header, _ := w.get(t, "/", "")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("If-None-Match", "W/"+header.Get("ETag"))
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusNotModified || rec.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes for a page that the browser has", rec.Code, rec.Body.Len())
	}
}

func TestRootWithoutPages(t *testing.T) {
	w := newWorld(t)
	w.api.UI = nil
	if status, _, body := w.get(t, "/", ""); status != http.StatusOK {
		t.Errorf("got %d %s", status, body)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST / gave %d", rec.Code)
	}
}
