package database

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// ServerFilter selects servers. Zero fields select all.
type ServerFilter struct {
	Name          string // a part of it
	IP            string // all of it
	ClusterID     *int64 // -1 for those that are alone
	Offset, Limit int    // 0: no limit
}

const (
	serverColumns = "id, cluster_id, name, ip, admin_port, tcp_port, metric_port, COALESCE(status, ''), modified_time"
	// newServerStatus is what Canal stores and never changes: not connected.
	newServerStatus = "-1"
	// configName is the name of each row that Canal writes into canal_config.
	configName = "canal.properties"
)

func scanServer(scan func(...any) error) (Server, error) {
	var s Server
	err := scan(&s.ID, &s.ClusterID, &s.Name, &s.IP, &s.AdminPort, &s.TCPPort, &s.MetricPort, &s.Status, stamp{&s.Modified})
	return s, err
}

// Servers returns those that a filter selects, by id, and how many there are
// without Offset and Limit.
func (db *DB) Servers(ctx context.Context, f ServerFilter) ([]Server, int64, error) {
	snap, err := db.snapshot(ctx)
	if err != nil {
		return nil, 0, err
	}
	var all []Server
	for i := range snap.servers {
		if f.selects(&snap.servers[i]) {
			all = append(all, snap.servers[i])
		}
	}
	return page(all, f.Offset, f.Limit), int64(len(all)), nil
}

func (f ServerFilter) selects(s *Server) bool {
	switch {
	case !containsFold(s.Name, f.Name), f.IP != "" && !strings.EqualFold(s.IP, f.IP):
		return false
	case f.ClusterID == nil:
		return true
	case *f.ClusterID == -1:
		return s.ClusterID == nil
	}
	return same(s.ClusterID, f.ClusterID)
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Server returns one server, or ErrNotFound.
func (db *DB) Server(ctx context.Context, id int64) (Server, error) {
	snap, err := db.snapshot(ctx)
	if err != nil {
		return Server{}, err
	}
	return find(snap.servers, func(s *Server) bool { return s.ID == id })
}

// ServerAt returns the server with an address, or ErrNotFound.
func (db *DB) ServerAt(ctx context.Context, ip string, adminPort int32) (Server, error) {
	snap, err := db.snapshot(ctx)
	if err != nil {
		return Server{}, err
	}
	return snap.ServerAt(ip, adminPort)
}

// InsertServer adds a server and returns its id. config is its canal.properties when
// it is alone, "" for none. The error is ErrDuplicate when its address is taken.
func (db *DB) InsertServer(ctx context.Context, by Actor, s Server, config string) (id int64, err error) {
	if err := checkLengths("name", s.Name, "ip", s.IP); err != nil {
		return 0, err
	}
	if err := checkContent(config); err != nil {
		return 0, err
	}
	s.ID = 0
	err = db.write(ctx, by, func(t *tx) error {
		if err := t.checkAddress(s); err != nil {
			return err
		}
		id, err = t.insert("INSERT INTO canal_node_server (cluster_id, name, ip, admin_port, tcp_port, metric_port, status, modified_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			s.ClusterID, s.Name, s.IP, s.AdminPort, s.TCPPort, s.MetricPort, newServerStatus, t.modified())
		if err != nil {
			return err
		}
		if err := t.audit("server.insert", "server", id, s.Name, s.address()); err != nil || config == "" {
			return err
		}
		_, err = t.insertConfig(Config{ServerID: &id, Name: configName, Content: config}, "")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("insert server %s: %w", s.address(), err)
	}
	return id, nil
}

// checkAddress returns ErrDuplicate when another server has the address. One
// without a port is compared with none.
func (t *tx) checkAddress(s Server) error {
	return t.refuse(ErrDuplicate, "SELECT id FROM canal_node_server WHERE ip = ? AND admin_port = ? AND id <> ?", s.IP, s.AdminPort, s.ID)
}

func (s Server) address() string { return s.IP + ":" + portText(s.AdminPort) }

func portText(p *int32) string {
	if p == nil {
		return ""
	}
	return strconv.Itoa(int(*p))
}

func idText(id *int64) string {
	if id == nil {
		return "none"
	}
	return strconv.FormatInt(*id, 10)
}

// UpdateServer sets all of a server but its status. The error is ErrNotFound, or
// ErrDuplicate when another has its address.
func (db *DB) UpdateServer(ctx context.Context, by Actor, s Server) error {
	if err := checkLengths("name", s.Name, "ip", s.IP); err != nil {
		return err
	}
	err := db.write(ctx, by, func(t *tx) error {
		old, err := scanServer(t.row("SELECT "+serverColumns+" FROM canal_node_server WHERE id = ?", s.ID).Scan)
		if err != nil {
			return err
		}
		if err := t.checkAddress(s); err != nil {
			return err
		}
		err = t.exec("UPDATE canal_node_server SET cluster_id = ?, name = ?, ip = ?, admin_port = ?, tcp_port = ?, metric_port = ?, modified_time = ? WHERE id = ?",
			s.ClusterID, s.Name, s.IP, s.AdminPort, s.TCPPort, s.MetricPort, t.modified(), s.ID)
		if err != nil {
			return err
		}
		return t.audit("server.update", "server", s.ID, s.Name, changes("name", old.Name, s.Name, "address", old.address(), s.address(),
			"cluster", idText(old.ClusterID), idText(s.ClusterID), "TCP port", portText(old.TCPPort), portText(s.TCPPort),
			"metrics port", portText(old.MetricPort), portText(s.MetricPort)))
	})
	if err != nil {
		return fmt.Errorf("update server %d: %w", s.ID, err)
	}
	return nil
}

// DeleteServer deletes a server and its own configuration, whose text stays among
// the revisions. The error is ErrNotFound, or ErrHasInstances.
func (db *DB) DeleteServer(ctx context.Context, by Actor, id int64) error {
	err := db.write(ctx, by, func(t *tx) error {
		s, err := scanServer(t.row("SELECT "+serverColumns+" FROM canal_node_server WHERE id = ?", id).Scan)
		if err != nil {
			return err
		}
		if err := t.refuse(ErrHasInstances, "SELECT id FROM canal_instance_config WHERE server_id = ?", id); err != nil {
			return err
		}
		if err := t.deleteConfigs("server_id = ?", id); err != nil {
			return err
		}
		if err := t.exec("DELETE FROM canal_node_server WHERE id = ?", id); err != nil {
			return err
		}
		return t.audit("server.delete", "server", id, s.Name, s.address())
	})
	if err != nil {
		return fmt.Errorf("delete server %d: %w", id, err)
	}
	return nil
}
