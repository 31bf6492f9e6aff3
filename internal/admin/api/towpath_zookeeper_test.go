package api

import (
	"fmt"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/zk"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// TestCluster looks at a cluster in a real ZooKeeper, in which a Java server runs
// an instance.
func TestCluster(t *testing.T) {
	z := servers.ZooKeeperForTest(t, servers.ZooKeeperOptions{})
	client, err := zk.Open(zk.Config{Servers: z.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(t.Context()) //nolint:errcheck // the server ends, too
	s, err := client.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string]string{
		zktree.Server("10.0.0.1:11111"):  "",
		zktree.Running("example"):        `{"active":true,"address":"10.0.0.1:11111"}`,
		zktree.Filter("example", 1001):   `.*\..*`,
		"/brokers/secret":                "of another program",
		zktree.CanalRoot + "/unreadable": "\x00\xff",
	} {
		if err := s.CreateParents(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), path, []byte(data), zk.Persistent); err != nil {
			t.Fatal(err)
		}
	}
	w := newFleetWorld(t)
	c := w.addCluster(t, "c1", z.Addr())
	id := w.addInstance(t, "example", c, 0, "x = 1\n")
	path := fmt.Sprintf("/towpath/clusters/%d", c)

	d := into[ClusterDetail](t, w, identity.RoleViewer, "GET", path, nil)
	if !d.ZooKeeper.OK || len(d.Servers) != 1 || d.Servers[0].Address != "10.0.0.1:11111" || !d.Servers[0].Registered || d.Servers[0].ID != 0 {
		t.Errorf("cluster: %+v", d)
	}
	if len(d.Instances) != 1 || d.Instances[0].ID != id || d.Instances[0].Owner != "10.0.0.1:11111" {
		t.Errorf("its instances: %+v", d.Instances)
	}
	one := into[InstanceDetail](t, w, identity.RoleViewer, "GET", fmt.Sprintf("/towpath/instances/%d", id), nil)
	if len(one.Cursors) != 1 || one.Cursors[0].ClientID != 1001 || one.Cursors[0].Filter != `.*\..*` {
		t.Errorf("cursors: %+v", one.Cursors)
	}
	root := into[ZooKeeperNode](t, w, identity.RoleViewer, "GET", path+"/zookeeper", nil)
	if len(root.Children) != 1 || root.Children[0].Name != "otter" {
		t.Errorf("the root for viewers: %+v", root)
	}
	if all := into[ZooKeeperNode](t, w, identity.RoleAdmin, "GET", path+"/zookeeper?path=/", nil); len(all.Children) < 3 {
		t.Errorf("the root for administrators: %+v", all)
	}
	w.refusedWith(t, reasonForbidden, identity.RoleViewer, "GET", path+"/zookeeper?path=/brokers/secret", nil)
	if n := into[ZooKeeperNode](t, w, identity.RoleViewer, "GET", path+"/zookeeper?path=/otter/canal/destinations/example/running", nil); n.Meaning != "running" || n.Binary || n.Size == 0 {
		t.Errorf("a node: %+v", n)
	}
	if n := into[ZooKeeperNode](t, w, identity.RoleViewer, "GET", path+"/zookeeper?path=/otter/canal/unreadable", nil); !n.Binary || n.Data != "00ff" {
		t.Errorf("a node that is no text: %+v", n)
	}
	w.refusedWith(t, reasonNotFound, identity.RoleViewer, "GET", path+"/zookeeper?path=/otter/canal/none", nil)
	w.refusedWith(t, reasonNotFound, identity.RoleOperator, "POST", path+"/drain", ClusterCommand{Address: "10.0.0.1:11111"})
	w.refusedWith(t, reasonConflict, identity.RoleOperator, "POST", path+"/move", ClusterCommand{Instance: "example", To: "10.0.0.2:11111"})
	if got := into[ClusterCommandResult](t, w, identity.RoleOperator, "POST", path+"/undrain", ClusterCommand{Address: "10.0.0.1:11111"}); got.Text == "" {
		t.Error("undrain says nothing")
	}
}
