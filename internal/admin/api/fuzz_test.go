package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Whatever is asked, the answer is one of the known ones: an envelope, or a status
// in the shape that Canal gives it; never an unexpected error.
func FuzzRequests(f *testing.F) {
	w := usersWorld(f)
	var canal []*endpoint
	for _, ep := range w.api.endpoints {
		if !ep.beyond() {
			canal = append(canal, ep)
		}
	}
	for i := range canal {
		f.Add(uint8(i), "1", "page=1&size=x&name=%25&ip=h&port=1&md5=&register=1&cluster=&option=stop", `{"id":1,"name":"n","content":"a=1","clusterServerId":"cluster:1"}`, "application/json")
	}
	f.Add(uint8(3), "..%2Fx", "a=%zz", `{"name":{}}`, "text/plain")
	f.Fuzz(func(t *testing.T, which uint8, segment, query, body, contentType string) {
		ep := canal[int(which)%len(canal)]
		if strings.HasPrefix(ep.Path, "/user/") {
			t.Skip("each attempt to log in takes long on purpose")
		}
		path := bracketed.ReplaceAllLiteralString("/api/v1"+ep.Path, url.PathEscape(segment))
		r := &http.Request{Method: ep.Method, Header: http.Header{}, RemoteAddr: "127.0.0.1:1",
			URL: &url.URL{RawQuery: query}, Body: http.NoBody}
		var err error
		if r.URL.Path, err = url.PathUnescape(path); err != nil {
			t.Skip("no path")
		}
		r.URL.RawPath = path
		if body != "" {
			r.Body = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).Body
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-Token", "admin")
		r.Header.Set("user", "admin")
		r.Header.Set("passwd", "4acfe3202a5ff5cf467898fc58aab1d615029441")
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, r)
		if !slices.Contains([]int{200, 400, 404}, rec.Code) {
			t.Fatalf("%s %s?%s %q gave %d %s", ep.Method, path, query, body, rec.Code, rec.Body)
		}
		var e envelope
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code == 200 && e.Code == 0 {
			t.Fatalf("%s %s?%s %q gave %s", ep.Method, path, query, body, rec.Body)
		}
		if e.Message != nil && strings.Contains(*e.Message, "the admin's log tells more") {
			t.Errorf("%s %s?%s %q gave %s", ep.Method, path, query, body, rec.Body)
		}
	})
}
