package peers

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/towpath-cdc/towpath/test/servers"
)

//go:embed java-canal java-client python-client go-client go-mysql schemathesis
var sources embed.FS

// Peer is a program of another project.
type Peer string

// The peers. Each prints its options with --help.
const (
	JavaCanal    Peer = "java-canal"    // Canal 1.1.7, the newest whose server modules are all published
	JavaClient   Peer = "java-client"   // the Java client 1.1.8
	PythonClient Peer = "python-client" // canal-python 0.4
	GoClient     Peer = "go-client"     // withlin/canal-go 1.1.2
	GoMySQL      Peer = "go-mysql"      // decodes a binlog file with go-mysql-org/go-mysql 1.15.0
	Schemathesis Peer = "schemathesis"  // tries calls that an OpenAPI description allows, and others
)

// Peers are all of them.
var Peers = []Peer{JavaCanal, JavaClient, PythonClient, GoClient, GoMySQL, Schemathesis}

// Build makes a peer ready to run and returns its folder. It is done once;
// several processes may ask at the same time.
func Build(ctx context.Context, p Peer) (dir string, err error) {
	key, err := sourceKey(p)
	if err != nil {
		return "", err
	}
	root := filepath.Join(servers.Cache(), "peers")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	dir = filepath.Join(root, string(p)+"-"+key)
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, ".built")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	sub, err := fs.Sub(sources, string(p))
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, sub); err != nil {
		return "", err
	}
	for _, args := range p.buildSteps(dir) {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %v: %w\n%s", p, args, err, out[max(0, len(out)-4000):])
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, ".built"), nil, 0o644)
}

// sourceKey changes with the peer's source.
func sourceKey(p Peer) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(sources, string(p), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := sources.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n", path, len(b))
		h.Write(b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:6]), err
}

// buildSteps are the commands that build a peer in dir.
func (p Peer) buildSteps(dir string) [][]string {
	switch p {
	case JavaCanal, JavaClient:
		return [][]string{{"mvn", "-B", "-q", "package"}}
	case PythonClient, Schemathesis:
		venv := filepath.Join(dir, "venv")
		return [][]string{{"python3", "-m", "venv", venv}, {venv + "/bin/pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"}}
	}
	// The module file is named so that the peer is no part of ours.
	files, _ := filepath.Glob(filepath.Join(dir, "*.go")) // the pattern is right
	return [][]string{{"mv", "go.mod.txt", "go.mod"}, {"mv", "go.sum.txt", "go.sum"}, append([]string{"go", "build", "-o", "client"}, files...)}
}

// Command is the command line that runs a built peer. javaOptions are for the
// Java machine.
func (p Peer) Command(dir string, javaOptions []string, args ...string) []string {
	var c []string
	switch p {
	case JavaCanal:
		c = append([]string{"java", "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
			"--add-opens=java.base/java.util.concurrent=ALL-UNNAMED", "-Dfile.encoding=UTF-8"}, javaOptions...)
		c = append(c, "-cp", classes(dir), "peers.Server")
	case JavaClient:
		return JavaClass(dir, javaOptions, "peers.Dump", args...)
	case PythonClient:
		c = []string{filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, "dump.py")}
	case Schemathesis:
		c = []string{filepath.Join(dir, "venv", "bin", "schemathesis"), "run"}
	case GoClient, GoMySQL:
		c = []string{filepath.Join(dir, "client")}
	}
	return append(c, args...)
}

// JavaClass is the command line that runs a class of the built JavaClient.
func JavaClass(dir string, javaOptions []string, class string, args ...string) []string {
	c := append(append([]string{"java", "-Dfile.encoding=UTF-8"}, javaOptions...), "-cp", classes(dir), class)
	return append(c, args...)
}

// classes is the class path of a built Java peer.
func classes(dir string) string {
	return filepath.Join(dir, "target", "classes") + ":" + filepath.Join(dir, "target", "lib", "*")
}

// StockHeap are the memory options of Canal's own start script.
var StockHeap = []string{"-Xms2g", "-Xmx3g", "-XX:+UseG1GC"}

// SmallHeap is enough for tests.
var SmallHeap = []string{"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
