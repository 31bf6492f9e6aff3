package inspect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/source"
)

// seekTimeout bounds the search for a place on the source, which may have to read a
// whole binlog file.
const seekTimeout = 2 * time.Minute

// maxSet bounds the text of a GTID set in a request, in bytes.
const maxSet = 1 << 20

// seek answers control.MethodSeek and, unless do is set, control.MethodSeekPreview.
func (i *Inspector) seek(ctx context.Context, p control.SeekParams, do bool) (*control.SeekPlan, error) {
	if err := wantDestination(p.Destination); err != nil {
		return nil, err
	}
	t, err := target(p)
	if err != nil {
		return nil, err
	}
	in, err := i.running(p.Destination)
	if err != nil {
		return nil, err
	}
	before := in.Status()
	s := seeking{params: p, status: &before}
	if s.chosen = chosen(before.Clients, p.ClientID); len(s.chosen) == 0 {
		return nil, noClient(p)
	}
	ctx, cancel := context.WithTimeout(ctx, seekTimeout)
	defer cancel()
	if s.at, err = in.Locate(ctx, t); err != nil {
		return nil, notLocated(in, err)
	}
	plan := s.plan()
	if !do {
		return plan, nil
	}
	err = i.o.Parts().Manager.Seek(ctx, p.Destination, instance.Move{Client: int16(p.ClientID), To: meta.Cursor{Host: s.at.Cursor.Host, Port: s.at.Cursor.Port, Position: s.at.Cursor.Position, Whole: s.at.Cursor.Whole}})
	if err != nil {
		return nil, i.notMoved(p, err)
	}
	plan.Done = true
	return plan, nil
}

// target checks what is asked for.
func target(p control.SeekParams) (source.Target, error) {
	given, set := 0, strings.TrimSpace(p.GTIDSet)
	for _, is := range []bool{p.File != "", p.TimestampMs != 0, set != "", p.End} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return source.Target{}, badParams("want one of file, timestampMs, gtidSet and end, got %d", given)
	case p.ClientID < 0 || p.ClientID > math.MaxInt16:
		return source.Target{}, badParams("clientId %d: want a number from 1 to %d, or 0 for all", p.ClientID, math.MaxInt16)
	case p.File != "" && !isName(p.File):
		return source.Target{}, badParams("%.100q cannot be a binlog file", p.File)
	case p.Offset != 0 && p.File == "":
		return source.Target{}, badParams("offset needs file")
	case p.Offset < 0:
		return source.Target{}, badParams("offset %d: want a number of bytes from the begin of the file", p.Offset)
	case p.TimestampMs < 0:
		return source.Target{}, badParams("timestampMs %d: want milliseconds since 1970", p.TimestampMs)
	case len(set) > maxSet:
		return source.Target{}, badParams("the GTID set is longer than %d bytes", maxSet)
	}
	return source.Target{File: p.File, Offset: p.Offset, Timestamp: p.TimestampMs, GTIDSet: set, End: p.End}, nil
}

// chosen are the clients that are to move: one, or all.
func chosen(all []delivery.ClientStatus, id int) []delivery.ClientStatus {
	var some []delivery.ClientStatus
	for _, c := range all {
		if id == 0 || int(c.Client.ID) == id {
			some = append(some, c)
		}
	}
	return some
}

func noClient(p control.SeekParams) *control.Error {
	text := "no client is subscribed to " + p.Destination
	if p.ClientID != 0 {
		text = fmt.Sprintf("client %d is not subscribed to %s", p.ClientID, p.Destination)
	}
	return &control.Error{Code: control.CodeNotFound, Message: text, Remedy: "let the client subscribe first; there is no cursor to move before"}
}

// notLocated says why a place was not found on the source.
func notLocated(in *instance.Instance, err error) *control.Error {
	if errors.Is(err, source.ErrTarget) {
		return badParams("%v", err)
	}
	if stop, ok := errors.AsType[*source.StopError](err); ok {
		text := stop.Reason
		if stop.Oldest != "" {
			text += fmt.Sprintf(" (the source has %s to %s)", stop.Oldest, stop.Newest)
		}
		return &control.Error{Code: control.CodeNotFound, Message: text, Remedy: stop.Remedy()}
	}
	return &control.Error{Code: control.CodeFailed, Message: "look for the place on the source: " + err.Error(), Remedy: in.Remedy(err)}
}

// notMoved says why the cursors were not moved.
func (i *Inspector) notMoved(p control.SeekParams, err error) error {
	switch {
	case errors.Is(err, instance.ErrNotOwner), errors.Is(err, instance.ErrNotRunning):
		if _, gone := i.running(p.Destination); gone != nil {
			return gone // who runs it
		}
		return &control.Error{Code: control.CodeNotOwner, Message: err.Error(), Remedy: "try again"}
	case errors.Is(err, instance.ErrNoClient):
		return noClient(p)
	}
	return &control.Error{Code: control.CodeFailed, Message: "move the cursors: " + err.Error(),
		Remedy: "look at the cursors of the destination, which are either the old or the new ones, and try again"}
}

// seeking is what is known when a plan is made.
type seeking struct {
	params control.SeekParams
	status *instance.Status
	chosen []delivery.ClientStatus
	at     source.Located
}

func (s *seeking) plan() *control.SeekPlan {
	p := &control.SeekPlan{To: position(s.at.Cursor.Position), From: []control.ClientPosition{}, Available: []control.BinlogFile{}}
	for _, c := range s.chosen {
		p.From = append(p.From, control.ClientPosition{ClientID: int(c.Client.ID), Cursor: position(c.Cursor.Position)})
	}
	for _, f := range s.at.Files {
		p.Available = append(p.Available, control.BinlogFile(f))
	}
	bytes, known := s.distance()
	p.Backwards, p.Bytes = bytes < 0, max(bytes, -bytes)
	if !known {
		p.Backwards, p.Bytes = s.earlier(), unknownLag
	}
	p.Consequences = s.consequences(p)
	return p
}

// from is where the one of the clients is that is furthest behind.
func (s *seeking) from() (binlog.Position, bool) {
	status := *s.status
	status.Clients = s.chosen
	return confirmed(&status)
}

// distance is how far clients go forward, in bytes of the binlog.
func (s *seeking) distance() (n int64, known bool) {
	from, ok := s.from()
	if !ok {
		return 0, false
	}
	return distance(s.at.Files, from, s.at.Cursor.Position)
}

// earlier goes by time where the distance is not known.
func (s *seeking) earlier() bool {
	from, ok := s.from()
	to := s.at.Cursor.Position
	return ok && from.Timestamp > 0 && to.Timestamp > 0 && to.Timestamp < from.Timestamp
}

// consequences says in plain sentences what happens.
func (s *seeking) consequences(p *control.SeekPlan) []string {
	to := s.at.Cursor.Position
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	_, placed := s.from()
	switch size := sizeText(p.Bytes); {
	case !placed:
		say("The clients have no position yet. They begin at %s.", placeText(to))
	case p.Backwards:
		say("Clients get changes again that they have confirmed: %s of the binlog, from %s on.", size, placeText(to))
		say("Tables whose layout has changed since that place may be decoded with the layout of today.")
	case p.Bytes == 0:
		say("The clients are at that place already.")
	default:
		say("The changes between where the clients are and %s are skipped: %s of the binlog. They are never delivered.", placeText(to), size)
	}
	switch t := s.params; {
	case s.at.Moved:
		say("%s:%d is not where a transaction begins, so reading goes on at the begin of the one around it, %s.", t.File, t.Offset, placeText(to))
	case t.TimestampMs > 0:
		say("Reading goes on behind the last transaction that was written before %s.", time.UnixMilli(t.TimestampMs).UTC().Format(time.RFC3339))
	case s.at.Again:
		say("Some transactions of the GTID set stand behind one that is not in it. This destination is read by file and offset, so these come again.")
	}
	if open, entries := inHand(s.status.Clients); open > 0 {
		say("%d batches with %d entries that clients have in hand are dropped: confirming them has no effect any more.", open, entries)
	}
	say("The instance stops and starts again on this server. Clients stay connected, and what they ask for next is from the new place.")
	s.others(say)
	if s.status.Config.Meta == config.MetaMemory {
		say("The cursors of this destination are kept in memory only: when the server ends, so does the effect of this.")
	}
	return out
}

// others tells what it means for clients that do not move.
func (s *seeking) others(say func(string, ...any)) {
	moves := make(map[int16]bool)
	for _, c := range s.chosen {
		moves[c.Client.ID] = true
	}
	for _, c := range s.status.Clients {
		if !moves[c.Client.ID] && c.HasCursor {
			say("Client %d stays at %s. All clients of a destination share one stream, which is read from the place of the one furthest behind.", c.Client.ID, placeText(c.Cursor.Position))
		}
	}
}

// inHand counts the batches that are not confirmed, and what is in them.
func inHand(clients []delivery.ClientStatus) (batches int, entries int64) {
	for _, c := range clients {
		batches += c.Open
		entries += c.Unacked
	}
	return batches, entries
}

func placeText(p binlog.Position) string {
	if p.File == "" {
		return "GTID set " + p.GTIDSet
	}
	return fmt.Sprintf("%s:%d", p.File, p.Offset)
}

// sizeText is a number of bytes for a person.
func sizeText(n int64) string {
	switch {
	case n < 0:
		return "an unknown number of bytes"
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
