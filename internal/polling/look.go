package polling

import (
	"context"
	"errors"
)

// Look asks an admin once for everything, for somebody who wants to see it and runs
// nothing. check reads the server's text and says what it asks for.
func Look(ctx context.Context, c *Client, check func(server string) (Settings, error)) (Texts, error) {
	server, ok, err := c.Server(ctx, "")
	if err != nil {
		return Texts{}, err
	}
	if !ok {
		return Texts{}, errors.New("the admin does not know this server: add it there, or start it with canal.admin.register.auto = true")
	}
	settings, err := check(server.Content)
	if err != nil {
		return Texts{}, err
	}
	names := settings.Destinations
	if settings.Scan {
		if names, _, err = c.Instances(ctx); err != nil {
			return Texts{}, err
		}
	}
	answers, err := c.Ask(ctx, names, nil)
	if err != nil {
		return Texts{}, err
	}
	instances, _ := Next(nil, names, answers)
	return Texts{Server: server, Instances: instances}, nil
}
