package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	election "github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/zktree"
	"github.com/towpath-cdc/towpath/test/servers"
)

// browser is Chromium, driven by a script of web/e2e. It asks for what it cannot
// do itself with a line of JSON, {"ask": …}, and goes on when it is answered.
type browser struct {
	t       testing.TB
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	answers map[string]func(args map[string]any) (any, error)
}

// chromium is the browser's program. Without it the test is skipped with the
// reason, unless TOWPATH_REQUIRE_SERVERS is set: then it fails.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("TOWPATH_REQUIRE_SERVERS") != "" {
		t.Fatal("Chromium is not installed: make deps")
	}
	t.Skip("Chromium is not installed: make deps")
	return ""
}

// browse runs a script of web/e2e to its end. settings are told to it; answers is
// what it may ask for.
func browse(t testing.TB, script string, settings map[string]any, answers map[string]func(map[string]any) (any, error)) {
	t.Helper()
	settings["chromium"] = chromium(t)
	told, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../scripts/web", "run", "node", "e2e/"+script)
	cmd.Env = append(os.Environ(), "STORY="+string(told))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := servers.StartProcess(cmd); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out), answers: answers}
	b.out.Buffer(nil, 1<<20)
	talk := b.talk()
	if err := cmd.Wait(); err != nil || talk != nil {
		t.Fatalf("%s: %v, %v\n%s", script, err, talk, complaints.String())
	}
	if complaints.Len() > 0 {
		t.Logf("%s: %s", script, complaints.String())
	}
}

// talk answers the script until it ends. Lines that ask nothing are its log.
func (b *browser) talk() error {
	for b.out.Scan() {
		var line struct {
			Ask  string
			Args map[string]any
		}
		if err := json.Unmarshal(b.out.Bytes(), &line); err != nil || line.Ask == "" {
			b.t.Log(b.out.Text())
			continue
		}
		answer := b.answers[line.Ask]
		if answer == nil {
			return fmt.Errorf("the script asks for %q", line.Ask)
		}
		result, err := answer(line.Args)
		reply := map[string]any{"result": result}
		if err != nil {
			reply = map[string]any{"error": err.Error()}
		}
		text, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		if _, err := b.in.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return b.out.Err()
}

// TestAdminStory walks the way of every user through the pages: the first log-in,
// a cluster, its configuration, its servers, an instance, its log, and the same in
// ZooKeeper's tree; with a real ZooKeeper, a real MySQL and two real servers.
// TOWPATH_SCREENSHOTS names a folder for the pictures.
func TestAdminStory(t *testing.T) {
	chromium(t)
	db := sharedServer(t, servers.MySQL80)
	w := newWriter(t, db, "story")
	z := newTree(t)
	a := newAdmin(t, "")
	a.start()
	pictures := os.Getenv("TOWPATH_SCREENSHOTS")
	if pictures == "" {
		pictures = filepath.Join(t.TempDir(), "pictures")
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}

	homes := map[string]*home{}
	ports := map[string]int{}
	for _, name := range []string{"kaven", "luna"} {
		homes[name], ports[name] = newManaged(t, a, "zookeeper", name)
	}
	var r *reader
	browse(t, "story.mjs", map[string]any{
		"url": a.url("/"), "zooKeeper": z.addr(z.zk.Addr()), "source": db.Addr(), "schema": "story",
		"password": webPassword, "adminPort": ports["kaven"], "tcpPort": homes["kaven"].port, "pictures": pictures,
		"all": os.Getenv("TOWPATH_SCREENSHOTS") != "",
	}, map[string]func(map[string]any) (any, error){
		// start starts a server as its operator would, with the file that the pages
		// show; what they cannot know is that it shall keep to this machine.
		"start": func(args map[string]any) (any, error) {
			h := homes[args["name"].(string)]
			if file, ok := args["file"].(string); ok {
				h.write("conf/canal_local.properties", strings.Replace(file, "<hash>", canalHash(fleetPassword), 1)+
					fmt.Sprintf("\ncanal.ip = 127.0.0.1\ncanal.port = %d\ncanal.metrics.pull.port = 0\n", h.port))
			}
			h.start()
			return nil, nil
		},
		// write changes rows, so that there is something to be seen.
		"write": func(map[string]any) (any, error) {
			w.mustWrite(t, 200)
			return nil, nil
		},
		// follow lets a client read the instance.
		"follow": func(map[string]any) (any, error) {
			r = read(t, z.options("itkaven"), "story")
			w.mustWrite(t, 50)
			r.await(w)
			return nil, nil
		},
		// subscribe lets a client come and go, of which the log tells.
		"subscribe": func(map[string]any) (any, error) {
			homes["kaven"].dial("itkaven").Close()
			return nil, nil
		},
		// move moves the instance to luna.
		"move": func(map[string]any) (any, error) {
			_, err := election.MoveTo(t.Context(), z.session(), "itkaven", homes["luna"].addr(), "the story")
			return nil, err
		},
		// running is what ZooKeeper says about who runs the instance.
		"running": func(map[string]any) (any, error) {
			data, _, ok := z.get(zktree.Running("itkaven"))
			if !ok {
				return nil, fmt.Errorf("nobody runs it")
			}
			return data, nil
		},
		// kill ends a server with kill -9.
		"kill": func(args map[string]any) (any, error) {
			homes[args["name"].(string)].kill()
			return nil, nil
		},
	})
	w.mustWrite(t, 50)
	r.await(w)
	r.stop().compare(w)
}
