package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/control"
)

// javaLines is how many lines are read of a log of a Java server, which can only
// tell the last ones.
const javaLines = 2000

// logsRequest names a log folder.
type logsRequest struct {
	ID       int64 `path:"id" json:"-"`
	ServerID int64 `query:"serverId" json:"-" doc:"of an instance: on which server; 0 for the one that runs it"`
}

// logPageRequest asks for lines of a log.
type logPageRequest struct {
	logsRequest
	File      string `query:"file" json:"-" doc:"as listed; empty for the current one"`
	Offset    *int64 `query:"offset" json:"-" doc:"where to begin; the end if absent or -1"`
	Backwards bool   `query:"backwards" json:"-" doc:"the lines before the offset"`
	Lines     int    `query:"lines" json:"-" doc:"200 by default, at most 2000"`
	Search    string `query:"search" json:"-" doc:"only lines that contain it, in any case"`
	Level     string `query:"level" json:"-" doc:"only lines of at least this level: DEBUG, INFO, WARN, ERROR"`
}

// logPlace is a log folder of a server.
type logPlace struct {
	fleet       *fleet.Fleet
	server      database.Server
	destination string // "" for the server's own
}

func (a *API) serverLogs(ctx context.Context, _ identity.Principal, req logsRequest) ([]control.LogFile, error) {
	at, err := a.serverLogPlace(ctx, req)
	if err != nil {
		return nil, err
	}
	return at.list(ctx)
}

func (a *API) serverLogPage(ctx context.Context, _ identity.Principal, req logPageRequest) (control.LogPage, error) {
	at, err := a.serverLogPlace(ctx, req.logsRequest)
	if err != nil {
		return control.LogPage{}, err
	}
	return at.page(ctx, req)
}

func (a *API) instanceLogs(ctx context.Context, _ identity.Principal, req logsRequest) ([]control.LogFile, error) {
	at, err := a.instanceLogPlace(ctx, req)
	if err != nil {
		return nil, err
	}
	return at.list(ctx)
}

func (a *API) instanceLogPage(ctx context.Context, _ identity.Principal, req logPageRequest) (control.LogPage, error) {
	at, err := a.instanceLogPlace(ctx, req.logsRequest)
	if err != nil {
		return control.LogPage{}, err
	}
	return at.page(ctx, req)
}

func (a *API) serverLogPlace(ctx context.Context, req logsRequest) (logPlace, error) {
	s, err := a.findServer(ctx, req.ID)
	if err != nil {
		return logPlace{}, err
	}
	f, err := a.watched()
	return logPlace{f, s, ""}, err
}

// instanceLogPlace is on the server that is named, which must be one that may run
// the instance, or else on the one that runs it.
func (a *API) instanceLogPlace(ctx context.Context, req logsRequest) (logPlace, error) {
	f, v, err := a.instanceView(ctx, req.ID)
	if err != nil {
		return logPlace{}, err
	}
	candidates := v.Candidates()
	if req.ServerID != 0 {
		i := slices.IndexFunc(candidates, func(c *fleet.ServerView) bool { return c.Row.ID == req.ServerID })
		if i < 0 {
			return logPlace{}, notFound(serverWord)
		}
		return logPlace{f, candidates[i].Row, v.Row.Name}, nil
	}
	if v.On != nil {
		return logPlace{f, v.On.Row, v.Row.Name}, nil
	}
	if len(candidates) == 1 {
		return logPlace{f, candidates[0].Row, v.Row.Name}, nil
	}
	return logPlace{}, errNowhere
}

func (l logPlace) list(ctx context.Context) ([]control.LogFile, error) {
	var files []control.LogFile
	err := l.fleet.Call(ctx, l.server, control.MethodLogFiles, control.LogFilesParams{Destination: l.destination}, &files)
	if errors.Is(err, control.ErrNotTowpath) {
		var names []string
		names, err = l.fleet.LogFiles(ctx, l.server, l.destination)
		for _, name := range names {
			files = append(files, control.LogFile{Name: name, Size: -1})
		}
	}
	if err != nil {
		return nil, serverFault(err)
	}
	return orEmpty(files), nil
}

func (l logPlace) page(ctx context.Context, req logPageRequest) (control.LogPage, error) {
	offset := int64(-1)
	if req.Offset != nil {
		offset = *req.Offset
	}
	backwards := req.Backwards || req.Offset == nil
	var page control.LogPage
	err := l.fleet.Call(ctx, l.server, control.MethodLogRead, control.LogReadParams{Destination: l.destination, File: req.File,
		Offset: offset, Backwards: backwards, Lines: req.Lines, Search: req.Search, Level: req.Level}, &page)
	if errors.Is(err, control.ErrNotTowpath) {
		page, err = l.javaPage(ctx, req)
	}
	if err != nil {
		return page, serverFault(err)
	}
	page.Lines = orEmpty(page.Lines)
	return page, nil
}

// javaPage is the end of a log of a Java server, which knows no offsets: they are
// all -1.
func (l logPlace) javaPage(ctx context.Context, req logPageRequest) (control.LogPage, error) {
	page := control.LogPage{File: req.File, First: -1, Next: -1, Size: -1}
	if l.destination == "" && req.File != "" && req.File != "canal.log" {
		return page, fail(reasonUnsupported, text{"A Java Canal server tells only canal.log of its own logs", "Java 版 Canal Server 自身日志仅支持查看 canal.log"})
	}
	content, err := l.fleet.LogFile(ctx, l.server, l.destination, req.File, javaLines)
	if err != nil {
		return page, err
	}
	page.Lines = javaLogLines(content, req)
	return page, nil
}

// javaLogLines makes records of the lines of logback: one begins with a date, and
// what does not belongs to the one before. Search and level select records.
func javaLogLines(content string, req logPageRequest) []control.LogLine {
	var all []control.LogLine
	for line := range strings.SplitSeq(strings.TrimRight(content, "\n"), "\n") {
		level := javaLevel(line)
		if n := len(all); level == "" && n > 0 && (line == "" || line[0] < '0' || line[0] > '9') {
			all[n-1].Text += "\n" + line
			continue
		}
		all = append(all, control.LogLine{Offset: -1, Level: level, Text: line})
	}
	most := req.Lines
	if most <= 0 {
		most = 200
	}
	out := []control.LogLine{}
	for _, l := range all {
		if strings.Contains(strings.ToLower(l.Text), strings.ToLower(req.Search)) && levelRank(l.Level) >= levelRank(req.Level) && l.Text != "" {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-min(most, javaLines)):]
}

var logLevels = []string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR"}

func levelRank(level string) int { return slices.Index(logLevels, strings.ToUpper(level)) }

// javaLevel finds the level in a line such as
// "2024-01-02 03:04:05.678 [main] INFO  c.a.o.Class - text".
func javaLevel(line string) string {
	if line == "" || line[0] < '0' || line[0] > '9' {
		return ""
	}
	const within = 200 // names of threads are not longer
	for _, word := range strings.Fields(line[:min(len(line), within)]) {
		if levelRank(word) > 0 && word == strings.ToUpper(word) {
			return word
		}
	}
	return ""
}
