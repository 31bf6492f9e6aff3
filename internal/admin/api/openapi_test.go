package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

const goldenDocument = "testdata/openapi.json"

func TestOpenAPIGolden(t *testing.T) {
	got := newWorld(t).api.OpenAPI()
	if *update {
		if err := os.WriteFile(goldenDocument, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenDocument)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the calls are not those of %s any more; look at what changes with go test ./internal/admin/api -update", goldenDocument)
	}
}

var bracketed = regexp.MustCompile(`\{(\w+)\}`)

// What the document refers to is in it, every parameter of a path is described,
// and no two operations have one id.
func TestOpenAPIHoldsTogether(t *testing.T) {
	var document struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]any }
	}
	raw := newWorld(t).api.OpenAPI()
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(raw, -1) {
		if document.Components.Schemas[string(m[1])] == nil {
			t.Errorf("no schema %s", m[1])
		}
	}
	ids := map[string]string{}
	for path, operations := range document.Paths {
		for method, rawOperation := range operations {
			if method == "parameters" {
				continue
			}
			var operation struct {
				OperationID string
				Summary     string
				Tags        []string
				Parameters  []struct{ Name, In string }
			}
			if err := json.Unmarshal(rawOperation, &operation); err != nil {
				t.Fatal(err)
			}
			if other := ids[operation.OperationID]; other != "" {
				t.Errorf("%s %s and %s are both %s", method, path, other, operation.OperationID)
			}
			ids[operation.OperationID] = path
			if operation.Summary == "" || len(operation.Tags) != 1 || operation.Tags[0] == "" {
				t.Errorf("%s %s has no summary or tag", method, path)
			}
			for _, m := range bracketed.FindAllStringSubmatch(path, -1) {
				described := m[1] == "env"
				for _, p := range operation.Parameters {
					described = described || p.In == "path" && p.Name == m[1]
				}
				if !described {
					t.Errorf("%s %s: {%s} is not described", method, path, m[1])
				}
			}
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	w := newWorld(t)
	status, header, body := w.get(t, "/api/openapi.json", "")
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" || !bytes.Equal(body, w.api.OpenAPI()) {
		t.Errorf("got %d %s %.60s", status, header, body)
	}
	if strings.Contains(string(body), "null\n") {
		t.Error("the document has a null list")
	}
}
