package lint

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documents are the texts for people, by their path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for name := range mustTree(t).files {
		if !strings.HasSuffix(name, ".md") || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = string(text)
	}
	if len(docs) < 8 {
		t.Fatalf("only %d documents found", len(docs))
	}
	return docs
}

// named is a test as documents name it: `package.TestName` or
// `package.TestName/case`.
var named = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Example|Benchmark)\\w*)(?:/([^`]+))?`")

// TestNamedTestsExist checks every test that a document names. A case must
// stand in the package's test files, or be a file of its testdata.
func TestNamedTestsExist(t *testing.T) {
	tree := mustTree(t)
	total := 0
	for doc, text := range documents(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			total++
			dir, name, sub := m[1], m[2], m[3]
			p := tree.packages[dir]
			switch {
			case p == nil || !p.tests[name]:
				t.Errorf("%s: %s does not exist", doc, m[0])
			case sub != "":
				for part := range strings.SplitSeq(sub, "/") {
					if !tree.hasCase(dir, p, part) {
						t.Errorf("%s: %s has no case %q", doc, m[0], part)
					}
				}
			}
		}
	}
	if total < 50 {
		t.Errorf("only %d tests are named in the documents", total)
	}
}

func (t *tree) hasCase(dir string, p *pkg, name string) bool {
	if strings.Contains(p.text.String(), name) {
		return true
	}
	for f := range t.files {
		base := path.Base(f)
		if strings.HasPrefix(f, dir+"/testdata/") && (base == name || strings.TrimSuffix(base, path.Ext(base)) == name) {
			return true
		}
	}
	return false
}

// Every case of the lists in docs/conformance.md is a line that begins so.
var (
	caseLine  = regexp.MustCompile(`(?m)^\| ([A-Z]+)(\d+) \| .* \| (.*) \|$`)
	evidenced = regexp.MustCompile("^(.*`[a-z0-9/]+\\.(Test|Fuzz|Example)|(not yet|partly|not the same): )")
)

// conformance are the lists and how many cases each has.
var conformance = map[string]int{"P": 42, "B": 55, "C": 32, "T": 15, "M": 16, "H": 35, "A": 52, "Q": 25, "D": 44}

func TestConformanceIsComplete(t *testing.T) {
	next := map[string]int{}
	for _, m := range caseLine.FindAllStringSubmatch(documents(t)["docs/conformance.md"], -1) {
		next[m[1]]++
		if got := m[2]; got != strconv.Itoa(next[m[1]]) {
			t.Errorf("case %s%s stands where %s%d is due", m[1], got, m[1], next[m[1]])
		}
		if !evidenced.MatchString(m[3]) {
			t.Errorf("case %s%s names neither a test nor why there is none: %q", m[1], m[2], m[3])
		}
	}
	for list, n := range conformance {
		if next[list] != n {
			t.Errorf("list %s has %d cases, want %d", list, next[list], n)
		}
	}
}

var (
	link       = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	goFile     = regexp.MustCompile("`([\\w/]+\\.go)`")
	folder     = regexp.MustCompile("`((?:cmd|client|protocol|internal|test|docs|conf|scripts|web)/[\\w/.-]+)`")
	identifier = regexp.MustCompile("`([A-Za-z]\\w*\\.[A-Za-z]\\w*)`")
	foreign    = regexp.MustCompile(`(?m)(^|[\s` + "`" + `(])/(root|home|work|tmp)/\S*|spec/\w+\.md`)
)

// TestPathsExist checks links and the files and folders that are named.
func TestPathsExist(t *testing.T) {
	tree := mustTree(t)
	for doc, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to := m[1]
			if !strings.Contains(to, "://") && !tree.files[path.Join(path.Dir(doc), to)] {
				t.Errorf("%s: link to %s leads nowhere", doc, to)
			}
		}
		for _, m := range folder.FindAllStringSubmatch(text, -1) {
			if name := strings.TrimSuffix(m[1], "/"); !named.MatchString(m[0]) && !tree.files[name] && !produced(name) {
				t.Errorf("%s: there is no %s", doc, name)
			}
		}
		for _, m := range goFile.FindAllStringSubmatch(text, -1) {
			if !tree.hasFile(m[1]) {
				t.Errorf("%s: there is no %s", doc, m[1])
			}
		}
		for _, m := range foreign.FindAllString(text, -1) {
			t.Errorf("%s: %q is no place of this project", doc, strings.TrimSpace(m))
		}
	}
}

// produced says whether a path is one of an installation, not of this tree.
func produced(name string) bool {
	return strings.HasPrefix(name, "conf/") || strings.Contains(name, "testdata")
}

// hasFile reports whether a file ends in that path.
func (t *tree) hasFile(name string) bool {
	if t.files[name] {
		return true
	}
	for f := range t.files {
		if strings.HasSuffix(f, "/"+name) {
			return true
		}
	}
	return false
}

// TestArchitectureNamesWhatExists checks the functions, types and fields that
// ARCHITECTURE.md names.
func TestArchitectureNamesWhatExists(t *testing.T) {
	tree := mustTree(t)
	extensions := []string{".go", ".md", ".yml", ".dat", ".db", ".sum", ".log", ".properties"}
	for _, m := range identifier.FindAllStringSubmatch(documents(t)["ARCHITECTURE.md"], -1) {
		name := m[1]
		if slices.Contains(extensions, path.Ext(name)) || strings.HasPrefix(name, "canal.") || name == "filter.table" {
			continue
		}
		if !tree.declared[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestModulesHaveReasons compares docs/dependencies.md with go.mod.
func TestModulesHaveReasons(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc := documents(t)["docs/dependencies.md"]
	direct := regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`)
	found := direct.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatal("no direct module found in go.mod")
	}
	for _, m := range found {
		if !strings.Contains(doc, "| "+m[1]+" | "+m[2]+" |") {
			t.Errorf("docs/dependencies.md does not have %s %s", m[1], m[2])
		}
	}
}

// TestBenchMarkers keeps the place where make bench writes.
func TestBenchMarkers(t *testing.T) {
	doc := documents(t)["docs/benchmarks.md"]
	begin, end := strings.Index(doc, "\n<!-- bench: begin -->\n"), strings.Index(doc, "\n<!-- bench: end -->\n")
	if begin < 0 || end < begin {
		t.Error("docs/benchmarks.md has lost the markers of make bench")
	}
}

// TestKnownDifferencesAreDocumented: what test/differential takes for a known
// difference has to be a line of docs/differences.md, under the same name.
func TestKnownDifferencesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "test/differential/known.go"))
	if err != nil {
		t.Fatal(err)
	}
	doc := documents(t)["docs/differences.md"]
	found := regexp.MustCompile(`(?m)^\t\{(?:name: )?"([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatal("no known difference found")
	}
	for _, m := range found {
		if !strings.Contains(doc, "\n| "+m[1]+" |") {
			t.Errorf("docs/differences.md has no line %q", m[1])
		}
	}
}
