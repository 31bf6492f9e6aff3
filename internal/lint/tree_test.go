package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/towpath-cdc/towpath/"
)

// tree is what the tests want to know of the source.
type tree struct {
	packages map[string]*pkg // by folder
	files    map[string]bool // all files, by their path
	declared map[string]bool // Type, Type.method, Type.field, package.Name
}

// pkg is one package.
type pkg struct {
	doc     bool
	imports map[string]bool // of files that are not tests
	tests   map[string]bool // functions that are tests, fuzz targets, examples
	text    strings.Builder // of the test files
}

var source = sync.OnceValues(readTree)

func readTree() (*tree, error) {
	t := &tree{packages: map[string]*pkg{}, files: map[string]bool{}, declared: map[string]bool{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" || rel == "bin" || rel == "web/node_modules" {
				return fs.SkipDir
			}
			t.files[rel] = true
			return nil
		}
		t.files[rel] = true
		if strings.HasSuffix(rel, ".go") && !strings.Contains(rel, "testdata/") {
			return t.addFile(rel)
		}
		return nil
	})
	return t, err
}

func (t *tree) addFile(rel string) error {
	text, err := os.ReadFile(filepath.Join(root, rel))
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), rel, text, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(rel)
	p := t.packages[dir]
	if p == nil {
		p = &pkg{imports: map[string]bool{}, tests: map[string]bool{}}
		t.packages[dir] = p
	}
	p.doc = p.doc || f.Doc != nil
	if strings.HasSuffix(rel, "_test.go") {
		p.text.Write(text)
	} else {
		for _, im := range f.Imports {
			name, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			p.imports[name] = true
		}
	}
	for _, d := range f.Decls {
		t.declare(f.Name.Name, p, d)
	}
	return nil
}

func (t *tree) declare(name string, p *pkg, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil {
			t.declared[receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
			return
		}
		t.declared[name+"."+d.Name.Name] = true
		for _, prefix := range []string{"Test", "Fuzz", "Example", "Benchmark"} {
			if strings.HasPrefix(d.Name.Name, prefix) {
				p.tests[d.Name.Name] = true
			}
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				t.declared[name+"."+s.Name.Name] = true
				t.members(s)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					t.declared[name+"."+n.Name] = true
				}
			}
		}
	}
}

func (t *tree) members(s *ast.TypeSpec) {
	var list *ast.FieldList
	switch typ := s.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			t.declared[s.Name.Name+"."+n.Name] = true
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func mustTree(t *testing.T) *tree {
	t.Helper()
	tree, err := source()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
