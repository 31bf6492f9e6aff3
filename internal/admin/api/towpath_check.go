package api

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/check"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// dialTime bounds what the admin itself waits for a source to take a connection.
const dialTime = 5 * time.Second

// checkHere has the admin itself look at a source, at an address that it may
// connect to. main is the main configuration beside the text. What a name comes to
// is looked at when the connection is made, and not before: it may come to
// something else then.
func (a *API) checkHere(ctx context.Context, o owner, name, content string) ([]control.Finding, error) {
	main, err := a.mainOf(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, address := range sourceAddresses(main, name, content) {
		if err := a.checkAddress(hostOf(address)); err != nil {
			return nil, err
		}
	}
	dialer := net.Dialer{Timeout: dialTime, Control: a.Addresses.Control}
	return check.Content(ctx, check.Options{Server: main, Dial: dialer.DialContext}, name, content), nil
}

// mainOf is the main configuration of a cluster or server; "" when there is none.
func (a *API) mainOf(ctx context.Context, o owner) (string, error) {
	var c database.Config
	var err error
	switch {
	case o.clusterID != nil:
		c, err = a.db.ConfigOfCluster(ctx, *o.clusterID)
	case o.serverID != nil:
		c, err = a.findConfig(ctx, 0, *o.serverID)
	}
	if errors.Is(err, database.ErrNotFound) {
		err = nil
	}
	return c.Content, err
}

// sourceAddresses are those that a text has the admin connect to, as far as the
// text can be read.
func sourceAddresses(main, name, content string) []string {
	c, err := config.FromText(main)
	if err != nil {
		return nil // nothing is connected to then
	}
	in, err := c.InstanceFrom(name, content)
	if err != nil {
		return nil
	}
	var all []string
	for _, one := range in.Sources() {
		for _, e := range []config.Endpoint{one.Master, one.Standby} {
			if e.Address != "" {
				all = append(all, e.Address)
			}
		}
	}
	return all
}

// validate looks through a text. The main configuration beside it counts as the
// caller may see it, since messages name values.
func (a *API) validate(ctx context.Context, p identity.Principal, req ValidateRequest) ([]ConfigProblem, error) {
	if len(req.Content) > database.MaxContent {
		return nil, fail(reasonInvalid, text{"the configuration has %d bytes; %d can be stored", "配置内容共 %d 字节，最多可保存 %d 字节"}, len(req.Content), database.MaxContent)
	}
	var problems []config.Problem
	switch req.Kind {
	case "server":
		problems = config.Validate(config.ServerText, req.Content)
	case "instance":
		var o owner
		if req.ClusterID != 0 {
			o.clusterID = &req.ClusterID
		}
		main, err := a.mainOf(ctx, o)
		if err != nil {
			return nil, err
		}
		problems = config.ValidateInstance(req.Content, maskFor(p, main))
	default:
		return nil, errTextKind
	}
	out := []ConfigProblem{}
	for _, q := range problems {
		out = append(out, ConfigProblem{Line: q.Line, Key: q.Key, Severity: string(q.Severity), Message: q.Message, Suggestion: q.Suggestion})
	}
	return out, nil
}
