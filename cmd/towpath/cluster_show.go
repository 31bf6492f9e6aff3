package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/towpath-cdc/towpath/internal/cluster"
	"github.com/towpath-cdc/towpath/internal/meta"
)

// clusterReport is what show prints as JSON. Times are in RFC 3339, spans in
// seconds; what is not known is missing.
type clusterReport struct {
	Problems     []string            `json:"problems"`
	Servers      []serverReport      `json:"servers"`
	Destinations []destinationReport `json:"destinations"`
}

type serverReport struct {
	Address   string     `json:"address"`
	Kind      string     `json:"kind"` // towpath, java, or gone when only an order to drain it is left
	Version   string     `json:"version,omitempty"`
	Weight    int        `json:"weight,omitempty"`
	Instances int        `json:"instances"` // that its running nodes name
	Since     *time.Time `json:"since,omitempty"`
	Draining  bool       `json:"draining"`
}

type destinationReport struct {
	Name     string         `json:"name"`
	Owner    string         `json:"owner,omitempty"`
	Since    *time.Time     `json:"since,omitempty"`
	Standbys []string       `json:"standbys"`
	Source   *sourceReport  `json:"source,omitempty"`
	Clients  []clientReport `json:"clients"`
}

// sourceReport is how far the owner has read.
type sourceReport struct {
	Address   string     `json:"address,omitempty"`
	File      string     `json:"file,omitempty"`
	Offset    int64      `json:"offset"`
	GTIDSet   string     `json:"gtid,omitempty"`
	Timestamp *time.Time `json:"timestamp,omitempty"`
	Unacked   int64      `json:"unacked"`
	At        *time.Time `json:"at,omitempty"`
}

type clientReport struct {
	ID        int16      `json:"id"`
	Filter    string     `json:"filter,omitempty"`
	Consumer  string     `json:"consumer,omitempty"`
	File      string     `json:"file,omitempty"`
	Offset    int64      `json:"offset"`
	GTIDSet   string     `json:"gtid,omitempty"`
	Confirmed *time.Time `json:"confirmed,omitempty"` // when the last confirmed change was made
	Written   *time.Time `json:"written,omitempty"`   // when the cursor was
	LagS      *float64   `json:"lag_seconds,omitempty"`
	LagBytes  *int64     `json:"lag_bytes,omitempty"`
	Ghost     bool       `json:"ghost"`
	Error     string     `json:"error,omitempty"`
}

// show prints the cluster.
func (o *clusterOptions) show(ctx context.Context, _ []string) error {
	v, err := cluster.ReadOverview(ctx, o.session)
	if err != nil {
		return err
	}
	r := o.report(v, time.Now())
	if o.format == "json" {
		e := json.NewEncoder(o.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.write(o.stdout, time.Now())
}

func (o *clusterOptions) report(v *cluster.Overview, now time.Time) clusterReport {
	r := clusterReport{Problems: slices.Clip(append([]string{}, v.Problems...)), Servers: []serverReport{}, Destinations: []destinationReport{}}
	for _, s := range v.Servers {
		kind := "java"
		switch {
		case s.Towpath:
			kind = "towpath"
		case !s.Registered:
			kind = "gone"
		}
		r.Servers = append(r.Servers, serverReport{Address: s.Address, Kind: kind, Version: s.Version, Weight: s.Weight, Instances: s.Owns,
			Since: millisTime(s.StartedMs), Draining: s.Drain})
	}
	for _, d := range v.Destinations {
		r.Destinations = append(r.Destinations, o.destination(d, now))
	}
	return r
}

func (o *clusterOptions) destination(d cluster.DestinationView, now time.Time) destinationReport {
	r := destinationReport{Name: d.Name, Owner: d.Owner, Standbys: []string{}, Clients: []clientReport{}}
	if d.Owner != "" {
		r.Since = &d.Since
	}
	for _, c := range d.Competitors {
		if c != d.Owner {
			r.Standbys = append(r.Standbys, c)
		}
	}
	p := d.Progress
	if p.AtMs != 0 {
		r.Source = &sourceReport{Address: p.Source, File: p.File, Offset: p.Offset, GTIDSet: p.GTIDSet, Timestamp: millisTime(p.TimestampMs), Unacked: p.Unacked, At: millisTime(p.AtMs)}
	}
	for _, s := range d.Clients {
		c := clientReport{ID: s.Client.ID, Filter: s.Filter, Consumer: s.ActiveClient}
		if s.Err != nil {
			c.Error = s.Err.Error()
		}
		if s.HasCursor {
			c.File, c.Offset, c.GTIDSet = s.Cursor.Position.File, s.Cursor.Position.Offset, s.Cursor.Position.GTIDSet
			c.Confirmed, c.Written = millisTime(s.Cursor.Position.Timestamp), &s.CursorModified
			c.LagS, c.LagBytes = lag(s, d, now)
		}
		// A client that uses no ZooKeeper itself has no running node; it acks.
		c.Ghost = s.ActiveClient == "" && !s.CursorModified.IsZero() && now.Sub(s.CursorModified) > o.ghost && (c.LagS == nil || *c.LagS > 0)
		r.Clients = append(r.Clients, c)
	}
	return r
}

// progressLife is for how long what an owner has told counts: it tells again
// after 10 s at the latest.
const progressLife = 30 * time.Second

// lag is how far a client is behind what the owner has read: in seconds, from
// the last change that it has confirmed to the last that was read, and in bytes
// of the binlog when both are in one file. Without word from the owner it is not
// known.
func lag(s meta.Subscription, d cluster.DestinationView, now time.Time) (seconds *float64, bytes *int64) {
	p, at := d.Progress, time.UnixMilli(d.Progress.AtMs)
	// The words of an owner before may be about another server's binlog.
	if p.AtMs == 0 || d.Owner == "" || at.Before(d.Since) || now.Sub(at) > progressLife {
		return nil, nil
	}
	cur := s.Cursor.Position
	if p.File != "" && p.File == cur.File {
		n := max(0, p.Offset-cur.Offset)
		bytes = &n
	}
	behind := 0.0
	if p.Unacked > 0 && cur.Timestamp > 0 {
		behind = max(0, float64(p.TimestampMs-cur.Timestamp)/1000)
	}
	return &behind, bytes
}

// millisTime is a time in milliseconds since the epoch; nil for 0.
func millisTime(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms)
	return &t
}

// write prints the report for people, problems first.
func (r clusterReport) write(w io.Writer, now time.Time) error {
	if len(r.Problems) == 0 {
		fmt.Fprintln(w, "No problems.")
	} else {
		fmt.Fprintf(w, "PROBLEMS (%d)\n", len(r.Problems))
		for _, p := range r.Problems {
			fmt.Fprintf(w, "  ! %s\n", p)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVER\tKIND\tVERSION\tWEIGHT\tINSTANCES\tUP\tSTATE")
	for _, s := range r.Servers {
		state, weight := "", "-"
		if s.Draining {
			state = "draining"
		}
		if s.Kind == "towpath" {
			weight = fmt.Sprint(s.Weight)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.Address, s.Kind, cmp.Or(s.Version, "-"), weight, s.Instances, age(s.Since, now), state)
	}
	fmt.Fprintln(t, "\nDESTINATION\tOWNER\tFOR\tSTANDBYS\tREAD TO")
	for _, d := range r.Destinations {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.Name, cmp.Or(d.Owner, "NOBODY"), age(d.Since, now), cmp.Or(strings.Join(d.Standbys, " "), "none"), d.readTo(now))
	}
	fmt.Fprintln(t, "\nCLIENT\tCURSOR\tCONFIRMED CHANGE OF\tWRITTEN\tLAG\tCONSUMER")
	for _, d := range r.Destinations {
		for _, c := range d.Clients {
			fmt.Fprintf(t, "%s/%d\t%s\t%s\t%s\t%s\t%s\n", d.Name, c.ID, c.cursor(), ago(c.Confirmed, now), ago(c.Written, now), c.lag(), c.consumer())
		}
	}
	return t.Flush()
}

func (d destinationReport) readTo(now time.Time) string {
	if d.Source == nil || d.Source.File == "" {
		return "-"
	}
	return fmt.Sprintf("%s:%d, %s", d.Source.File, d.Source.Offset, ago(d.Source.At, now))
}

func (c clientReport) cursor() string {
	switch {
	case c.Error != "":
		return "UNREADABLE"
	case c.File == "" && c.GTIDSet == "":
		return "-"
	case c.GTIDSet != "":
		return fmt.Sprintf("%s:%d %s", c.File, c.Offset, c.GTIDSet)
	}
	return fmt.Sprintf("%s:%d", c.File, c.Offset)
}

func (c clientReport) lag() string {
	switch {
	case c.LagS == nil:
		return "unknown"
	case c.LagBytes == nil || *c.LagS == 0:
		return fmt.Sprintf("%.0fs", *c.LagS)
	}
	return fmt.Sprintf("%.0fs, %d bytes", *c.LagS, *c.LagBytes)
}

func (c clientReport) consumer() string {
	if c.Ghost {
		return "GHOST? expire it if nobody uses it any more"
	}
	return cmp.Or(c.Consumer, "-")
}

// age is how long ago something was, in its two largest units.
func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	d := max(0, now.Sub(*t)).Truncate(time.Second)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.String()
}

func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return age(t, now) + " ago"
}
