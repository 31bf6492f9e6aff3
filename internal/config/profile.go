package config

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The Spring files of Canal that have a built-in equivalent. In Canal the last one
// keeps its cursors in memory, and a restart loses where each of the sources was;
// here they are kept as by the file before it, or in ZooKeeper when there is one.
var profiles = map[string]profile{
	"file-instance.xml":    {meta: MetaFile},
	"memory-instance.xml":  {meta: MetaMemory},
	"default-instance.xml": {meta: MetaZooKeeper},
	groupFile:              {meta: MetaFile, group: true},
}

const groupFile = "group-instance.xml"

// The bean classes of Canal's metaManager that have an equivalent.
var metaManagers = map[string]MetaMode{
	"com.alibaba.otter.canal.meta.FileMixedMetaManager":   MetaFile,
	"com.alibaba.otter.canal.meta.MemoryMetaManager":      MetaMemory,
	"com.alibaba.otter.canal.meta.PeriodMixedMetaManager": MetaZooKeeper,
	"com.alibaba.otter.canal.meta.MixedMetaManager":       MetaZooKeeperMixed,
	"com.alibaba.otter.canal.meta.ZooKeeperMetaManager":   MetaZooKeeperPure,
}

// The classes a logPositionManager may be made of: positions in memory, falling
// back on the cursors, which is what every instance does here.
var positionManagers = map[string]bool{
	"com.alibaba.otter.canal.parse.index.MemoryLogPositionManager":   true,
	"com.alibaba.otter.canal.parse.index.MetaLogPositionManager":     true,
	"com.alibaba.otter.canal.parse.index.FailbackLogPositionManager": true,
}

// The classes of a logPositionManager that keep a position of their own in
// ZooKeeper, in the destination's node parse. Here the cursors alone say where to
// go on, which is at or before that position.
var positionsInZooKeeper = map[string]bool{
	"com.alibaba.otter.canal.parse.index.ZooKeeperLogPositionManager":   true,
	"com.alibaba.otter.canal.parse.index.MixedLogPositionManager":       true,
	"com.alibaba.otter.canal.parse.index.PeriodMixedLogPositionManager": true,
}

// profile is what a Spring file says.
type profile struct {
	meta      MetaMode
	group     bool   // several sources: Canal's GroupEventParser
	local     bool   // files in a folder: Canal's LocalBinlogEventParser
	positions string // class of positionsInZooKeeper that it names; "" for none
}

// kind finds out what the mode and spring.xml keys of a destination stand for.
func (c *Config) kind(destination string) (profile, error) {
	// Of a managed server all instances are managed, whatever the key says.
	if mode := c.destinationValue(destination, "mode"); c.admin == nil && !mode.is("spring") {
		want := "want spring"
		if mode.is("manager") {
			want += ", or canal.admin.manager set to the address of the admin"
		}
		return profile{}, newValueError(destination, mode.key, mode.value, mode.src, want)
	}
	file := c.destinationValue(destination, springKey)
	p, err := c.profile(file)
	if err == nil && p.meta.InZooKeeper() && c.server.ZooKeeper.Servers == "" {
		err = errors.New("this keeps cursors in ZooKeeper: set canal.zkServers to its servers, or use classpath:spring/file-instance.xml")
	}
	if err != nil {
		return profile{}, newValueError(destination, file.key, file.value, file.src, err.Error())
	}
	return p, nil
}

// springKey is the end of the keys that name a Spring file.
const springKey = "spring.xml"

// profile finds out what the Spring file stands for. One that it does not know
// by name is read, and refused unless its bean classes say plainly what it is.
// The error says what would be right.
func (c *Config) profile(file selected) (profile, error) {
	name := path.Base(strings.ReplaceAll(strings.TrimPrefix(file.value, "classpath:"), `\`, "/"))
	if p, ok := profiles[name]; ok {
		if name == groupFile && c.server.ZooKeeper.Servers != "" {
			p.meta = MetaZooKeeper
		}
		return p, nil
	}
	if c.detached {
		return profile{meta: MetaMemory}, nil // what its file says is known on the server alone
	}
	data, err := readBounded(c.resource(file.value))
	if err == nil {
		var p profile
		if p, err = readProfile(data); err == nil {
			return p, nil
		}
	}
	return profile{}, fmt.Errorf("want file-instance.xml, memory-instance.xml, default-instance.xml, group-instance.xml or a file like them: %w", err)
}

// profileFindings are the remarks on the Spring files of destinations, one for
// each key that selects one and each remark.
func (c *Config) profileFindings(destinations []string) []Finding {
	var all []Finding
	seen := map[string]bool{}
	for _, d := range destinations {
		file := c.destinationValue(d, springKey)
		if seen[file.key] {
			continue
		}
		seen[file.key] = true
		p, err := c.profile(file)
		if err != nil {
			continue // Instance says so
		}
		add := func(message string) {
			all = append(all, Finding{Kind: SuspectValue, Keys: []string{file.key}, Source: file.src, Message: message})
		}
		if c.server.ZooKeeper.Servers != "" && !p.meta.InZooKeeper() {
			where := "in meta.dat on this server"
			if p.meta == MetaMemory {
				where = "in memory"
			}
			add(fmt.Sprintf("cursors are kept %s, as in Canal, and with canal.zkServers another server may take the destination over: it does not have them and misses or repeats changes; use classpath:spring/default-instance.xml", where))
		}
		if p.positions != "" {
			add(fmt.Sprintf("the position that %s keeps in ZooKeeper (node parse) is neither read nor written; the cursors say where to start", p.positions[strings.LastIndexByte(p.positions, '.')+1:]))
		}
	}
	return all
}

// readProfile recognises a Spring file by the class of its metaManager bean, the
// classes inside its logPositionManager property, and those of its parsers. A position in ZooKeeper
// cannot make up for cursors in memory: there would be nothing to start from.
func readProfile(data []byte) (profile, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	var (
		p         profile
		found     bool
		positions int // depth inside the logPositionManager property, 0 outside
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return profile{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			class := attribute(t, "class")
			if t.Name.Local == "bean" && attribute(t, "id") == "metaManager" {
				if p.meta, found = metaManagers[class]; !found {
					return profile{}, fmt.Errorf("metaManager of class %q has no equivalent here", class)
				}
			}
			p.group = p.group || strings.HasSuffix(class, ".GroupEventParser")
			p.local = p.local || strings.HasSuffix(class, ".LocalBinlogEventParser")
			if positions > 0 {
				positions++
				if positionsInZooKeeper[class] {
					p.positions = class
				} else if class != "" && !positionManagers[class] {
					return profile{}, fmt.Errorf("logPositionManager of class %q has no equivalent here", class)
				}
			} else if attribute(t, "name") == "logPositionManager" {
				positions = 1
			}
		case xml.EndElement:
			if positions > 0 {
				positions--
			}
		}
	}
	if !found {
		return profile{}, errors.New("it has no bean metaManager")
	}
	if p.positions != "" && p.meta == MetaMemory {
		return profile{}, fmt.Errorf("logPositionManager of class %q has no equivalent here when cursors are in memory", p.positions)
	}
	return p, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
