package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// instance loads one destination "d" from the two files.
func instance(t *testing.T, global, own string) (Instance, error) {
	t.Helper()
	c := load(t, LoadOptions{Home: home(t, map[string]string{"canal.properties": global, "d/instance.properties": own})})
	return c.Instance("d")
}

func TestInstanceErrors(t *testing.T) {
	const (
		address = "canal.instance.master.address=h:1\n"
		group   = "canal.instance.global.spring.xml=classpath:spring/group-instance.xml"
	)
	for _, c := range []struct{ name, global, own, want string }{
		{"no address", "", "x=1", "canal.instance.master.address"},
		{"address without port", "", "canal.instance.master.address=localhost", `instance.properties:1): want host:port`},
		{"address port", "", "canal.instance.master.address=localhost:99999", "port from 1 to 65535"},
		{"number", "", address + "canal.instance.network.soTimeout=ten", "instance.properties:2): want a whole number"},
		{"global number", "canal.instance.network.soTimeout=ten", address, "canal.properties:1): want a whole number"},
		{"boolean", "", address + "canal.instance.gtidon=si", "want true or false"},
		{"ring", "", address + "canal.instance.memory.buffer.size=1000", "bufferSize must be a power of 2"},
		{"huge ring", "", address + "canal.instance.memory.buffer.size=1073741824", "from 1 to"},
		{"zero ring", "", address + "canal.instance.memory.buffer.size=0", "from 1 to"},
		{"batch mode", "", address + "canal.instance.memory.batch.mode=memsize", "want MEMSIZE, ITEMSIZE"},
		{"tls", "", address + "canal.instance.master.sslMode=ON", "want DISABLED, PREFERRED"},
		{"format", "", address + "canal.instance.binlog.format=ROW,COLUMN", "want a list of ROW"},
		{"server id", "", address + "canal.instance.mysql.slaveId=4294967296", "from"},
		{"cycle", "", address + "canal.instance.dbUsername=${canal.instance.dbUsername}", "circle"},
		{"charset", "", address + "canal.instance.connectionCharset=KLINGON", "Java name of a character set"},
		{"white list", "", address + "canal.instance.filter.regex=a(b", `instance.properties:2): filter "^a(b$"`},
		{"black list", "", address + "canal.instance.filter.black.regex=a++", "possessive"},
		{"druid", "", address + "canal.instance.enableDruid=true", "want a password encrypted"},
		{"manager mode", "canal.instance.d.mode=manager", address, "canal.admin.manager set"},
		{"mode", "canal.instance.global.mode=foo", address, "want spring"},
		{"group", group, address, "canal.instance.master1.address"},
		{"group, twice the same", group, "canal.instance.master1.address=a:1\ncanal.instance.master2.address=b:1\ncanal.instance.standby2.address=a:1", "a:1 stands twice"},
		{"group, standby alone", group, "canal.instance.master1.address=a:1\ncanal.instance.standby2.address=b:1", "canal.instance.standby2.address takes the place"},
		{"group of files", group, "canal.instance.master1.address=a:1\ntowpath.instance.localBinlog.dir=/x", "a group reads servers"},
		{"server id of files", "", "towpath.instance.localBinlog.dir=/x\ntowpath.instance.localBinlog.serverId=-1", "from 0 to"},
		{"zookeeper alone", "canal.instance.global.spring.xml=classpath:spring/default-instance.xml", address, `canal.instance.global.spring.xml = "classpath:spring/default-instance.xml" (`},
		{"zookeeper alone, other key", "canal.instance.d.spring.xml=default-instance.xml\ncanal.zkServers=", address, "canal.properties:1): this keeps cursors in ZooKeeper: set canal.zkServers"},
		{"preferred", "", address + "towpath.instance.preferred=10.0.0.1:11111,10.0.0.2", `instance.properties:2): "10.0.0.2": want host:port`},
		{"preferred port", "", address + "towpath.instance.preferred=10.0.0.1:0", "port from 1 to 65535"},
		{"linger", "", address + "towpath.instance.get.linger=-1", "from 0 to 60000"},
		{"unknown xml", "canal.instance.global.spring.xml=classpath:spring/mine.xml", address, "want file-instance.xml"},
		{"syntax", "", `x=\u1`, "instance.properties:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := instance(t, c.global, c.own)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "destination d: ") {
				t.Errorf("error %v does not name the destination", err)
			}
		})
	}
}

func TestGetLinger(t *testing.T) {
	const address = "canal.instance.master.address=h:1\n"
	for _, c := range []struct {
		name, global, own string
		want              time.Duration // -1: as Canal
	}{
		{"absent", "", "", -1},
		{"blank", "towpath.instance.get.linger=5", "towpath.instance.get.linger=", -1},
		{"zero", "", "towpath.instance.get.linger=0", 0},
		{"own", "towpath.instance.get.linger=5", "towpath.instance.get.linger=2", 2 * time.Millisecond},
		{"of all", "towpath.instance.get.linger=5", "", 5 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := instance(t, c.global, address+c.own)
			if err != nil {
				t.Fatal(err)
			}
			got := time.Duration(-1)
			if in.GetLinger != nil {
				got = *in.GetLinger
			}
			if got != c.want {
				t.Errorf("linger %v, want %v", got, c.want)
			}
		})
	}
}

// TestOtherInstancesGoOn: a mistake in one folder is that folder's own.
func TestOtherInstancesGoOn(t *testing.T) {
	c := load(t, LoadOptions{Home: home(t, map[string]string{
		"canal.properties":          "canal.destinations=good,bad",
		"good/instance.properties":  "canal.instance.master.address=h:1",
		"bad/instance.properties":   "canal.instance.master.address=h:1\ncanal.instance.gtidon=x\ncanal.instance.dbPassword=${p}\np=secret\ncanal.instance.network.soTimeout=y",
		"ugly/Instance.Properties":  "canal.instance.master.address=h:2",
		"other/instance.properties": `\uu`,
	})})
	if _, err := c.Instance("good"); err != nil {
		t.Error(err)
	}
	_, err := c.Instance("bad")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("error = %v, want both mistakes", err)
	}
	if e := (*ValueError)(nil); !errors.As(err, &e) || e.Destination != "bad" || e.Source.Line != 2 {
		t.Errorf("error = %#v", err)
	}
	if in, err := c.Instance("ugly"); err != nil || in.Master.Address != "h:2" {
		t.Errorf("file name in other letters: %v, %v", in.Master, err)
	}
	for _, name := range []string{"", "..", "a/b", "a\\b"} {
		if _, err := c.Instance(name); err == nil {
			t.Errorf("destination %q is accepted", name)
		}
	}
}

func TestInstanceValues(t *testing.T) {
	own := strings.Join([]string{
		"canal.instance.master.address = ::1:3306 ", "canal.instance.standby.address=[fe80::1]:3307",
		"canal.instance.master.position= 12 34 ", "canal.instance.master.timestamp=0x10", "canal.instance.mysql.slaveId=-5",
		"canal.instance.master.sslMode=required", "canal.instance.master.tlsVersions=TLSV1.2, TLSv1.3",
		"canal.instance.connectionCharset=utf8mb4", "canal.instance.gtidon=ON", "canal.instance.memory.batch.mode=ITEMSIZE",
		"canal.instance.detecting.interval.time=", "canal.instance.parser.parallelThreadSize=0", "canal.instance.filter.regex=",
		"canal.instance.master.trustCertificateKeyStoreUrl=file:../a", "canal.instance.master.clientCertificateKeyStoreUrl=../conf/c.pem",
		"canal.instance.dbPassword=${pw:x}", "pw=p$w", "towpath.instance.preferred = 10.0.0.2:11111, ::1:11112,,10.0.0.2:11111",
	}, "\n")
	in, err := instance(t, "canal.instance.detecting.interval.time=3\ncanal.instance.filter.regex=a\ncanal.instance.global.lazy=TRUE\ncanal.instance.d.lazy=false\ncanal.instance.global.spring.xml=spring/memory-instance.xml\ncanal.instance.binlog.format= row ,", own)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"master", in.Master.Address, "[::1]:3306"},
		{"standby", in.Standby.Address, "[fe80::1]:3307"},
		{"position", in.Master.Start.Offset, int64(1234)},
		{"timestamp", in.Master.Start.Timestamp, int64(16)},
		{"server id", in.ServerID, uint32(0)},
		{"preferred", strings.Join(in.Preferred, " "), "10.0.0.2:11111 [::1]:11112"},
		{"tls", in.Master.TLS.Mode, "REQUIRED"},
		{"versions", strings.Join(in.Master.TLS.Versions, " "), "TLSv1.2 TLSv1.3"},
		{"trust store", in.Master.TLS.TrustStore.URL, "file:../a"},
		{"client store", filepath.IsAbs(in.Master.TLS.ClientStore.URL) && strings.HasSuffix(in.Master.TLS.ClientStore.URL, "/conf/c.pem"), true},
		{"charset", in.ConnectionCharset, "UTF-8"},
		{"gtid", in.GTIDMode, true},
		{"batch mode", in.BatchMode, ItemSize},
		{"masked interval", in.DetectingInterval, 5 * time.Second},
		{"threads", in.ParallelThreads, 1},
		{"masked regex", in.WhiteRegex, `.*\..*`},
		{"password", in.Password, "p$w"},
		{"user", in.User, "retl"},
		{"lazy", in.Lazy, false},
		{"meta", in.Meta, MetaMemory},
		{"formats", slices.Equal(in.BinlogFormats, []string{"ROW"}), true},
		{"parallel", in.Parallel, true},
		{"sql", in.DetectingSQL, ""},
	} {
		if c.got != c.want {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
}

// TestInstanceReadsAnew: a reload sees what changed, in both files.
func TestInstanceReadsAnew(t *testing.T) {
	dir := home(t, map[string]string{"canal.properties": "canal.instance.dbUsername=a", "d/instance.properties": "canal.instance.master.address=h:1"})
	c := load(t, LoadOptions{Home: dir})
	write(t, filepath.Join(dir, "conf", "canal.properties"), "canal.instance.dbUsername=b")
	write(t, filepath.Join(dir, "conf", "d", "instance.properties"), "canal.instance.master.address=h:2")
	in, err := c.Instance("d")
	if err != nil || in.User != "b" || in.Master.Address != "h:2" {
		t.Errorf("user %s at %s, %v", in.User, in.Master.Address, err)
	}
}

// TestConfDirElsewhere: folders that are scanned are also read.
func TestConfDirElsewhere(t *testing.T) {
	dir := home(t, map[string]string{"canal.properties": "canal.conf.dir=../instances"})
	c := load(t, LoadOptions{Home: dir})
	write(t, filepath.Join(dir, "instances", "d", "instance.properties"), "canal.instance.master.address=h:2")
	if in, err := c.Instance("d"); err != nil || in.Master.Address != "h:2" {
		t.Errorf("address %s, %v", in.Master.Address, err)
	}
}

// The vectors were made with ConfigTools of Druid 1.2.17.
func TestDruidPassword(t *testing.T) {
	const (
		key512     = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALMGV6QcE65FDie4aYhd2aDrZSqeBEeF4k8UXgvqeHJwSoLe+RQ3i9EHmqqfhgdh+ABsEnjritdHA2CDYio9vzECAwEAAQ=="
		sealed512  = "b73EOF4ehzEJu2QcbdZR2Vl+T9OW02YA6d95s+aFFmV7YGBAuCwkVUGz3xhJGwd/l4xdiOPVtYLwEw1oKe2Nhw=="
		key1024    = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDUdklUwpGHu2hTixkfqAm1J7MPGSd/3+drueX4V9QPL03YY30mMC/xXlRXYZPbFAWA6cfLn5Pb8BqaRcskYih37Ao4puP3RkYdoUDOTC5z5ke5BtbWp74silAD3djfaToJNqeM3yRhIaBn9tfQnRO++t/JB108kPmUQs4WV1MVrwIDAQAB"
		sealed1024 = "xPWucCH4Zw5uxmUyl7lB9NijPP6Udsqs/cTJYHwg/E5XsNe6oI3dKBJIljfh2pH6OjaXu//HXVe/TfwaIy3t5HAtlws/k+OXcz62S1WXZDxPKPL018BtA5XY22fMPae6nNf76MhOYilGoVM9JFQHmLXVHtDsOmj3tuWyCEp66Ns="
	)
	for _, c := range []struct{ key, sealed, want string }{{key512, sealed512, "s3cret pässword"}, {key1024, sealed1024, "canal"}} {
		in, err := instance(t, "", "canal.instance.master.address=h:1\ncanal.instance.enableDruid=true\ncanal.instance.pwdPublicKey="+c.key+"\ncanal.instance.dbPassword="+c.sealed)
		if err != nil || in.Password != c.want {
			t.Errorf("password = %q, %v; want %q", in.Password, err, c.want)
		}
	}
	for _, c := range [][2]string{{key512, sealed1024}, {key1024, sealed512}, {key512, "%"}, {"%", sealed512}, {key512[:40], sealed512}} {
		_, err := instance(t, "", "canal.instance.master.address=h:1\ncanal.instance.enableDruid=true\ncanal.instance.pwdPublicKey="+c[0]+"\ncanal.instance.dbPassword="+c[1])
		if err == nil || strings.Contains(err.Error(), c[1]+`"`) {
			t.Errorf("error = %v, want one that does not show the text", err)
		}
	}
}

func FuzzDecryptDruid(f *testing.F) {
	f.Add("MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALMGV6QcE65FDie4aYhd2aDrZSqeBEeF4k8UXgvqeHJwSoLe+RQ3i9EHmqqfhgdh+ABsEnjritdHA2CDYio9vzECAwEAAQ==", "b73EOF4=")
	f.Fuzz(func(t *testing.T, key, text string) {
		if plain, err := decryptDruid(key, text); err != nil && plain != "" {
			t.Errorf("text %q with error %v", plain, err)
		}
	})
}

func TestCustomSpringFile(t *testing.T) {
	bean := func(meta, position string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><beans><bean id="metaManager" class="com.alibaba.otter.canal.meta.` + meta + `"/>
<bean id="eventParser"><property name="logPositionManager"><bean class="com.alibaba.otter.canal.parse.index.` + position + `"><constructor-arg><bean class="com.alibaba.otter.canal.parse.index.MetaLogPositionManager"/></constructor-arg></bean></property><property name="x"><bean class="other.Thing"/></property></bean></beans>`
	}
	const index = "com.alibaba.otter.canal.parse.index."
	for _, c := range []struct {
		name, xml string
		want      MetaMode
		positions string
		err       string
	}{
		{"file", bean("FileMixedMetaManager", "FailbackLogPositionManager"), MetaFile, "", ""},
		{"memory", bean("MemoryMetaManager", "MemoryLogPositionManager"), MetaMemory, "", ""},
		{"zookeeper", bean("PeriodMixedMetaManager", "FailbackLogPositionManager"), MetaZooKeeper, "", ""},
		{"mixed", bean("MixedMetaManager", "MixedLogPositionManager"), MetaZooKeeperMixed, index + "MixedLogPositionManager", ""},
		{"pure zookeeper", bean("ZooKeeperMetaManager", "ZooKeeperLogPositionManager"), MetaZooKeeperPure, index + "ZooKeeperLogPositionManager", ""},
		{"file and position in zookeeper", bean("FileMixedMetaManager", "PeriodMixedLogPositionManager"), MetaFile, index + "PeriodMixedLogPositionManager", ""},
		{"memory and position in zookeeper", bean("MemoryMetaManager", "ZooKeeperLogPositionManager"), 0, "", "cursors are in memory"},
		{"unknown meta", bean("MyMetaManager", "FailbackLogPositionManager"), 0, "", "MyMetaManager"},
		{"unknown position", bean("FileMixedMetaManager", "FileMixedLogPositionManager"), 0, "", "FileMixedLogPositionManager"},
		{"none", "<beans/>", 0, "", "no bean metaManager"},
		{"broken", "<beans><bean", 0, "", "EOF"},
	} {
		got, err := readProfile([]byte(c.xml))
		if got != (profile{meta: c.want, positions: c.positions}) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, got, err, c.want, c.err)
		}
	}
	cfg := load(t, LoadOptions{Home: home(t, map[string]string{
		"canal.properties":      "canal.instance.d.spring.xml=classpath:spring/mine.xml\ncanal.instance.master.address=h:1\ncanal.zookeeper.flush.period=7\ncanal.zkServers=zk:2181",
		"spring/mine.xml":       bean("PeriodMixedMetaManager", "FailbackLogPositionManager"),
		"d/instance.properties": "",
	})})
	if in, err := cfg.Instance("d"); err != nil || in.Meta != MetaZooKeeper || in.FlushPeriod != 7*time.Millisecond {
		t.Errorf("meta %v, period %v, %v", in.Meta, in.FlushPeriod, err)
	}
}

func FuzzReadProfile(f *testing.F) {
	f.Add([]byte(`<beans><bean id="metaManager" class="com.alibaba.otter.canal.meta.MemoryMetaManager"/></beans>`))
	f.Fuzz(func(t *testing.T, data []byte) { readProfile(data) })
}
