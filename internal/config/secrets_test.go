package config

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/testkit/cputime"
)

func TestIsSecret(t *testing.T) {
	for key, want := range map[string]bool{
		"canal.instance.dbPassword": true, "canal.instance.dbUsername": false, "canal.instance.pwdPublicKey": false,
		"kafka.ssl.keystore.password": true, "kafka.acks": false, "kafka.sasl.jaas.config": true, "my.Secret.thing": true, "mine": false,
	} {
		if got := IsSecret(key); got != want {
			t.Errorf("%s: got %v", key, got)
		}
	}
}

func TestHasCredentials(t *testing.T) {
	for value, want := range map[string]bool{
		"jdbc:mysql://canal:s3cret@db:3306/tsdb":                     true,
		"jdbc:mysql://db:3306/tsdb?user=canal&password=s3cret":       true,
		"jdbc:h2:mem:x;USER=sa;PASSWORD = s3cret":                    true,
		"jdbc:oracle:thin:scott/tiger@db:1521:x":                     true,
		"jdbc:mysql://address=(host=db)(password=s3cret)/x":          true,
		"amqp://guest:gu@est@mq":                                     true,
		"jdbc:h2:${canal.instance.tsdb.dir}/h2;CACHE_SIZE=1;MODE=m;": false,
		"jdbc:mysql://db:3306/tsdb?passwordless":                     false,
		"jdbc:mysql://db/x?password=&a=1":                            false,
		`.*\..*`:                                                     false,
		"https://admin.example:8089/path":                            false,
	} {
		if got := HasCredentials(value); got != want {
			t.Errorf("%s: got %v", value, got)
		}
	}
}

// What a placeholder brought out of a secret key was once shown in errors and among
// the running values.
func TestSecretsBehindPlaceholders(t *testing.T) {
	const main = "canal.admin.passwd = s3cret\nshared = s3cret\nby.way = ${shared}\n" +
		"canal.instance.tsdb.dbPassword = ${by.way}\nmy.host = 10.0.0.1\n"
	const own = "canal.instance.master.address = ${canal.admin.passwd}\n" +
		"canal.instance.dbUsername = x${nothing:${shared}}\n" +
		"canal.instance.gtidon = ${${name}}\nname = canal.admin.passwd\n" +
		"canal.instance.filter.regex = a(b${shared}\n" +
		"canal.instance.standby.address = ${my.host}\n" +
		"canal.instance.detecting.sql = jdbc:mysql://u:s3cret@h/d\n"
	c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": main, "d/instance.properties": own})})
	_, err := c.Instance("d")
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "refers to a secret") || !strings.Contains(err.Error(), `"10.0.0.1"`) {
		t.Errorf("error %v", err)
	}
	values, err := c.InstanceValues("d")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if strings.Contains(v.Value, "s3cret") && !v.Secret {
			t.Errorf("%s = %s", v.Key, v.Value)
		}
		if v.Key == "canal.instance.standby.address" && v.Secret {
			t.Error("a host is taken for a secret")
		}
	}
	for _, p := range ValidateInstance(own, main) {
		if strings.Contains(p.Message+p.Suggestion, "s3cret") {
			t.Errorf("problem %+v", p)
		}
	}
}

func TestOverlay(t *testing.T) {
	o, err := NewOverlay("canal.passwd = p\nhost = h\n", "d", "canal.instance.master.address = ${host}:1\na = ${canal.passwd}\nb = ${b}\nhost = own\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key, want      string
		secret, failed bool
	}{
		{"canal.instance.master.address", "h:1", false, false},
		{"canal.instance.destination", "d", false, false},
		{"a", "p", true, false},
		{"b", "", false, true},
		{"c", "", false, false},
	} {
		got, secret, err := o.Value(tt.key)
		if got != tt.want || secret != tt.secret || err != nil != tt.failed {
			t.Errorf("%s = %q, %v, %v", tt.key, got, secret, err)
		}
	}
	if _, err := NewOverlay("", "d", `a = \u1`); err == nil {
		t.Error("a text that cannot be read was read")
	}
}

// A megabyte that looks itself up ten thousand times once took minutes.
func TestExpansionIsBounded(t *testing.T) {
	big := "big = " + strings.Repeat("x", 900<<10) + "\n"
	for name, value := range map[string]string{
		"values as names": strings.Repeat("${${big}}", 9000),
		"open":            strings.Repeat("${", 500<<10),
		"nested":          strings.Repeat("${", 200<<10) + strings.Repeat("}", 200<<10),
		"many":            strings.Repeat("${a}", 200<<10),
	} {
		t.Run(name, func(t *testing.T) {
			text := big + "bomb = " + value + "\n"
			for _, k := range catalogue {
				if k.Scope == ScopeInstance {
					text += k.Name + " = ${bomb}\n"
				}
			}
			start := cputime.Used(t)
			ValidateInstance(text, "")
			if took := cputime.Used(t) - start; took > 30*time.Second {
				t.Errorf("took %s of CPU time", took)
			} else {
				t.Log(took)
			}
		})
	}
}
