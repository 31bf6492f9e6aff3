package web_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/web"
)

// reference finds what index.html loads.
var reference = regexp.MustCompile(`(?:src|href)="\./([^"]+)"`)

func TestFilesHaveWhatTheIndexNames(t *testing.T) {
	index, err := fs.ReadFile(web.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	found := reference.FindAllStringSubmatch(string(index), -1)
	if len(found) < 3 { // script, style, icon
		t.Errorf("index.html loads only %d files", len(found))
	}
	for _, m := range found {
		if _, err := fs.Stat(web.Files(), m[1]); err != nil {
			t.Errorf("index.html names %s: %v", m[1], err)
		}
	}
}

// TestIndexFitsThePolicy keeps to what the content security policy allows.
func TestIndexFitsThePolicy(t *testing.T) {
	index, err := fs.ReadFile(web.Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(index), `content="__CSP_NONCE__"`) {
		t.Error("index.html has no place for the nonce")
	}
	for _, bad := range []string{"<style", " style=", " onload=", "<script>", "http://", "https://"} {
		if strings.Contains(string(index), bad) {
			t.Errorf("index.html has %q", bad)
		}
	}
}
