package inspect

import (
	"slices"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/instance"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/internal/mysql"
	"github.com/towpath-cdc/towpath/internal/source"
)

// unknownLag stands for a lag that is not known.
const unknownLag = -1

// idleAfter is for how long a source has sent nothing when it counts as idle: it
// sends what there is at once.
const idleAfter = time.Second

// confirmed is up to where all that is behind it has been confirmed by every
// client. ok is false when nobody has.
func confirmed(s *instance.Status) (p binlog.Position, ok bool) {
	var cur meta.Cursor
	records := make([]meta.Record, 0, 8)
	for _, c := range s.Clients {
		records = append(records, meta.Record{Client: c.Client, Cursor: c.Cursor, HasCursor: c.HasCursor})
	}
	if cur, ok = meta.Earliest(records); !ok {
		return p, false
	}
	if s.Store.PutSeq == s.Store.AckSeq && s.Store.PutSeq >= 0 && s.Resume.File != "" {
		return s.Resume, true // a cursor stands at the begin of the last event, this behind it
	}
	return cur.Position, true
}

// lag is how far the slowest client is behind its source in time: the age, by the
// source's clock, of the oldest change that it has not confirmed. k may be nil.
func lag(s *instance.Status, k *head, now time.Time) time.Duration {
	if k != nil {
		now = now.Add(k.ahead)
	}
	age := func(ms int64) time.Duration { return max(0, now.Sub(time.UnixMilli(ms))) }
	switch {
	case len(s.Clients) == 0:
		return unknownLag
	case s.Store.OldestTime > 0:
		return age(s.Store.OldestTime)
	case s.Store.PutSeq != s.Store.AckSeq:
		return unknownLag
	case s.Source.Phase == source.PhaseFinished:
		return 0
	case s.Source.Phase != source.PhaseStreaming:
		return unknownLag
	case caughtUp(s, k, now):
		return 0
	case s.Resume.Timestamp > 0:
		return age(s.Resume.Timestamp)
	case s.Source.Position.Timestamp > 0:
		return age(s.Source.Position.Timestamp)
	}
	return unknownLag
}

// caughtUp tells whether all there is has been read: to where the source last said
// that its binlog ends, or, since that may be a while ago, because it has nothing
// to say.
func caughtUp(s *instance.Status, k *head, now time.Time) bool {
	if k != nil && s.Resume.File == k.end.File && s.Resume.Offset >= k.end.Offset {
		return true
	}
	ahead := time.Duration(0)
	if k != nil {
		ahead = k.ahead
	}
	return now.Add(-ahead).Sub(s.Read.LastByteAt) > idleAfter
}

// behind is how much of the binlog, in bytes, lies between what is confirmed and
// its end. needFiles says that the list of files is needed for it.
func behind(p binlog.Position, k *head) (n int64, needFiles bool) {
	if k == nil || p.File == "" {
		return unknownLag, false
	}
	n, ok := distance(k.files, p, k.end)
	switch {
	case ok:
		return max(0, n), p.File != k.end.File
	case len(k.files) > 0 && p.File > k.end.File && len(p.File) == len(k.end.File):
		return 0, false // it was rotated since the source was asked
	}
	return unknownLag, true
}

// distance is how many bytes lie between two places: negative when to comes first.
// ok is false when that cannot be told.
func distance(files []mysql.LogFile, from, to binlog.Position) (n int64, ok bool) {
	if from.File == to.File {
		return to.Offset - from.Offset, from.File != ""
	}
	index := func(name string) int {
		return slices.IndexFunc(files, func(f mysql.LogFile) bool { return f.Name == name })
	}
	i, j := index(from.File), index(to.File)
	switch {
	case i < 0 || j < 0:
		return 0, false
	case i > j:
		n, ok = distance(files, to, from)
		return -n, ok
	}
	for _, f := range files[i:j] {
		n += f.Size
	}
	return n - from.Offset + to.Offset, true
}
