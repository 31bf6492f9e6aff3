package pipeline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/entrytext"
	"github.com/towpath-cdc/towpath/protocol"
)

// forms are the binlogs that have each form of event once, and the versions of the
// servers. Beside each is one without checksums.
var forms = map[string]string{
	"forms-mysql56": fixtures["mysql56"], "forms-mysql57": fixtures["mysql57"], "forms-mysql80": fixtures["mysql80"],
	"forms-mysql97": fixtures["mysql97"], "forms-mariadb1011": fixtures["mariadb1011"],
}

// TestForms plays the forms and compares what comes of them, as text for people,
// with testdata/forms; -update rewrites that. Without checksums the same comes of the same statements.
func TestForms(t *testing.T) {
	for name := range forms {
		t.Run(name, func(t *testing.T) {
			text := formsText(t, name)
			golden := filepath.Join("testdata", "forms", strings.TrimPrefix(name, "forms-")+".txt")
			if *update {
				check(t, os.WriteFile(golden, []byte(text), 0o644))
			}
			want, err := os.ReadFile(golden)
			check(t, err)
			compareLines(t, text, string(want))
			compareLines(t, unplaced.ReplaceAllString(formsText(t, name+"-plain"), ""), unplaced.ReplaceAllString(text, ""))
		})
	}
}

// formsText is what the entries of a fixture say.
func formsText(t *testing.T, name string) string {
	t.Helper()
	r := newRig(t, forms[strings.TrimSuffix(name, "-plain")], nil)
	check(t, r.play(fixture(t, name), nil))
	if log := r.log.String(); log != "" {
		t.Errorf("%s: the log says %s", name, log)
	}
	var out []byte
	for i := range r.store.entries {
		e, err := protocol.ParseEntry(r.store.entries[i].raw)
		check(t, err)
		out, err = (&entrytext.Printer{}).Append(out, &e)
		check(t, err)
	}
	return string(out)
}

// unplaced is what depends on when and where the statements were run.
var unplaced = regexp.MustCompile(`(?m)^\S+ \S+ \S+ |thread \d+|xid \d+|rand_seed1 = -?\d+ , rand_seed2 = -?\d+`)
