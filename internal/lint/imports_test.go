package lint

import (
	"slices"
	"strings"
	"testing"
)

// layers are the packages of the product from the bottom upwards. A package
// imports only from layers below its own.
var layers = [][]string{
	{"internal/admin/address", "internal/binlog", "internal/charset", "internal/clock", "internal/ddl", "internal/filter", "internal/logging", "internal/polling", "internal/sqldb", "internal/zk", "internal/zktree", "web"},
	{"internal/admin/database", "internal/config", "internal/history", "internal/meta", "internal/schema", "internal/value", "protocol"},
	{"client", "internal/admin/identity", "internal/admin/settings", "internal/cluster", "internal/control", "internal/entry", "internal/entrytext", "internal/history/sqlstore", "internal/history/zkstore", "internal/mysql", "internal/store"},
	{"internal/admin/fleet", "internal/delivery", "internal/source"},
	{"internal/pipeline", "internal/server"},
	{"internal/check", "internal/instance", "internal/metrics"},
	{"internal/admin/api", "internal/inspect"},
	{"cmd/towpath"},
}

// modules are the only packages of other projects that are imported, and which
// packages of the product do. Tests and tools may use them all.
var modules = map[string][]string{
	"github.com/dlclark/regexp2":                    {"internal/filter"},
	"github.com/go-mysql-org/go-mysql/":             {"internal/mysql"},
	"github.com/go-sql-driver/mysql":                {"internal/admin/database", "internal/sqldb"},
	"github.com/klauspost/compress/zstd":            {"internal/history/zkstore", "internal/pipeline"},
	"github.com/pavlo-v-chernykh/keystore-go/v4":    {"internal/mysql"},
	"go.yaml.in/yaml/v3":                            {"internal/admin/settings"},
	"golang.org/x/crypto/argon2":                    {"internal/admin/identity"},
	"golang.org/x/sys/unix":                         {"internal/clock", "internal/server"},
	"golang.org/x/text/encoding":                    {"internal/charset"},
	"google.golang.org/protobuf/encoding/protowire": {"internal/control", "protocol"},
	"modernc.org/sqlite":                            {"internal/admin/database", "internal/sqldb"},
	"software.sslmate.com/src/go-pkcs12":            {"internal/mysql"},
}

// helper says whether a package serves tests and tools only.
func helper(dir string) bool {
	return strings.HasPrefix(dir, "test/") || strings.HasPrefix(dir, "internal/testkit/") || dir == "internal/lint"
}

func layer(dir string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, dir) })
}

func TestImports(t *testing.T) {
	for dir, p := range mustTree(t).packages {
		if strings.HasPrefix(dir, "test/peers/") {
			continue // programs of their own
		}
		if layer(dir) < 0 && !helper(dir) {
			t.Errorf("%s is in no layer: add it to layers where it belongs", dir)
		}
		for name := range p.imports {
			to, ours := strings.CutPrefix(name, module)
			switch {
			case ours:
				checkOwn(t, dir, to)
			case strings.Contains(strings.Split(name, "/")[0], "."):
				checkForeign(t, dir, name)
			}
		}
	}
}

func checkOwn(t *testing.T, dir, to string) {
	switch {
	case helper(dir):
		if strings.HasPrefix(to, "cmd/") {
			t.Errorf("%s imports %s: nothing imports commands", dir, to)
		}
	case helper(to):
		t.Errorf("%s imports %s, which is for tests", dir, to)
	case layer(to) >= layer(dir):
		t.Errorf("%s imports %s, which is not below it", dir, to)
	}
}

func checkForeign(t *testing.T, dir, name string) {
	for prefix, users := range modules {
		if strings.HasPrefix(name, prefix) {
			if !slices.Contains(users, dir) && !helper(dir) {
				t.Errorf("%s imports %s, which only %v may", dir, name, users)
			}
			return
		}
	}
	t.Errorf("%s imports %s, which is not in modules: give its reason in docs/dependencies.md", dir, name)
}

func TestPackagesAreDocumented(t *testing.T) {
	for dir, p := range mustTree(t).packages {
		if !p.doc {
			t.Errorf("%s has no package comment", dir)
		}
	}
}
