package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// Canal's own admin and server are in no registry. Where somebody has unpacked
// their archives, these tests run with them: TOWPATH_CANAL_ADMIN and
// TOWPATH_CANAL_DEPLOYER name the folders, which are left as they are.

func distribution(t *testing.T, variable string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s does not name a folder with Canal's archive unpacked", variable)
	}
	return dir
}

// launchJava starts a program of a distribution in the bin folder of the home.
func (h *home) launchJava(dist, class string, options ...string) {
	h.t.Helper()
	out, err := os.OpenFile(h.outputFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	args := append([]string{"-Xmx512m", "-Dfile.encoding=UTF-8", "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
		"--add-opens=java.base/java.util.concurrent=ALL-UNNAMED"}, options...)
	h.cmd = exec.Command("java", append(args, "-cp", filepath.Join(h.dir, "conf")+":"+filepath.Join(dist, "lib")+"/*", class)...)
	h.cmd.Dir = filepath.Join(h.dir, "bin")
	if err := os.MkdirAll(h.cmd.Dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.cmd.Stdout, h.cmd.Stderr = out, out
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := servers.StartProcess(h.cmd); err != nil {
		h.t.Fatal(err)
	}
	h.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // it is killed
		close(done)
	}(h.cmd, h.done)
}

// startJava starts Canal Admin on the home of an admin.
func (a *adminHome) startJava(dist string) {
	a.t.Helper()
	for _, name := range []string{"canal-template.properties", "instance-template.properties"} {
		b, err := os.ReadFile(filepath.Join(dist, "conf", name))
		if err != nil {
			a.t.Fatal(err)
		}
		a.write("conf/"+name, string(b))
	}
	a.launchJava(dist, "com.alibaba.otter.canal.admin.CanalAdminApplication", "-XX:-ShowCodeDetailsInExceptionMessages")
	a.awaitPort()
}

// onMySQL is the configuration of an admin on a database, as Canal ships it.
func onMySQL(port int, db *servers.Server, more string) string {
	return fmt.Sprintf(`server:
  port: %d
spring:
  jackson:
    date-format: yyyy-MM-dd HH:mm:ss
    time-zone: GMT+8

spring.datasource:
  address: %s
  database: canal_manager
  username: canal
  password: canal
  driver-class-name: com.mysql.jdbc.Driver
  url: jdbc:mysql://${spring.datasource.address}/${spring.datasource.database}?useUnicode=true&characterEncoding=UTF-8&useSSL=false
  hikari:
    maximum-pool-size: 30
    minimum-idle: 1

canal:
  adminUser: admin
  adminPasswd: %s
%s`, port, db.Addr(), fleetPassword, more)
}

// TestJavaAdminIsReplaced drives our server from Canal Admin, puts our admin in
// its place on the same database, and puts Canal's back: K2, D3.
func TestJavaAdminIsReplaced(t *testing.T) {
	dist := distribution(t, "TOWPATH_CANAL_ADMIN")
	source := sharedServer(t, servers.MySQL80)
	w := newWriter(t, source, "java_admin")
	from := at(end(t, source))
	own := servers.ForTest(t, servers.MySQL57)
	own.MustExec(t, "GRANT ALL ON canal_manager.* TO 'canal'@'%'")
	schema, err := os.ReadFile(filepath.Join(dist, "conf", "canal_manager.sql"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := own.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(schema), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			if _, err := conn.Execute(statement); err != nil && !strings.Contains(err.Error(), "Query was empty") {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	_ = conn.Quit()

	z := newTree(t)
	a := newAdmin(t, "")
	a.write("conf/application.yml", onMySQL(a.port, own, "towpath:\n  passwords:\n    keepCanalHash: true\n"))
	a.startJava(dist)
	a.login()
	id := a.cluster("zookeeper", z.addr(z.zk.Addr()), nil)
	a.instance("itkaven", id, source.Addr(), from.with(only("java_admin")))
	h, _ := newManaged(t, a, "zookeeper", "kaven")
	h.start()
	r := read(t, h.options("itkaven"), "java_admin")

	drive := func(who string) {
		t.Helper()
		a.runsOn("itkaven", "kaven")
		kaven, instance := a.server("kaven"), a.listed("itkaven")
		if kaven.Status != "1" {
			t.Errorf("%s: the server is %+v", who, kaven)
		}
		var log string
		a.call("GET", fmt.Sprintf("/nodeServer/log/%d", kaven.ID), nil, &log)
		if !strings.Contains(log, "the canal server is running now") && !strings.Contains(log, "canal") {
			t.Errorf("%s: log of the server: %q", who, log)
		}
		var of struct{ Instance, Log string }
		a.call("GET", fmt.Sprintf("/canal/instance/log/%d/%d", instance.ID, kaven.ID), nil, &of)
		if of.Instance != "itkaven" || of.Log == "" {
			t.Errorf("%s: log of the instance %+v", who, of)
		}
		var ok bool
		a.call("PUT", fmt.Sprintf("/nodeServer/stop/%d", kaven.ID), nil, &ok)
		if !ok || a.server("kaven").Status != "0" {
			t.Errorf("%s: after stop (%v): %+v", who, ok, a.server("kaven"))
		}
		a.call("PUT", fmt.Sprintf("/nodeServer/start/%d", kaven.ID), nil, &ok)
		if !ok {
			t.Errorf("%s: start was refused", who)
		}
		a.runsOn("itkaven", "kaven")
		a.call("PUT", fmt.Sprintf("/canal/instance/stop/%d/%d", instance.ID, kaven.ID), nil, &ok)
		if !ok {
			t.Errorf("%s: release was refused", who)
		}
		a.runsOn("itkaven", "kaven")
		a.call("PUT", fmt.Sprintf("/canal/instance/status/%d?option=stop", instance.ID), nil, &ok)
		eventually(t, startLimit, who+": the instance is stopped", func() bool { return a.listed("itkaven").RunningStatus == "0" })
		a.call("PUT", fmt.Sprintf("/canal/instance/status/%d?option=start", instance.ID), nil, &ok)
		a.runsOn("itkaven", "kaven")
		w.mustWrite(t, 50)
		r.await(w)
	}
	drive("Canal Admin")
	before := a.servers()

	a.kill()
	a.start() // ours, on the same port and database
	a.relogin()
	if after := a.servers(); len(after) != len(before) || after[0].Name != before[0].Name || after[0].ID != before[0].ID {
		t.Errorf("our admin lists %+v, Canal's listed %+v", after, before)
	}
	drive("Towpath")
	a.instance("second", id, source.Addr(), from.with(only("java_admin")))
	a.runsOn("second", "kaven")

	a.kill()
	a.startJava(dist)
	a.relogin()
	drive("Canal Admin again")
	a.runsOn("second", "kaven")
	r.stop().compare(w)
}

// TestAdminDrivesCanal drives a server of Canal's own distribution: K1, P1, P6.
func TestAdminDrivesCanal(t *testing.T) {
	dist := distribution(t, "TOWPATH_CANAL_DEPLOYER")
	db := sharedServer(t, servers.MySQL57)
	z := newTree(t)
	z.put(zktree.CanalRoot, "")
	a := newAdmin(t, "")
	a.start()
	a.login()
	id := a.cluster("zookeeper", z.addr(z.zk.Addr()), nil)
	a.instance("itkaven", id, db.Addr(), nil)
	h, adminPort := newManaged(t, a, "zookeeper", "kaven")
	h.copyFrom(dist, "conf")
	h.launchJava(dist, "com.alibaba.otter.canal.deployer.CanalLauncher", "-Dcanal.conf="+filepath.Join(h.dir, "conf/canal_local.properties"),
		"-Dlogback.configurationFile="+filepath.Join(dist, "conf/logback.xml"))
	a.runsOn("itkaven", "kaven")
	kaven := a.server("kaven")
	if kaven.Status != "1" || kaven.AdminPort != adminPort {
		t.Errorf("the server is %+v", kaven)
	}
	var ok bool
	a.call("PUT", fmt.Sprintf("/nodeServer/stop/%d", kaven.ID), nil, &ok)
	if !ok || a.server("kaven").Status != "0" {
		t.Errorf("after stop (%v): %+v", ok, a.server("kaven"))
	}
	a.call("PUT", fmt.Sprintf("/nodeServer/start/%d", kaven.ID), nil, &ok)
	a.runsOn("itkaven", "kaven")

	// A new main configuration restarts it within its interval.
	started := strings.Count(h.canalLog(), "the canal server is running now")
	var config struct {
		ID      int64
		Content string
	}
	a.call("GET", fmt.Sprintf("/canal/config/%d/0", id), nil, &config)
	a.call("PUT", "/canal/config", map[string]any{"id": config.ID, "clusterId": id, "content": config.Content + "# changed\n"}, nil)
	eventually(t, startLimit, "the Java server has restarted", func() bool { return strings.Count(h.canalLog(), "the canal server is running now") > started })
	a.runsOn("itkaven", "kaven")
}

// copyFrom copies what a folder of a distribution has and the home has not.
func (h *home) copyFrom(dist, folder string) {
	h.t.Helper()
	err := filepath.WalkDir(filepath.Join(dist, folder), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dist, path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(h.dir, name)); err == nil {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			h.write(name, string(b))
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// canalLog is the log of the server as a whole.
func (h *home) canalLog() string {
	b, err := os.ReadFile(filepath.Join(h.dir, "logs", "canal", "canal.log"))
	if err != nil {
		return ""
	}
	return string(b)
}
