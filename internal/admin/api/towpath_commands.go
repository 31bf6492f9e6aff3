package api

import (
	"context"
	"fmt"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// seekRequest is control.SeekParams without the destination.
type seekRequest struct {
	ID          int64  `path:"id" json:"-"`
	ClientID    int    `json:"clientId"` // 0 for all subscriptions
	File        string `json:"file"`
	Offset      int64  `json:"offset"` // 4 if 0
	TimestampMs int64  `json:"timestampMs"`
	GTIDSet     string `json:"gtidSet"`
	End         bool   `json:"end"`
}

// params checks that one place is named.
func (r *seekRequest) params(destination string) (control.SeekParams, error) {
	named := 0
	for _, given := range []bool{r.File != "", r.TimestampMs != 0, r.GTIDSet != "", r.End} {
		if given {
			named++
		}
	}
	if named != 1 || r.Offset < 0 || r.TimestampMs < 0 || r.ClientID < 0 {
		return control.SeekParams{}, fail(reasonInvalid, text{"Name one place: a file with an offset, a time, a GTID set, or the end", "请指定一个位置：文件与偏移、时间、GTID 集合，或末尾"})
	}
	return control.SeekParams{Destination: destination, ClientID: r.ClientID, File: r.File, Offset: r.Offset,
		TimestampMs: r.TimestampMs, GTIDSet: r.GTIDSet, End: r.End}, nil
}

func (a *API) previewSeek(ctx context.Context, p identity.Principal, req seekRequest) (control.SeekPlan, error) {
	return a.askSeek(ctx, req, control.MethodSeekPreview)
}

func (a *API) seek(ctx context.Context, p identity.Principal, req seekRequest) (control.SeekPlan, error) {
	i, err := a.findInstance(ctx, req.ID)
	if err != nil {
		return control.SeekPlan{}, err
	}
	plan, err := a.askSeek(ctx, req, control.MethodSeek)
	detail := fmt.Sprintf("client %d to %s", req.ClientID, placeOf(req, plan))
	return plan, a.audit(ctx, p, database.AuditRecord{Action: "instance.seek", Kind: "instance", TargetID: i.ID, Target: i.Name, Detail: detail}, err)
}

// placeOf names the place for the audit.
func placeOf(req seekRequest, plan control.SeekPlan) string {
	switch {
	case plan.To.File != "":
		return fmt.Sprintf("%s:%d", plan.To.File, plan.To.Offset)
	case req.File != "":
		return fmt.Sprintf("%s:%d", req.File, req.Offset)
	case req.GTIDSet != "":
		return req.GTIDSet
	case req.End:
		return "the end"
	}
	return fmt.Sprintf("the time %d", req.TimestampMs)
}

func (a *API) askSeek(ctx context.Context, req seekRequest, method string) (control.SeekPlan, error) {
	var plan control.SeekPlan
	f, v, err := a.instanceView(ctx, req.ID)
	if err != nil {
		return plan, err
	}
	params, err := req.params(v.Row.Name)
	if err != nil {
		return plan, err
	}
	on, err := runningOn(v)
	if err != nil {
		return plan, err
	}
	if err := f.Call(ctx, on.Row, method, params, &plan); err != nil {
		return plan, serverFault(err)
	}
	plan.From, plan.Available, plan.Consequences = orEmpty(plan.From), orEmpty(plan.Available), orEmpty(plan.Consequences)
	return plan, nil
}

// orEmpty is a list that is never null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// dismissRequest is control.DismissParams without the destination.
type dismissRequest struct {
	ID     int64  `path:"id" json:"-"`
	Schema string `json:"schema"`
	Table  string `json:"table"`
}

// dismiss takes a table off the list of those in quarantine.
func (a *API) dismiss(ctx context.Context, p identity.Principal, req dismissRequest) (string, error) {
	i, err := a.findInstance(ctx, req.ID)
	if err != nil {
		return "", err
	}
	err = a.askDismiss(ctx, req)
	detail := fmt.Sprintf("%.64s.%.64s", req.Schema, req.Table)
	return successText, a.audit(ctx, p, database.AuditRecord{Action: "instance.dismiss", Kind: "instance", TargetID: i.ID, Target: i.Name, Detail: detail}, err)
}

func (a *API) askDismiss(ctx context.Context, req dismissRequest) error {
	if req.Schema == "" || req.Table == "" {
		return fail(reasonInvalid, text{"Name a schema and a table", "请指定库名和表名"})
	}
	f, v, err := a.instanceView(ctx, req.ID)
	if err != nil {
		return err
	}
	on, err := runningOn(v)
	if err != nil {
		return err
	}
	var done struct{}
	err = f.Call(ctx, on.Row, control.MethodDismiss, control.DismissParams{Destination: v.Row.Name, Schema: req.Schema, Table: req.Table}, &done)
	return serverFault(err)
}

type tablesRequest struct {
	ID     int64  `path:"id" json:"-"`
	Schema string `query:"schema" json:"-"`
	Table  string `query:"table" json:"-" doc:"with schema: only this one"`
}

func (a *API) tables(ctx context.Context, _ identity.Principal, req tablesRequest) ([]control.TableReport, error) {
	f, v, err := a.instanceView(ctx, req.ID)
	if err != nil {
		return nil, err
	}
	on, err := runningOn(v)
	if err != nil {
		return nil, err
	}
	var tables []control.TableReport
	err = f.Call(ctx, on.Row, control.MethodTables, control.TablesParams{Destination: v.Row.Name, Schema: req.Schema, Table: req.Table}, &tables)
	if err != nil {
		return nil, serverFault(err)
	}
	for i := range tables {
		tables[i].Columns = orEmpty(tables[i].Columns)
	}
	return orEmpty(tables), nil
}
