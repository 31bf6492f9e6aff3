package zk

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
)

// defaultPort is where ZooKeeper listens for clients.
const defaultPort = "2181"

// ParseServers reads the value of canal.zkServers: host:port joined by commas, with
// an optional chroot at the end, and further clusters after semicolons, whose
// servers are added to those of the first. As in Canal's ZooKeeperx, a chroot of
// the later clusters has no effect. The port is 2181 where none is given; IPv6
// addresses that have a port are in brackets.
func ParseServers(s string) (servers []string, chroot string, err error) {
	for i, cluster := range strings.Split(s, ";") {
		cluster = strings.TrimSpace(cluster)
		if cluster == "" {
			continue
		}
		hosts, root := cluster, ""
		if at := strings.IndexByte(cluster, '/'); at >= 0 {
			hosts, root = cluster[:at], strings.TrimSpace(cluster[at:])
		}
		if root, err = cleanChroot(root); err != nil {
			return nil, "", err
		}
		if i == 0 {
			chroot = root
		}
		for host := range strings.SplitSeq(hosts, ",") {
			if host = strings.TrimSpace(host); host == "" {
				continue
			}
			address, err := parseServer(host)
			if err != nil {
				return nil, "", err
			}
			servers = append(servers, address)
		}
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("zookeeper servers %q: no server is named", s)
	}
	return servers, chroot, nil
}

// parseServer adds the default port to host or host:port.
func parseServer(s string) (string, error) {
	host, port, err := splitServer(s)
	if err == nil && (host == "" || strings.ContainsAny(host, "[]/") || strings.ContainsFunc(host, blank)) {
		err = errors.New("not a host name or address")
	}
	if err == nil && strings.Contains(host, ":") && net.ParseIP(strings.Split(host, "%")[0]) == nil {
		err = errors.New("more than one colon, and not an IPv6 address")
	}
	if n, e := strconv.ParseUint(port, 10, 16); err == nil && (e != nil || n == 0) {
		err = fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	if err != nil {
		return "", fmt.Errorf("zookeeper server %q: %w", s, err)
	}
	return net.JoinHostPort(host, port), nil
}

// blank tells whether a character can be seen in no name.
func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func splitServer(s string) (host, port string, err error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, rest, closed := strings.Cut(inner, "]")
		switch {
		case !closed:
			return "", "", errors.New("no ] after the address")
		case rest == "":
			return host, defaultPort, nil
		case rest[0] != ':':
			return "", "", errors.New("only :port may follow the ]")
		}
		return host, rest[1:], nil
	}
	switch strings.Count(s, ":") {
	case 0:
		return s, defaultPort, nil
	case 1:
		host, port, _ = strings.Cut(s, ":")
		return host, port, nil
	}
	return s, defaultPort, nil // an IPv6 address without a port
}

// cleanChroot checks the prefix of all paths; "/" is the same as none.
func cleanChroot(chroot string) (string, error) {
	if chroot == "" || chroot == "/" {
		return "", nil
	}
	if err := checkPath(chroot); err != nil {
		return "", fmt.Errorf("zookeeper chroot: %w", err)
	}
	return chroot, nil
}

// checkPath says why a path is not that of a node, as ZooKeeper's PathUtils would.
func checkPath(path string) error {
	if path == "/" {
		return nil
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("path %q does not begin with /", path)
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("path %q has an empty or relative part", path)
		}
	}
	for _, r := range path {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 && r <= 0xffff {
			return fmt.Errorf("path %q has a character that ZooKeeper does not allow", path)
		}
	}
	return nil
}
