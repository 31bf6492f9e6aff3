package inspect

import (
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/source"
	"github.com/towpath-cdc/towpath/internal/store"
)

func at(file string, offset int64) binlog.Position {
	return binlog.Position{File: file, Offset: offset}
}

var threeFiles = []mysql.LogFile{{Name: "b.1", Size: 100}, {Name: "b.2", Size: 200}, {Name: "b.3", Size: 50}}

func TestDistance(t *testing.T) {
	for name, c := range map[string]struct {
		files    []mysql.LogFile
		from, to binlog.Position
		want     int64
		ok       bool
	}{
		"one file":               {nil, at("b.1", 4), at("b.1", 90), 86, true},
		"backwards in it":        {nil, at("b.1", 90), at("b.1", 4), -86, true},
		"the next file":          {threeFiles, at("b.1", 40), at("b.2", 4), 64, true},
		"over a file":            {threeFiles, at("b.1", 40), at("b.3", 10), 270, true},
		"back over a file":       {threeFiles, at("b.3", 10), at("b.1", 40), -270, true},
		"without the list":       {nil, at("b.1", 40), at("b.3", 10), 0, false},
		"of a file that is gone": {threeFiles, at("b.0", 40), at("b.3", 10), 0, false},
		"nowhere":                {threeFiles, at("", 0), at("", 0), 0, false},
	} {
		if n, ok := distance(c.files, c.from, c.to); ok != c.ok || ok && n != c.want {
			t.Errorf("%s: %d, %v, want %d, %v", name, n, ok, c.want, c.ok)
		}
	}
}

func TestBehind(t *testing.T) {
	for name, c := range map[string]struct {
		p    binlog.Position
		k    *head
		want int64
		need bool
	}{
		"not asked":            {at("b.3", 4), nil, -1, false},
		"in the last file":     {at("b.3", 4), &head{end: at("b.3", 50)}, 46, false},
		"ahead of the answer":  {at("b.3", 60), &head{end: at("b.3", 50)}, 0, false},
		"files are wanted":     {at("b.2", 4), &head{end: at("b.3", 50)}, -1, true},
		"files are there":      {at("b.2", 4), &head{end: at("b.3", 50), files: threeFiles}, 246, true},
		"rotated since":        {at("b.4", 4), &head{end: at("b.3", 50), files: threeFiles}, 0, false},
		"no place by its name": {binlog.Position{GTIDSet: "x"}, &head{end: at("b.3", 50)}, -1, false},
	} {
		if n, need := behind(c.p, c.k); n != c.want || need != c.need {
			t.Errorf("%s: %d, %v, want %d, %v", name, n, need, c.want, c.need)
		}
	}
}

func TestLag(t *testing.T) {
	now := time.UnixMilli(100_000)
	streaming := source.State{Phase: source.PhaseStreaming}
	one := []delivery.ClientStatus{{Client: meta.Client{ID: 1}}}
	busy, quiet := source.Stats{LastByteAt: now.Add(-100 * time.Millisecond)}, source.Stats{LastByteAt: now.Add(-10 * time.Second)}
	for name, c := range map[string]struct {
		s    instance.Status
		k    *head
		want time.Duration
	}{
		"no client":                    {instance.Status{Source: streaming}, nil, unknownLag},
		"something unacked":            {instance.Status{Source: streaming, Clients: one, Store: store.Stats{PutSeq: 5, AckSeq: 4, OldestTime: 97_000}}, nil, 3 * time.Second},
		"source is ahead of our clock": {instance.Status{Source: streaming, Clients: one, Store: store.Stats{PutSeq: 5, AckSeq: 4, OldestTime: 97_000}}, &head{ahead: 5 * time.Second}, 8 * time.Second},
		"from the future":              {instance.Status{Source: streaming, Clients: one, Store: store.Stats{PutSeq: 5, AckSeq: 4, OldestTime: 197_000}}, nil, 0},
		"unacked without a time":       {instance.Status{Source: streaming, Clients: one, Store: store.Stats{PutSeq: 5, AckSeq: 4}}, nil, unknownLag},
		"all acked, source down":       {instance.Status{Source: source.State{Phase: source.PhaseWaiting}, Clients: one, Read: quiet}, nil, unknownLag},
		"all acked, idle":              {instance.Status{Source: streaming, Clients: one, Read: quiet}, nil, 0},
		"all acked, at the end":        {instance.Status{Source: streaming, Clients: one, Read: busy, Resume: at("b.3", 50)}, &head{end: at("b.3", 50)}, 0},
		"reads what nobody wants":      {instance.Status{Source: streaming, Clients: one, Read: busy, Resume: binlog.Position{File: "b.3", Offset: 20, Timestamp: 40_000}}, &head{end: at("b.3", 50)}, time.Minute},
		"has just begun":               {instance.Status{Source: source.State{Phase: source.PhaseStreaming, Position: binlog.Position{Timestamp: 90_000}}, Clients: one, Read: busy}, nil, 10 * time.Second},
	} {
		if got := lag(&c.s, c.k, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestConfirmed(t *testing.T) {
	client := func(id int16, p binlog.Position, has bool) delivery.ClientStatus {
		return delivery.ClientStatus{Client: meta.Client{ID: id}, Cursor: meta.Cursor{Position: p}, HasCursor: has}
	}
	for name, c := range map[string]struct {
		s    instance.Status
		want binlog.Position
		ok   bool
	}{
		"nobody":            {instance.Status{}, binlog.Position{}, false},
		"nothing confirmed": {instance.Status{Clients: []delivery.ClientStatus{client(1, binlog.Position{}, false)}}, binlog.Position{}, false},
		"the slowest": {instance.Status{Store: store.Stats{PutSeq: 4, AckSeq: 3}, Resume: at("b.3", 1),
			Clients: []delivery.ClientStatus{client(1, at("b.2", 9), true), client(2, at("b.1", 9), true), client(3, binlog.Position{}, false)}}, at("b.1", 9), true},
		"everything": {instance.Status{Store: store.Stats{PutSeq: 4, AckSeq: 4}, Resume: at("b.3", 1),
			Clients: []delivery.ClientStatus{client(1, at("b.2", 9), true)}}, at("b.3", 1), true},
		"before the first entry": {instance.Status{Store: store.Stats{PutSeq: -1, AckSeq: -1}, Clients: []delivery.ClientStatus{client(1, at("b.2", 9), true)}}, at("b.2", 9), true},
	} {
		if p, ok := confirmed(&c.s); p != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", name, p, ok, c.want, c.ok)
		}
	}
}
