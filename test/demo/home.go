package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/towpath-cdc/towpath/test/servers"
)

// ports are the free ports the server got. One that is alone has none for the
// admin.
type ports struct{ client, metrics, admin int }

// writeHome makes the home folder of a server: the sample configuration with
// other addresses.
func writeHome(home, samples, source string) (p ports, err error) {
	for _, port := range []*int{&p.client, &p.metrics} {
		if *port, err = servers.FreePort(); err != nil {
			return p, err
		}
	}
	if err := os.CopyFS(filepath.Join(home, "conf"), os.DirFS(samples)); err != nil {
		return p, fmt.Errorf("copy the sample configuration: %w", err)
	}
	err = set(filepath.Join(home, "conf/canal.properties"), map[string]string{
		"canal.ip":                "127.0.0.1",
		"canal.port":              strconv.Itoa(p.client),
		"canal.metrics.pull.port": strconv.Itoa(p.metrics),
		"canal.admin.port":        "",
	})
	if err != nil {
		return p, err
	}
	return p, set(filepath.Join(home, "conf/example/instance.properties"), map[string]string{
		"canal.instance.master.address": source,
	})
}

// set replaces values in a properties file, whose keys must be there.
func set(file string, values map[string]string) error {
	text, err := sample(file, values)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// sample is the text of a properties file with other values for keys that must be
// there.
func sample(file string, values map[string]string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for key, value := range values {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `\s*=.*$`)
		if !line.Match(text) {
			return "", fmt.Errorf("%s has no line for %s", file, key)
		}
		text = line.ReplaceAllLiteral(text, []byte(key+" = "+value))
	}
	return string(text), nil
}
