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

// The Spring files of Canal that have a built-in equivalent. group-instance.xml
// is not among them: it merges two sources.
var profiles = map[string]MetaMode{
	"file-instance.xml":    MetaFile,
	"memory-instance.xml":  MetaMemory,
	"default-instance.xml": MetaZooKeeper,
}

// The bean classes of Canal's metaManager that have an equivalent.
var metaManagers = map[string]MetaMode{
	"com.alibaba.otter.canal.meta.FileMixedMetaManager":   MetaFile,
	"com.alibaba.otter.canal.meta.MemoryMetaManager":      MetaMemory,
	"com.alibaba.otter.canal.meta.PeriodMixedMetaManager": MetaZooKeeper,
}

// The classes a logPositionManager may be made of: positions in memory, falling
// back on the cursors, which is what every instance does here.
var positionManagers = map[string]bool{
	"com.alibaba.otter.canal.parse.index.MemoryLogPositionManager":   true,
	"com.alibaba.otter.canal.parse.index.MetaLogPositionManager":     true,
	"com.alibaba.otter.canal.parse.index.FailbackLogPositionManager": true,
}

// profile finds the meta mode of a destination from its mode and spring.xml
// keys. A file it does not know by name is read, and refused unless its bean
// classes say plainly what it is.
func (c *Config) profile(destination string) (MetaMode, error) {
	mode := c.destinationValue(destination, "mode")
	if !mode.is("spring") {
		want := "want spring"
		if mode.is("manager") {
			want += ": " + whyManager
		}
		return 0, newValueError(destination, mode.key, mode.value, mode.src, want)
	}
	file := c.destinationValue(destination, "spring.xml")
	name := path.Base(strings.ReplaceAll(strings.TrimPrefix(file.value, "classpath:"), `\`, "/"))
	if m, ok := profiles[name]; ok {
		return m, nil
	}
	if name == "group-instance.xml" {
		return 0, newValueError(destination, file.key, file.value, file.src, whyGroup)
	}
	data, err := readBounded(c.resource(file.value))
	if err == nil {
		var m MetaMode
		if m, err = readProfile(data); err == nil {
			return m, nil
		}
	}
	return 0, newValueError(destination, file.key, file.value, file.src,
		fmt.Sprintf("want file-instance.xml, memory-instance.xml, default-instance.xml or a file like them: %v", err))
}

// readProfile recognises a Spring file by the class of its metaManager bean and
// the classes inside its logPositionManager property.
func readProfile(data []byte) (MetaMode, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	var (
		meta      MetaMode
		found     bool
		positions int // depth inside the logPositionManager property, 0 outside
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			class := attribute(t, "class")
			if t.Name.Local == "bean" && attribute(t, "id") == "metaManager" {
				if meta, found = metaManagers[class]; !found {
					return 0, fmt.Errorf("metaManager of class %q has no equivalent here", class)
				}
			}
			if strings.HasSuffix(class, ".GroupEventParser") {
				return 0, errors.New(whyGroup)
			}
			if positions > 0 {
				positions++
				if class != "" && !positionManagers[class] {
					return 0, fmt.Errorf("logPositionManager of class %q has no equivalent here", class)
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
		return 0, errors.New("it has no bean metaManager")
	}
	return meta, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
