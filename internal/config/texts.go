package config

import "fmt"

// FromText makes a configuration of the text of a canal.properties alone, as an
// admin has it: no file, environment or command line adds to it, and no file is
// read for it. It serves to look at texts, not to run a server. Errors are those of
// Load.
func FromText(server string) (*Config, error) {
	c := detached(server)
	main, err := ParseProperties(adminPlace+"canal.properties", []byte(server))
	if err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	c.main = main
	if c.zone, err = timeZone(""); err != nil {
		return nil, err
	}
	if err := c.loadServer(); err != nil {
		return nil, err
	}
	return c, nil
}

// detached is a configuration without values.
func detached(server string) *Config {
	const nowhere = "/nonexistent"
	none := func() map[string]string { return nil }
	return &Config{
		home: nowhere, conf: nowhere + "/conf", logs: nowhere + "/logs",
		sources: newSources(LoadOptions{}), main: &Properties{File: adminPlace + "canal.properties"},
		admin: &AdminTexts{Server: server, Instances: none}, detached: true,
	}
}

// InstanceFrom is Instance with a text in the place of the destination's
// instance.properties, or of the admin's text for it.
func (c *Config) InstanceFrom(destination, content string) (Instance, error) {
	if err := checkDestination(destination); err != nil {
		return Instance{}, err
	}
	text, err := ParseProperties(destination+"/"+instanceFile, []byte(content))
	if err != nil {
		return Instance{}, fmt.Errorf("destination %s: %w", destination, err)
	}
	p, err := c.placeholdersFor(destination, text)
	if err != nil {
		return Instance{}, fmt.Errorf("destination %s: %w", destination, err)
	}
	return c.readInstance(p)
}

// placeholdersFor is placeholders with another text of the destination.
func (c *Config) placeholdersFor(destination string, text *Properties) (*placeholders, error) {
	p := &placeholders{sources: c.sources, destination: destination}
	if !c.detached {
		if err := c.addFiles(p); err != nil {
			return nil, err
		}
	}
	if c.admin == nil {
		p.instance = text
	} else {
		p.server, p.remote = c.main, text
	}
	return p, nil
}
