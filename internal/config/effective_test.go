package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMaskSecrets(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing secret":     {"a=b\n# c\n\n", "a=b\n# c\n\n"},
		"password":           {"canal.instance.dbPassword = s3cret\nx=1\n", "canal.instance.dbPassword = ***\nx=1\n"},
		"blank":              {"canal.instance.dbPassword =\nx=1", "canal.instance.dbPassword =\nx=1"},
		"colon":              {"canal.passwd:s3cret", "canal.passwd:***"},
		"comment":            {"#canal.passwd = s3cret\n", "#canal.passwd = ***\n"},
		"escaped key":        {"canal.p\\u0061sswd = s3cret\n", "canal.p\\u0061sswd = ***\n"},
		"two lines":          {"canal.passwd = s3\\\n  cret\nx=1\n", "canal.passwd = ***\nx=1\n"},
		"key over two lines": {"canal.pas\\\n  swd = s3cret\n", "canal.pas\\\n  swd = ***\n"},
		"unknown name":       {"my.token = s3cret\n", "my.token = ***\n"},
		"referred to":        {"mine = s3cret\ncanal.passwd = ${mine:s3cret}\n", "mine = ***\ncanal.passwd = ***\n"},
		"only a reference":   {"canal.passwd = ${DB_PASSWORD}\n", "canal.passwd = ${DB_PASSWORD}\n"},
		"byte order mark":    {"\ufeffcanal.passwd = s3cret\n", "\ufeffcanal.passwd = ***\n"},
		"no UTF-8":           {"# \xe9\ncanal.passwd = \xe9t\xe9\n", "# \xe9\ncanal.passwd = ***\n"},
		"not secret":         {"canal.instance.enableDruid = false\n", "canal.instance.enableDruid = false\n"},
		"carriage return":    {"canal.passwd = s3cret\r\nx=1\r\n", "canal.passwd = ***\r\nx=1\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := MaskSecrets(c.text, "***"); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// FuzzMaskSecrets checks that no reader of the file finds a secret in what is left.
func FuzzMaskSecrets(f *testing.F) {
	f.Add("canal.passwd = s3\\\n  cret\n#canal.passwd=x\n\\\ncanal.passwd y")
	f.Fuzz(func(t *testing.T, text string) {
		masked := MaskSecrets(text, "******")
		p, err := ParseProperties("x", []byte(masked))
		if err != nil {
			return
		}
		for _, e := range p.Entries() {
			if v := strings.TrimSpace(e.Value); IsSecret(e.Key) && v != "" && v != "******" && !reference.MatchString(v) {
				t.Errorf("%q: %q is left of %q", e.Key, e.Value, text)
			}
		}
	})
}

func TestEffectiveValues(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(home, "conf", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("canal.properties", "canal.port = 22222\ncanal.instance.filter.regex = a\\\\..*\n")
	write("d/instance.properties", "canal.instance.master.address = 127.0.0.1:3306\ncanal.instance.dbPassword = x\n")
	c, err := Load(LoadOptions{Home: home, Overrides: map[string]string{"canal.instance.dbUsername": "me"}})
	if err != nil {
		t.Fatal(err)
	}
	instance, err := c.InstanceValues("d")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]Value{}
	for _, v := range append(instance, c.ServerValues()...) {
		values[v.Key] = v
	}
	for key, want := range map[string]struct {
		value, source string
		secret        bool
	}{
		"canal.port":                        {"22222", "canal.properties:1", false},
		"canal.metrics.pull.port":           {"11112", "default", false},
		"canal.instance.filter.regex":       {`a\..*`, "canal.properties:2", false},
		"canal.instance.master.address":     {"127.0.0.1:3306", "instance.properties:1", false},
		"canal.instance.dbPassword":         {"x", "instance.properties:2", true},
		"canal.instance.dbUsername":         {"me", "-D", false},
		"canal.instance.global.spring.xml":  {"classpath:spring/file-instance.xml", "default", false},
		"canal.instance.memory.buffer.size": {"16384", "default", false},
	} {
		v, ok := values[key]
		if !ok || v.Value != want.value || !strings.HasSuffix(v.Source.String(), want.source) || v.Secret != want.secret {
			t.Errorf("%s: got %+v, want %+v", key, v, want)
		}
	}
	if text, err := c.InstanceText("d"); err != nil || !strings.Contains(text, "dbPassword = x") {
		t.Errorf("text of the instance: %q, %v", text, err)
	}
	if _, err := c.InstanceText("../d"); err == nil {
		t.Error("a path counts as a destination")
	}
	if _, ok := c.RemoteText("d"); ok {
		t.Error("an admin's text without an admin")
	}
}
