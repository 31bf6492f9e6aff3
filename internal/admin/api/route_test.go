package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

type echoRequest struct {
	ID   int64  `path:"id" json:"-"`
	Name string `query:"name" json:"-" required:"true"`
	Text string `json:"text"`
}

func TestRoute(t *testing.T) {
	w := newWorld(t)
	op := Operation{Method: http.MethodPut, Path: "/towpath/echo/{id}", Summary: "Echo", Tag: "Test", Role: identity.RoleOperator}
	route(w.api, op, func(_ context.Context, p identity.Principal, req echoRequest) (map[string]any, error) {
		return map[string]any{"id": req.ID, "name": req.Name, "text": req.Text, "role": p.Role}, nil
	})
	for _, token := range []string{"viewer", "admin"} {
		w.addUser(t, token, token, false)
	}
	w.addUser(t, "fresh", "admin", true)
	tests := []struct {
		name, method, path, token, contentType, body string
		status, code                                 int
		reason                                       string
	}{
		{"works", "PUT", "/api/v1/towpath/echo/7?name=n", "admin", "application/json", `{"text":"<é>"}`, 200, 20000, ""},
		{"another env and a slash", "PUT", "/api/prod/towpath/echo/7/?name=n", "admin", "application/json;charset=UTF-8", `{"text":"x"}`, 200, 20000, ""},
		{"no token", "PUT", "/api/v1/towpath/echo/7?name=n", "", "application/json", `{}`, 200, 50014, reasonExpired},
		{"must change", "PUT", "/api/v1/towpath/echo/7?name=n", "fresh", "application/json", `{}`, 200, 50015, reasonMustChange},
		{"role too low", "PUT", "/api/v1/towpath/echo/7?name=n", "viewer", "application/json", `{}`, 200, 40300, reasonForbidden},
		{"no such query parameter", "PUT", "/api/v1/towpath/echo/7", "admin", "application/json", `{}`, 200, 50000, reasonInvalid},
		{"no number", "PUT", "/api/v1/towpath/echo/x?name=n", "admin", "application/json", `{}`, 200, 50000, reasonInvalid},
		{"no JSON", "PUT", "/api/v1/towpath/echo/7?name=n", "admin", "application/json", `{`, 200, 50000, reasonInvalid},
		{"no type", "PUT", "/api/v1/towpath/echo/7?name=n", "admin", "", `{}`, 200, 50000, reasonInvalid},
		{"large", "PUT", "/api/v1/towpath/echo/7?name=n", "admin", "application/json", `{"text":"` + strings.Repeat("x", maxBody) + `"}`, 200, 50000, reasonInvalid},
		{"wrong method without a token", "DELETE", "/api/v1/towpath/echo/7", "", "", "", 405, 0, ""},
		{"unknown path", "GET", "/api/v1/no/such", "admin", "", "", 404, 0, ""},
		{"unknown path without a token", "GET", "/api/v1/no/such", "", "", "", 200, 50014, ""},
		{"two slashes", "GET", "/api//towpath/echo/7", "admin", "", "", 404, 0, ""},
		{"encoded slash", "GET", "/api/v1/towpath/echo/7%2F8", "admin", "", "", 400, 0, ""},
		{"options", "OPTIONS", "/api/v1/towpath/echo/7", "", "", "", 204, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			r.Header.Set("X-Token", tt.token)
			r.Header.Set("Content-Type", tt.contentType)
			rec := httptest.NewRecorder()
			w.api.Handler().ServeHTTP(rec, r)
			var got struct {
				Code  int
				Error *Failure
			}
			if rec.Body.Len() > 0 {
				if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil && tt.status == 200 {
					t.Fatal(err)
				}
			}
			reason := ""
			if tt.status == 200 && got.Error != nil {
				reason = got.Error.Reason
			}
			if rec.Code != tt.status || got.Code != tt.code || reason != tt.reason {
				t.Errorf("got %d %s, want %d, %d, %q", rec.Code, rec.Body, tt.status, tt.code, tt.reason)
			}
		})
	}
}
