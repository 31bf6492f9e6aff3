package config

import (
	"fmt"
	"strconv"
)

// maxGroup bounds the servers of a group.
const maxGroup = 16

// localDirKey names the folder with binlog files.
const localDirKey = "towpath.instance.localBinlog.dir"

// sources fills what is read: a server, the servers of a group, or files.
func (r *instanceReader) sources(c *Config, kind profile, in *Instance) {
	in.Local = r.local(c)
	if kind.group {
		r.group(c, in)
		return
	}
	in.Master, in.Standby = r.endpoint(c, "master", ""), r.endpoint(c, "standby", "")
	switch {
	case len(r.errs) > 0:
	case kind.local && in.Local.Dir == "":
		r.want(localDirKey, "want the folder with the binlog files, because the Spring file has a LocalBinlogEventParser")
	case in.Master.Address == "" && in.Local.Dir == "":
		r.want("canal.instance.master.address", "want host:port of the server to read from")
	}
}

// want records that a key is missing, or is not right where it stands.
func (r *instanceReader) want(key, want string) {
	v, src := r.lookup(key)
	r.fail(key, v, src, want)
}

// local reads the keys of files. What the folder holds is looked at by who reads it.
func (r *instanceReader) local(c *Config) Local {
	dir := r.text(localDirKey)
	if dir == "" {
		return Local{}
	}
	return Local{
		Dir:      c.path(dir),
		Name:     r.text("towpath.instance.localBinlog.name"),
		Wait:     r.flag("towpath.instance.localBinlog.wait"),
		ServerID: uint32(r.number("towpath.instance.localBinlog.serverId", 0, 1<<32-1)),
	}
}

// group reads the servers of a group: from number 1 on, as far as there are any.
func (r *instanceReader) group(c *Config, in *Instance) {
	for n := 1; n <= maxGroup; n++ {
		number := strconv.Itoa(n)
		pair := Pair{Master: r.endpoint(c, "master", number), Standby: r.endpoint(c, "standby", number)}
		if pair.Master.Address != "" {
			in.Group = append(in.Group, pair)
			continue
		}
		if pair.Standby.Address != "" && len(r.errs) == 0 {
			r.want("canal.instance.master"+number+".address", "want host:port of the server of which canal.instance.standby"+number+".address takes the place")
		}
		break
	}
	switch {
	case len(r.errs) > 0:
	case len(in.Group) == 0:
		r.want("canal.instance.master1.address", "want host:port of the first server to read from: "+groupFile+" reads canal.instance.master1.address, canal.instance.master2.address and so on")
	case in.Local.Dir != "":
		r.want(localDirKey, "want nothing: a group reads servers")
	default:
		in.Master, in.Standby = in.Group[0].Master, in.Group[0].Standby
		r.distinct(in.Group)
	}
}

// distinct refuses a server that is in the group twice: its changes would come twice,
// and the two readings could not be told apart after a restart.
func (r *instanceReader) distinct(group []Pair) {
	seen := map[string]int{}
	for i, pair := range group {
		for _, address := range []string{pair.Master.Address, pair.Standby.Address} {
			other, twice := seen[address]
			if twice && other != i && address != "" {
				r.want(fmt.Sprintf("canal.instance.master%d.address", i+1), fmt.Sprintf("want servers that number %d of the group does not name: %s stands twice", other+1, address))
				return
			}
			seen[address] = i
		}
	}
}

// Sources are the instance as each of the servers that it reads has it: one, or
// those of its group.
func (in *Instance) Sources() []Instance {
	if len(in.Group) == 0 {
		return []Instance{*in}
	}
	all := make([]Instance, len(in.Group))
	for i, pair := range in.Group {
		all[i] = *in
		all[i].Master, all[i].Standby, all[i].Group = pair.Master, pair.Standby, nil
	}
	return all
}

// Addresses are those of the servers of each source of a group; nil without a group.
func (in *Instance) Addresses() (all [][]string) {
	for _, pair := range in.Group {
		all = append(all, []string{pair.Master.Address, pair.Standby.Address})
	}
	return all
}
