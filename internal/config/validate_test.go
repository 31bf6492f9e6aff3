package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// told are the problems, one in a line.
func told(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d %s %s: %s | %s\n", p.Line, p.Severity, p.Key, p.Message, p.Suggestion)
	}
	return b.String()
}

const soundInstance = "canal.instance.master.address = db:3306\ncanal.instance.dbUsername = u\ncanal.instance.dbPassword = p\n"

func TestValidateInstanceText(t *testing.T) {
	const sound = soundInstance // three lines
	for _, c := range []struct{ name, text, want string }{
		{"sound", sound, ""},
		{"nothing", "", "0 error canal.instance.master.address: there is no server to read from | write canal.instance.master.address = host:3306\n" +
			"0 warning canal.instance.dbUsername: there is no user for the source; Canal's default is hardly yours | write canal.instance.dbUsername = the user's name\n" +
			"0 warning canal.instance.dbPassword: there is no password for the source; Canal's default is hardly yours | write canal.instance.dbPassword = the user's password\n"},
		{"blank address", "canal.instance.master.address =\ncanal.instance.dbUsername = u\ncanal.instance.dbPassword = p\n",
			"1 error canal.instance.master.address: there is no server to read from | write canal.instance.master.address = host:3306\n"},
		{"escape", sound + `canal.instance.defaultDatabaseName = \u12`, `4 error canal.instance.defaultDatabaseName: malformed \uXXXX escape: the text cannot be read | write four hexadecimal digits behind \u, or \\u for a literal \u` + "\n"},
		{"no separator", sound + "nonsense", "4 warning nonsense: there is no = in this line: all of it is taken for a key without a value | write key = value, or # before a comment\n"},
		{"unknown", sound + "canal.instance.dbUserName = x", "4 warning canal.instance.dbUserName: unknown key; names are case-sensitive | did you mean canal.instance.dbUsername?\n"},
		{"misspelt", sound + "canal.instance.filter.regx = x", "4 warning canal.instance.filter.regx: unknown key; nothing reads it | did you mean canal.instance.filter.regex?\n"},
		{"own name", sound + "my.schema = x\ncanal.instance.defaultDatabaseName = ${my.schema}", ""},
		{"misplaced", sound + "canal.port = 1", "4 warning canal.port: without effect: this key is read from canal.properties only | move the line to canal.properties, the main configuration\n"},
		{"wrong value", sound + "canal.instance.transaction.size = many", `4 error canal.instance.transaction.size: "many" cannot be used | want a whole number from 1 to 2147483647` + "\n"},
		{"wrong regex", sound + "canal.instance.filter.regex = a(b", "4 error canal.instance.filter.regex: "},
		{"backslash", sound + `canal.instance.filter.regex = .*\..*`, `4 warning canal.instance.filter.regex: a single \ is lost in a properties file: this is read as ".*..*" | write .*\\..*` + "\n"},
		{"two backslashes", sound + `canal.instance.filter.regex = .*\\..*`, ""},
		{"backslash in a password", "canal.instance.master.address = db:3306\ncanal.instance.dbUsername = u\n" + `canal.instance.dbPassword = a\bc`, `3 warning canal.instance.dbPassword: a single \ is lost in a properties file | write \\ for each \` + "\n"},
		{"like", sound + "canal.instance.filter.regex = shop.order%", "4 warning canal.instance.filter.regex: % stands for itself in a regular expression | write .* for any text\n"},
		{"repeated", sound + "canal.instance.dbUsername = v", "4 warning canal.instance.dbUsername: the key stands on line 2 already; the last one counts | remove line 2\n"},
		{"comment", sound + "canal.instance.defaultDatabaseName = shop # mine", "4 warning canal.instance.defaultDatabaseName: a comment behind a value is a part of the value | give the comment a line of its own\n"},
		{"swallowed", "canal.instance.master.address = db:3306\ncanal.instance.dbUsername = u\\\ncanal.instance.dbPassword = p\n",
			"0 warning canal.instance.dbPassword: there is no password"},
		{"no effect", sound + "canal.instance.memory.rawEntry = false", "4 info canal.instance.memory.rawEntry: without effect: " + whyRaw + " | \n"},
		{"masked", "canal.instance.master.address = db:3306\ncanal.instance.dbUsername = u\ncanal.instance.dbPassword = ******\ncanal.instance.enableDruid = true\n", ""},
		{"circle", sound + "canal.instance.defaultDatabaseName = ${a}\na = ${b}\nb = ${a}", "refer to each other in a circle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(Validate(InstanceText, c.text))
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestValidateServerText(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"several wrong values", "canal.port = x\ncanal.auto.scan.interval = 0\n",
			"1 error canal.port: \"x\" cannot be used | want a whole number from 0 to 65535\n2 error canal.auto.scan.interval: \"0\" cannot be used | want a whole number from 1 to 86400\n"},
		{"queue", "canal.serverMode = kafka\n", `1 error canal.serverMode: "kafka" cannot be used | message queue producers are not supported`},
		{"source of one instance", "canal.instance.master.address = db:3306\n", "1 warning canal.instance.master.address: with an admin this value is that of every instance"},
		{"missing password", "canal.user = u\n", "0 error canal.passwd: "},
		{"masked password", "canal.user = u\ncanal.passwd = ******\n", ""},
		{"not quite true", "canal.auto.scan = 1\n", "1 warning canal.auto.scan: "},
		{"unknown", "canal.prot = 1\n", "1 warning canal.prot: unknown key; nothing reads it | did you mean canal.port?\n"},
		{"not yet", "canal.mq.topic = t\n", "1 info canal.mq.topic: without effect: " + whyQueue},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(Validate(ServerText, c.text))
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// What is shipped must not be found fault with, but for the missing password.
func TestValidateShippedTexts(t *testing.T) {
	for file, kind := range map[string]TextKind{"canal.properties": ServerText, "example/instance.properties": InstanceText} {
		text, err := os.ReadFile("../../conf/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Validate(kind, string(text)) {
			if p.Severity != ProblemInfo && p.Key != adminPasswdKey {
				t.Errorf("%s: %+v", file, p)
			}
		}
	}
}

func TestValidateInstanceUnderServer(t *testing.T) {
	server := "# main\ncanal.instance.dbUsername = other\ncanal.instance.defaultDatabaseName = ${shop}\ncanal.instance.global.spring.xml = classpath:spring/default-instance.xml\ncanal.zkServers = zk:2181\n"
	got := told(ValidateInstance(soundInstance+"shop = x\n", server))
	want := "2 warning canal.instance.dbUsername: without effect: with an admin the value in line 2 of the server's canal.properties counts | remove the key from one of the two\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := told(ValidateInstance(soundInstance, "canal.instance.transaction.size = many\n")); !strings.Contains(got, `0 error canal.instance.transaction.size: "many" of canal-admin: canal.properties line 1 cannot be used`) {
		t.Errorf("a wrong value of the server: got\n%s", got)
	}
}

func TestValidateInstanceInFileMode(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(home+"/conf", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(home+"/conf/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("canal.properties", "canal.instance.dbUsername = shared\ncanal.instance.dbPassword = p\ncanal.instance.transaction.size = 7\n")
	c, err := Load(LoadOptions{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	got := told(c.ValidateInstance("canal.instance.master.address = db:3306\ncanal.instance.transaction.size =\n"))
	want := "2 warning canal.instance.transaction.size: this blank line hides the value in line 3 of canal.properties | remove the line, or give it a value\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	in, err := c.InstanceFrom("orders", "canal.instance.master.address = db:3306\n")
	if err != nil || in.User != "shared" || in.Destination != "orders" || in.Master.Address != "db:3306" {
		t.Errorf("instance from a text: %+v, %v", in, err)
	}
}

func TestFromText(t *testing.T) {
	c, err := FromText("canal.port = 4711\ncanal.instance.dbUsername = shared\ncanal.instance.global.spring.xml = /etc/passwd\n")
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.InstanceFrom("orders", soundInstance)
	if err != nil || in.User != "shared" || c.Server().Port != 4711 || in.TimeZone == nil {
		t.Errorf("got %+v of %+v, %v", in, c.Server(), err)
	}
	if _, err := c.InstanceFrom("../x", soundInstance); err == nil {
		t.Error("a path was taken for a destination")
	}
	if _, err := FromText("canal.port = x"); err == nil {
		t.Error("a wrong port was accepted")
	}
}

func FuzzValidate(f *testing.F) {
	f.Add(true, soundInstance)
	f.Add(false, "canal.port = x\ncanal.user = u\n")
	f.Add(true, "canal.instance.filter.regex = a\\.b,\\\ncanal.instance.dbPassword = ${a}\na=${a}\n\\u")
	f.Fuzz(func(t *testing.T, instance bool, text string) {
		kind := ServerText
		if instance {
			kind = InstanceText
		}
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
		problems := Validate(kind, text)
		if len(problems) > maxProblems {
			t.Errorf("%d problems", len(problems))
		}
		last := 0
		for _, p := range problems {
			if p.Line < last || p.Line > lines || p.Message == "" {
				t.Errorf("%+v, behind line %d of %d", p, last, lines)
			}
			last = p.Line
		}
	})
}
