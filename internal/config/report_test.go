package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	dir := home(t, map[string]string{
		"canal.properties": strings.Join([]string{
			"canal.destinations = d",
			"canal.zkservers = x",                        // 2: letter case
			"canal.instance.filter.black.regexp = y",     // 3: one letter off
			"completely.different = 1",                   // 4
			"my.host = h",                                // 5: used by d
			"kafka.acks = all",                           // 6
			"kafka.some.option = 1",                      // 7
			"canal.instance.memory.rawEntry = true",      // 8: quiet
			"canal.socketChannel = netty",                // 9
			"canal.mq.vhost = v",                         // 10
			"canal.instance.detecting.interval.time = 3", // 11
			"canal.instance.dbPassword = top",            // 12
			"canal.instance.tsdb.enable = false",         // 13: quiet
			"canal.instance.d.lazy = false",              // 14: known by its pattern
			"canal.instance.global.mode = spring",
		}, "\n"),
		"d/instance.properties": strings.Join([]string{
			"canal.instance.master.address = ${my.host}:1",
			"canal.port = 5", // 2: misplaced
			"canal.instance.detecting.interval.time = ", // 3: hides 3
			"canal.instance.dbPassword = ",              // 4: hides a secret
			"completely.different = 2",
			"canal.mq.topic = t",
		}, "\n"),
	})
	c := load(t, LoadOptions{Home: dir, Environ: []string{"canal.prot=1", "HOME=/x", "canal.instance.rds.accesskey=k"}, Overrides: map[string]string{"canal.conf": "../conf/canal.properties", "x.y": "1"}})
	var got []string
	for _, f := range c.Report() {
		place := strings.ReplaceAll(f.Source.String(), filepath.Join(dir, "conf")+"/", "")
		got = append(got, fmt.Sprintf("%d %s (%s)", f.Kind, strings.Join(f.Keys, " "), place))
	}
	want := []string{
		"0 canal.zkservers (canal.properties:2)",
		"0 canal.instance.filter.black.regexp (canal.properties:3)",
		"0 completely.different (canal.properties:4)",
		"1 canal.mq.topic kafka.acks kafka.some.option (canal.properties:6)",
		"2 canal.socketChannel (canal.properties:9)",
		"2 canal.mq.vhost (canal.properties:10)",
		"3 canal.port (d/instance.properties:2)",
		"1 canal.instance.rds.accesskey (environment)",
		"0 canal.prot (environment)",
		"4 canal.instance.detecting.interval.time (d/instance.properties:3)",
		"4 canal.instance.dbPassword (d/instance.properties:4)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Report =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text := fmt.Sprint(c.Report())
	for _, part := range []string{"case-sensitive: did you mean canal.zkServers?", "did you mean canal.instance.filter.black.regex?", "did you mean canal.port?", "nothing reads it", `hides "3"`, `the value is "5"`} {
		if !strings.Contains(text, part) {
			t.Errorf("the report lacks %q", part)
		}
	}
	if strings.Contains(text, `"top"`) {
		t.Error("the report shows a password")
	}
}

// TestReportProfiles: where cursors are kept, in a cluster.
func TestReportProfiles(t *testing.T) {
	const (
		cluster = "canal.zkServers=zk:2181\n"
		address = "canal.instance.master.address=h:1\n"
		mine    = "canal.instance.d.spring.xml=classpath:spring/mine.xml\n"
	)
	xml := `<beans><bean id="metaManager" class="com.alibaba.otter.canal.meta.PeriodMixedMetaManager"/><bean><property name="logPositionManager"><bean class="com.alibaba.otter.canal.parse.index.ZooKeeperLogPositionManager"/></property></bean></beans>`
	for _, c := range []struct {
		name, text string
		want       []string // parts of the findings, in order
	}{
		{"one server", "", nil},
		{"one server, memory", "canal.instance.global.spring.xml=memory-instance.xml", nil},
		{"Canal's default", cluster, []string{"canal.instance.global.spring.xml (default): cursors are kept in meta.dat"}},
		{"memory", cluster + "canal.instance.d.spring.xml=memory-instance.xml", []string{"canal.instance.d.spring.xml (canal.properties:2): cursors are kept in memory", "canal.instance.global.spring.xml (default): "}},
		{"file", cluster + "canal.instance.global.spring.xml=classpath:spring/file-instance.xml", []string{"canal.instance.global.spring.xml (canal.properties:2): cursors"}},
		{"zookeeper", cluster + "canal.instance.global.spring.xml=classpath:spring/default-instance.xml", nil},
		{"position", cluster + mine + "canal.instance.global.spring.xml=default-instance.xml", []string{"canal.instance.d.spring.xml (canal.properties:2): the position that ZooKeeperLogPositionManager keeps in ZooKeeper (node parse) is neither"}},
		{"no such file", cluster + "canal.instance.global.spring.xml=nowhere.xml", nil},
	} {
		dir := home(t, map[string]string{"canal.properties": c.text, "spring/mine.xml": xml, "d/instance.properties": address, "e/instance.properties": address})
		var got []string
		for _, f := range load(t, LoadOptions{Home: dir}).Report() {
			got = append(got, strings.ReplaceAll(f.String(), filepath.Join(dir, "conf")+"/", ""))
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: Report =\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"canal.prot", "canal.port", 2}, {strings.Repeat("a", 201), "a", 1 << 30}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%.10q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := editDistance(c.b, c.a); got != c.want {
			t.Errorf("editDistance(%q, %.10q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Keys() {
		if seen[k.Name] {
			t.Errorf("%s is listed twice", k.Name)
		}
		seen[k.Name] = true
		if k.Effect == "" || (k.Why == "") != (k.Status == Works) {
			t.Errorf("%s: effect %q, status %v, why %q", k.Name, k.Effect, k.Status, k.Why)
		}
		if strings.Contains(strings.ToLower(k.Name), "passw") && !k.Secret {
			t.Errorf("%s is not marked as secret", k.Name)
		}
	}
	for name, pattern := range map[string]string{
		"canal.instance.foo.lazy":          "canal.instance.<destination>.lazy",
		"canal.instance.global.lazy":       "canal.instance.global.lazy",
		"canal.instance.a.b.spring.xml":    "canal.instance.<destination>.spring.xml",
		"canal.instance.tsdb.spring.xml":   "canal.instance.tsdb.spring.xml",
		"canal.instance.memory.batch.mode": "canal.instance.memory.batch.mode",
		"kafka.ssl.truststore.location":    "kafka.<option>",
		"canal.mq.properties.max.block.ms": "canal.mq.properties.<option>",
	} {
		if k, ok := LookupKey(name); !ok || k.Name != pattern {
			t.Errorf("LookupKey(%s) = %q, want %q", name, k.Name, pattern)
		}
	}
	for _, name := range []string{"", "kafka.", "canal.instance..lazy", "canal.instance.lazy"} {
		if k, ok := LookupKey(name); ok {
			t.Errorf("LookupKey(%q) = %q, want none", name, k.Name)
		}
	}
}

// TestSampleFilesCoverKeys: every key that does something stands in a sample
// file, set or in a comment, unless it is one of a second kind of set-up.
func TestSampleFilesCoverKeys(t *testing.T) {
	var text string
	for _, name := range []string{"canal.properties", "example/instance.properties"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "conf", name))
		if err != nil {
			t.Fatal(err)
		}
		text += string(data)
	}
	elsewhere := []string{"canal.instance.destination", "canal.instance.defaultDatabaseName"}
	second := strings.NewReplacer(".standby.", ".master.", ".master1.", ".master.", ".standby1.", ".master.", ".master2.", ".master.", ".standby2.", ".master.")
	for _, k := range Keys() {
		if k.Status == Works && !k.isPattern() && !strings.Contains(text, k.Name+" =") && !slices.Contains(elsewhere, k.Name) &&
			!strings.Contains(text, second.Replace(k.Name)+" =") {
			t.Errorf("%s is in no sample file", k.Name)
		}
	}
}
