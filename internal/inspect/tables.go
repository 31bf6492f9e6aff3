package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/schema"
)

// tables answers control.MethodTables.
func (i *Inspector) tables(p control.TablesParams) ([]control.TableReport, error) {
	switch {
	case p.Table != "" && p.Schema == "":
		return nil, badParams("table needs schema")
	case len(p.Schema) > maxName || len(p.Table) > maxName:
		return nil, badParams("no name of a schema or a table is so long")
	}
	in, err := i.running(p.Destination)
	if err != nil {
		return nil, err
	}
	layouts := in.Tables(p.Schema, p.Table)
	if p.Table != "" && len(layouts) == 0 {
		return nil, &control.Error{Code: control.CodeNotFound,
			Message: fmt.Sprintf("the instance knows no table %s.%s: it learns the layout of a table when its rows come", p.Schema, p.Table)}
	}
	out := make([]control.TableReport, len(layouts))
	for n, l := range layouts {
		out[n] = tableReport(l)
	}
	return out, nil
}

// dismissTimeout bounds the writing of the list to the history.
const dismissTimeout = 10 * time.Second

// dismiss answers control.MethodDismiss.
func (i *Inspector) dismiss(ctx context.Context, p control.DismissParams) (any, error) {
	switch {
	case p.Schema == "" || p.Table == "":
		return nil, badParams("want schema and table")
	case len(p.Schema) > maxName || len(p.Table) > maxName:
		return nil, badParams("no name of a schema or a table is so long")
	}
	in, err := i.running(p.Destination)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dismissTimeout)
	defer cancel()
	found, err := in.Dismiss(ctx, p.Schema, p.Table)
	switch {
	case err != nil:
		return nil, &control.Error{Code: control.CodeFailed, Message: fmt.Sprintf("table %s.%s was not dismissed: %v", p.Schema, p.Table, err), Remedy: "look at the place where the history of the tables is kept"}
	case !found:
		return nil, &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("table %s.%s is not in quarantine", p.Schema, p.Table)}
	}
	return struct{}{}, nil
}

func tableReport(l schema.Layout) control.TableReport {
	t := control.TableReport{
		Schema: l.Table.Schema, Table: l.Table.Name, SinceMs: l.Since.UnixMilli(), From: position(l.Change.Position), DDL: l.Change.SQL,
		Columns: make([]control.ColumnReport, len(l.Table.Columns)),
	}
	for n, c := range l.Table.Columns {
		t.Columns[n] = control.ColumnReport{Name: c.Name, Type: c.Type, Key: c.Key, Nullable: c.Nullable}
	}
	return t
}

func position(p binlog.Position) control.Position {
	return control.Position{File: p.File, Offset: p.Offset, GTIDSet: p.GTIDSet, TimestampMs: p.Timestamp}
}
