package config

import (
	"path/filepath"
	"strings"
	"testing"
)

const groupXML = "canal.instance.global.spring.xml=classpath:spring/group-instance.xml\n"

func TestGroup(t *testing.T) {
	in, err := instance(t, groupXML+"canal.instance.master.sslMode=required", strings.Join([]string{
		"canal.instance.master1.address=a:1", "canal.instance.master1.journal.name=mysql-bin.000003", "canal.instance.master1.position=7",
		"canal.instance.standby1.address=b:1",
		"canal.instance.master2.address=c:1", "canal.instance.master2.timestamp=5",
		"canal.instance.master3.address=d:1",
		"canal.instance.master5.address=e:1", // not in the row
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := in.Sources()
	if len(all) != 3 || len(in.Group) != 3 || in.Meta != MetaFile || in.Master.Address != "a:1" {
		t.Fatalf("%d sources, %d in the group, cursors %v, master %q", len(all), len(in.Group), in.Meta, in.Master.Address)
	}
	first, second := all[0], all[1]
	if first.Master.Start != (StartPosition{File: "mysql-bin.000003", Offset: 7}) || first.Standby.Address != "b:1" || first.Master.TLS.Mode != "REQUIRED" {
		t.Errorf("first: %+v", first)
	}
	if second.Master.Address != "c:1" || second.Master.Start.Timestamp != 5 || second.Standby.Address != "" || second.Group != nil {
		t.Errorf("second: %+v", second)
	}
	if _, known := LookupKey("canal.instance.master3.address"); !known {
		t.Error("the third server's key is unknown")
	}
}

func TestGroupInZooKeeper(t *testing.T) {
	in, err := instance(t, groupXML+"canal.zkServers=zk:2181", "canal.instance.master1.address=a:1")
	if err != nil || in.Meta != MetaZooKeeper || len(in.Group) != 1 {
		t.Errorf("cursors %v, %d sources, %v", in.Meta, len(in.Group), err)
	}
}

func TestLocalBinlog(t *testing.T) {
	in, err := instance(t, "", "towpath.instance.localBinlog.dir=/var/binlogs")
	if err != nil || in.Local != (Local{Dir: "/var/binlogs", Wait: true}) || in.Master.Address != "" || len(in.Sources()) != 1 {
		t.Errorf("%+v, master %q, %v", in.Local, in.Master.Address, err)
	}
	in, err = instance(t, "", strings.Join([]string{
		"towpath.instance.localBinlog.dir=../binlogs", "towpath.instance.localBinlog.name=mysql-bin", "towpath.instance.localBinlog.wait=false",
		"towpath.instance.localBinlog.serverId=7", "canal.instance.master.address=h:1", "canal.instance.master.journal.name=mysql-bin.000002"}, "\n"))
	want := Local{Dir: in.Local.Dir, Name: "mysql-bin", ServerID: 7}
	if err != nil || in.Local != want || !filepath.IsAbs(in.Local.Dir) || filepath.Base(in.Local.Dir) != "binlogs" ||
		in.Master.Address != "h:1" || in.Master.Start.File != "mysql-bin.000002" {
		t.Errorf("%+v, master %+v, %v", in.Local, in.Master, err)
	}
}

// TestSpringFileWithParsers reads files of one's own that have Canal's parser of a
// group, and of local files, which must not be taken for a MySQL parser.
func TestSpringFileWithParsers(t *testing.T) {
	file := func(parser string) string {
		return `<beans><bean id="metaManager" class="com.alibaba.otter.canal.meta.MemoryMetaManager"/><bean id="eventParser" class="com.alibaba.otter.canal.parse.inbound.` + parser + `"/></beans>`
	}
	load := func(parser, own string) (Instance, error) {
		c := load(t, LoadOptions{Home: home(t, map[string]string{
			"canal.properties": "canal.instance.global.spring.xml=classpath:spring/mine.xml", "spring/mine.xml": file(parser), "d/instance.properties": own})})
		return c.Instance("d")
	}
	in, err := load("group.GroupEventParser", "canal.instance.master1.address=a:1\ncanal.instance.master2.address=b:1")
	if err != nil || len(in.Group) != 2 || in.Meta != MetaMemory {
		t.Errorf("group: %d sources, cursors %v, %v", len(in.Group), in.Meta, err)
	}
	if _, err = load("mysql.LocalBinlogEventParser", "canal.instance.master.address=a:1"); err == nil || !strings.Contains(err.Error(), localDirKey) {
		t.Errorf("files without a folder: %v", err)
	}
	if in, err = load("mysql.LocalBinlogEventParser", localDirKey+"=/x"); err != nil || in.Local.Dir != "/x" {
		t.Errorf("files: %+v, %v", in.Local, err)
	}
}

func TestValidateSources(t *testing.T) {
	for name, c := range map[string]struct{ server, text, want string }{
		"files":         {"", localDirKey + "=/x", ""},
		"group":         {groupXML, "canal.instance.master1.address=a:1\ncanal.instance.dbUsername=u\ncanal.instance.dbPassword=p", ""},
		"empty group":   {groupXML, "canal.instance.dbUsername=u\ncanal.instance.dbPassword=p", "canal.instance.master1.address"},
		"none":          {"", "canal.instance.dbUsername=u\ncanal.instance.dbPassword=p", "canal.instance.master.address"},
		"files, number": {"", localDirKey + "=/x\ntowpath.instance.localBinlog.serverId=x", "towpath.instance.localBinlog.serverId"},
	} {
		var worst []string
		for _, p := range ValidateInstance(c.text, c.server) {
			worst = append(worst, p.Key)
		}
		if strings.Join(worst, " ") != c.want {
			t.Errorf("%s: problems with %q, want %q", name, worst, c.want)
		}
	}
}
