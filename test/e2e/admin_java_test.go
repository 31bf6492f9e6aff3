package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// canalServer and canalInstance are rows of the admin's lists.
type canalServer struct {
	ID                             int64
	ClusterID                      *int64
	Name, IP, Status               string
	AdminPort, TCPPort, MetricPort int
}

type canalInstance struct {
	ID                  int64
	Name, RunningStatus string
	NodeServer          *canalServer
}

type pageOf[T any] struct {
	Count int64
	Items []T
}

func (a *adminHome) servers() []canalServer {
	a.t.Helper()
	var page pageOf[canalServer]
	a.call("GET", "/nodeServers?name=&ip=&clusterId=&page=1&size=100", nil, &page)
	return page.Items
}

// server is the server of a name, nil when there is none.
func (a *adminHome) server(name string) *canalServer {
	a.t.Helper()
	for _, s := range a.servers() {
		if s.Name == name {
			return &s
		}
	}
	return nil
}

// listed is the instance of a name, nil when there is none.
func (a *adminHome) listed(name string) *canalInstance {
	a.t.Helper()
	var page pageOf[canalInstance]
	a.call("GET", "/canal/instances?name="+name+"&clusterServerId=&page=1&size=100", nil, &page)
	for _, i := range page.Items {
		if i.Name == name {
			return &i
		}
	}
	return nil
}

// runsOn waits until an instance runs on the server of a name.
func (a *adminHome) runsOn(instance, server string) {
	a.t.Helper()
	eventually(a.t, startLimit, instance+" runs on "+server, func() bool {
		i := a.listed(instance)
		return i != nil && i.RunningStatus == "1" && i.NodeServer != nil && i.NodeServer.Name == server
	})
}

// cluster stores a cluster with a main configuration for servers that keep
// cursors in ZooKeeper, and returns its id.
func (a *adminHome) cluster(name, zkHosts string, set settings) int64 {
	a.t.Helper()
	a.call("POST", "/canal/cluster", map[string]string{"name": name, "zkHosts": zkHosts}, nil)
	var all []struct {
		ID   int64
		Name string
	}
	a.call("GET", "/canal/clusters", nil, &all)
	for _, c := range all {
		if c.Name != name {
			continue
		}
		text := stock(a.t, "canal.properties", settings{
			"canal.zkServers": zkHosts, "canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
			"canal.destinations": "", "canal.auto.scan.interval": "1", "canal.instance.tsdb.enable": "false",
		}.with(set))
		a.call("PUT", "/canal/config", map[string]any{"clusterId": c.ID, "name": "canal.properties", "content": text}, nil)
		return c.ID
	}
	a.t.Fatalf("the cluster %s is not stored", name)
	return 0
}

// instance stores an instance of a cluster.
func (a *adminHome) instance(name string, clusterID int64, source string, set settings) {
	a.t.Helper()
	text := stock(a.t, "example/instance.properties", settings{"canal.instance.master.address": source}.with(set))
	a.call("POST", "/canal/instance", map[string]string{"name": name, "content": text, "clusterServerId": fmt.Sprintf("cluster:%d", clusterID)}, nil)
}

// TestAdminDrivesAJavaServer has Canal's own client of the configuration and its
// own admin port on the other side: K1, P1.
func TestAdminDrivesAJavaServer(t *testing.T) {
	db := sharedServer(t, servers.MySQL57)
	z := newTree(t)
	a := newAdmin(t, "")
	a.start()
	a.login()
	id := a.cluster("zookeeper", z.addr(z.zk.Addr()), nil)
	a.instance("itkaven", id, db.Addr(), nil)

	adminPort, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	z.put(zktree.CanalRoot, "") // Java's client does not make the root that it works below
	java := peers.StartJavaServer(t, peers.SmallHeap, "--zk", z.addr(z.zk.Addr()), "--manager", a.addr(), "--manager-passwd", canalHash(fleetPassword),
		"--admin-port", fmt.Sprint(adminPort), "--cluster", "zookeeper", "--name", "kaven")
	a.runsOn("itkaven", "kaven")
	kaven := a.server("kaven")
	if kaven.Status != "1" || kaven.AdminPort != adminPort || kaven.TCPPort != adminPort+1 || kaven.MetricPort != adminPort+2 {
		t.Errorf("the server that registered is %+v", kaven)
	}
	if data, _, ok := z.get(zktree.Running("itkaven")); !ok || !strings.Contains(data, java.Addr()) {
		t.Errorf("running node %q, want %s in it", data, java.Addr())
	}

	// Its log, by the words that only the Java side has.
	var log string
	a.call("GET", fmt.Sprintf("/nodeServer/log/%d", kaven.ID), nil, &log)
	if want := "a line of the Java server\n"; log != want {
		t.Errorf("log %q, want %q", log, want)
	}
	instance := a.listed("itkaven")
	var of struct{ Instance, Log string }
	a.call("GET", fmt.Sprintf("/canal/instance/log/%d/%d", instance.ID, kaven.ID), nil, &of)
	if of.Instance != "itkaven" || of.Log != "a line of itkaven\n" {
		t.Errorf("log of the instance %+v", of)
	}

	// Server stop and start.
	var ok bool
	a.call("PUT", fmt.Sprintf("/nodeServer/stop/%d", kaven.ID), nil, &ok)
	if !ok || a.server("kaven").Status != "0" || a.listed("itkaven").RunningStatus != "0" {
		t.Errorf("after stop (%v): server %+v, instance %+v", ok, a.server("kaven"), a.listed("itkaven"))
	}
	a.call("PUT", fmt.Sprintf("/nodeServer/start/%d", kaven.ID), nil, &ok)
	if !ok {
		t.Error("start was refused")
	}
	a.runsOn("itkaven", "kaven")

	// Release: alone in its cluster it comes back by itself.
	a.call("PUT", fmt.Sprintf("/canal/instance/stop/%d/%d", instance.ID, kaven.ID), nil, &ok)
	if !ok {
		t.Error("release was refused")
	}
	a.runsOn("itkaven", "kaven")

	// Stored as stopped, it is stopped by the server's own polling; and deleted.
	a.call("PUT", fmt.Sprintf("/canal/instance/status/%d?option=stop", instance.ID), nil, &ok)
	eventually(t, startLimit, "the instance is stopped", func() bool { return a.listed("itkaven").RunningStatus == "0" })
	a.call("PUT", fmt.Sprintf("/canal/instance/status/%d?option=start", instance.ID), nil, &ok)
	a.runsOn("itkaven", "kaven")
	a.call("DELETE", fmt.Sprintf("/canal/instance/%d", instance.ID), nil, nil)
	eventually(t, startLimit, "the running node is gone", func() bool { return !z.exists(zktree.Running("itkaven")) })

	java.Kill()
	eventually(t, startLimit, "the dead server is shown as disconnected", func() bool { return a.server("kaven").Status == "-1" })
}
