package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/protocol"
	"github.com/towpath-cdc/towpath/test/servers"
)

// admin is the running towpath admin, with a session of its first user.
type admin struct {
	*process
	address  string // host:port
	password string // of the user admin
	fleet    string // password that it shares with the servers
	token    string
}

// firstPassword is the one that a new database begins with, as Canal's does.
const firstPassword = "123456"

// startAdmin starts the admin on a database of its own, and gives the first user
// a password of its own.
func startAdmin(ctx context.Context, program, home string) (*admin, error) {
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	a := &admin{address: fmt.Sprintf("127.0.0.1:%d", port), password: rand.Text()[:10], fleet: rand.Text()}
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("server:\n  address: 127.0.0.1\n  port: %d\ncanal:\n  adminUser: admin\n  adminPasswd: %s\n", port, a.fleet)
	if err := os.WriteFile(filepath.Join(home, "conf/application.yml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	if a.process, err = launch("towpath admin", program, filepath.Join(home, "admin.out"), nil, "admin", "--home", home); err != nil {
		return nil, err
	}
	if err := a.await(ctx); err != nil {
		return a, err
	}
	var session struct{ Token string }
	if err := a.call(ctx, "POST", "user/login", map[string]string{"username": "admin", "password": firstPassword}, &session); err != nil {
		return a, err
	}
	a.token = session.Token
	return a, a.call(ctx, "PUT", "user", map[string]string{"username": "admin", "oldPassword": firstPassword, "password": a.password}, nil)
}

// await waits until the pages can be had. The admin takes its port first, and then
// opens its database.
func (a *admin) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := a.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-a.ended:
			return a.failure()
		case <-ctx.Done():
			return errors.Join(errors.New("the admin does not answer"), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (a *admin) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.address+"/", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// call makes a call of the REST interface, as Canal Admin has it.
func (a *admin) call(ctx context.Context, method, path string, body, data any) error {
	send, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.address+"/api/v1/"+path, bytes.NewReader(send))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Token", a.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.Code != 20000 {
		return fmt.Errorf("%s %s: %d %s", method, path, answer.Code, answer.Message)
	}
	if data == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, data)
}

// fill stores a cluster with its main configuration, and an instance that reads
// source, all made of the sample configuration.
func (a *admin) fill(ctx context.Context, samples, cluster, zkHosts, source string) error {
	if err := a.call(ctx, "POST", "canal/cluster", map[string]string{"name": cluster, "zkHosts": zkHosts}, nil); err != nil {
		return err
	}
	var clusters []struct{ ID int64 }
	if err := a.call(ctx, "GET", "canal/clusters", nil, &clusters); err != nil {
		return err
	}
	if len(clusters) != 1 {
		return fmt.Errorf("the admin knows %d clusters", len(clusters))
	}
	main, err := sample(filepath.Join(samples, "canal.properties"), map[string]string{
		"canal.zkServers":                  zkHosts,
		"canal.instance.global.spring.xml": "classpath:spring/default-instance.xml",
		"canal.destinations":               "",
	})
	if err != nil {
		return err
	}
	if err := a.call(ctx, "PUT", "canal/config", map[string]any{"clusterId": clusters[0].ID, "name": "canal.properties", "content": main}, nil); err != nil {
		return err
	}
	text, err := sample(filepath.Join(samples, "example/instance.properties"), map[string]string{"canal.instance.master.address": source})
	if err != nil {
		return err
	}
	return a.call(ctx, "POST", "canal/instance", map[string]string{
		"name": destination, "content": text, "clusterServerId": fmt.Sprintf("cluster:%d", clusters[0].ID),
	}, nil)
}

// home writes the folder of a server that has its configuration from the admin:
// one short file.
func (a *admin) home(dir, cluster, name string) (p ports, err error) {
	if p, err = adjacentPorts(); err != nil {
		return p, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o755); err != nil {
		return p, err
	}
	return p, os.WriteFile(filepath.Join(dir, "conf/canal_local.properties"), []byte(a.local(p, cluster, name)), 0o600)
}

// local is the one file of a server.
func (a *admin) local(p ports, cluster, name string) string {
	hash := protocol.HashPassword([]byte(a.fleet))
	lines := []string{
		"canal.ip = 127.0.0.1",
		"canal.register.ip = 127.0.0.1",
		fmt.Sprintf("canal.port = %d", p.client),
		fmt.Sprintf("canal.metrics.pull.port = %d", p.metrics),
		"canal.admin.manager = " + a.address,
		fmt.Sprintf("canal.admin.port = %d", p.admin),
		"canal.admin.user = admin",
		"canal.admin.passwd = " + hex.EncodeToString(hash[:]),
		"canal.admin.register.auto = true",
		"canal.admin.register.cluster = " + cluster,
		"canal.admin.register.name = " + name,
	}
	return strings.Join(lines, "\n") + "\n"
}

// adjacentPorts are free ports in the order of Canal's defaults, 11110 to 11112:
// an admin takes the other two of a server that registers to be those behind its
// admin port.
func adjacentPorts() (p ports, err error) {
	for range 100 {
		if p.admin, err = servers.FreePort(); err != nil {
			return p, err
		}
		p.client, p.metrics = p.admin+1, p.admin+2
		if free(p.client) && free(p.metrics) {
			return p, nil
		}
	}
	return p, errors.New("no three free ports in a row")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
