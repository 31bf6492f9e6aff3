package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/test/peers"
	"github.com/towpath-cdc/towpath/test/servers"
)

// apiFuzzTime is how long the admin's calls are tried with a token; without one,
// half as long. TOWPATH_API_FUZZ, a duration, replaces it.
const apiFuzzTime = 20 * time.Second

// TestAdminAPIUnderFuzz lets a program try the calls that the OpenAPI description
// names, with what it allows and what it does not: nothing may answer with a 5xx,
// hang, differ from the description, or answer without a token.
func TestAdminAPIUnderFuzz(t *testing.T) {
	dir := peers.ForTest(t, peers.Schemathesis)
	length := apiFuzzTime
	if s := os.Getenv("TOWPATH_API_FUZZ"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	a := newAdmin(t, "")
	a.start()
	a.login()
	for i := range 6 { // something that ids can name
		id := a.cluster(fmt.Sprintf("cluster%d", i), "127.0.0.1:1", nil)
		a.instance(fmt.Sprintf("instance%d", i), id, "127.0.0.1:1", nil)
		a.call("POST", "/nodeServer", map[string]any{"clusterId": id, "name": "server", "ip": "127.0.0.1", "adminPort": i + 1}, nil)
	}
	before := a.changes()
	for _, run := range []struct {
		name, password string
		length         time.Duration
	}{{"with a token", webPassword, length}, {"without", "", length / 2}} {
		t.Run(run.name, func(t *testing.T) {
			args := []string{a.url("/api/openapi.json"), "--max-time", strconv.Itoa(int(run.length.Seconds())), "--phases", "coverage,fuzzing",
				"--checks", "not_a_server_error,response_schema_conformance,content_type_conformance,envelope,guarded",
				"--max-response-time", "30", "--request-timeout", "60", "--generation-database", "none", "--no-color", "--continue-on-failure",
				// It sends until somebody stops listening.
				"--exclude-path-regex", "/towpath/stream$"}
			line := peers.Schemathesis.Command(dir, nil, args...)
			cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+dir+"/hooks.py", "PYTHONPATH="+dir, "ADMIN_URL="+a.url(""), "ADMIN_PASSWORD="+run.password)
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := servers.StartProcess(cmd); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				text := out.String()
				t.Fatalf("%v\n%s", err, text[max(0, len(text)-8000):])
			}
			summary := out.String()
			t.Log(summary[max(0, strings.LastIndex(summary, "SUMMARY")-20):])
		})
	}
	if err := a.alive(); err != nil {
		t.Fatal(err)
	}
	if after := a.changes(); after <= before {
		t.Errorf("no changes were made: the token was not sent")
	}
}

// changes counts the changes that were made, the last thousand at most.
func (a *adminHome) changes() int {
	a.t.Helper()
	var trail []struct{ OK bool }
	a.call("GET", "/towpath/audit?limit=1000", nil, &trail)
	n := 0
	for _, r := range trail {
		if r.OK {
			n++
		}
	}
	return n
}

// alive logs in anew.
func (a *adminHome) alive() error {
	a.token = ""
	got, err := a.ask("POST", "/user/login", map[string]string{"username": "admin", "password": webPassword})
	if err != nil {
		return err
	}
	if got.Code != 20000 {
		return fmt.Errorf("log-in afterwards: %d", got.Code)
	}
	var session struct{ Token string }
	err = json.Unmarshal(got.Data, &session)
	a.token = session.Token
	return err
}
