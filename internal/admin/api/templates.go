package api

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// The names of the templates, in Options.Templates and among ours.
const (
	serverTemplate   = "canal-template.properties"
	instanceTemplate = "instance-template.properties"
)

//go:embed templates
var templates embed.FS

// template reads a template anew, since operators change them; ours stands in for
// a missing one.
func (a *API) template(name string) (string, error) {
	f, err := os.Open(filepath.Join(a.Templates, name))
	if a.Templates == "" || errors.Is(err, fs.ErrNotExist) {
		content, err := templates.ReadFile("templates/" + name)
		return string(content), err
	}
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, database.MaxContent+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("template: %w", err)
	case len(content) > database.MaxContent:
		return "", refused(fmt.Sprintf("%s has more than %d bytes", name, database.MaxContent))
	}
	return string(content), nil
}
