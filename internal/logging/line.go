package logging

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The attributes that have a place of their own in a line. All others follow
// the message as key=value.
const (
	DestinationKey = "destination" // chooses the file
	LoggerKey      = "logger"      // Canal's logger name; "towpath" without
	ThreadKey      = "thread"      // Canal's thread name; "main" without
)

// timeLayout is logback's yyyy-MM-dd HH:mm:ss.SSS.
const timeLayout = "2006-01-02 15:04:05.000"

// line is one record taken apart.
type line struct {
	time        time.Time
	level       slog.Level
	destination string
	logger      string
	thread      string
	message     string
	attrs       []byte // " key=value…"
}

// set takes one attribute; prefix is that of the open groups, "" or "a.b.".
func (l *line) set(prefix string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range a.Value.Group() {
			l.set(prefix, member)
		}
		return
	}
	if prefix == "" {
		switch a.Key {
		case DestinationKey:
			l.destination = a.Value.String()
			return
		case LoggerKey:
			l.logger = a.Value.String()
			return
		case ThreadKey:
			l.thread = a.Value.String()
			return
		}
	}
	l.attrs = appendAttr(l.attrs, prefix+a.Key, a.Value)
}

// appendAttr appends " key=value", quoted where it would not be one word.
func appendAttr(dst []byte, key string, v slog.Value) []byte {
	dst = append(dst, ' ')
	dst = appendWord(dst, key)
	dst = append(dst, '=')
	if v.Kind() == slog.KindTime {
		return appendWord(dst, v.Time().Format(time.RFC3339Nano))
	}
	return appendWord(dst, v.String())
}

func appendWord(dst []byte, s string) []byte {
	odd := func(r rune) bool { return r == '"' || r == '=' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, s...)
}

// format is Canal's "time [thread] LEVEL logger - message", then the attributes.
// withDestination also shows the destination, for places all of them share.
func (l *line) format(withDestination bool) []byte {
	b := make([]byte, 0, 128+len(l.message)+len(l.attrs))
	b = l.time.AppendFormat(b, timeLayout)
	b = append(b, " ["...)
	b = append(b, orElse(l.thread, "main")...)
	b = append(b, "] "...)
	b = append(b, levelName(l.level)...)
	b = append(b, ' ')
	b = append(b, orElse(l.logger, "towpath")...)
	b = append(b, " - "...)
	b = append(b, l.message...)
	if withDestination && l.destination != "" {
		b = appendAttr(b, DestinationKey, slog.StringValue(l.destination))
	}
	b = append(b, l.attrs...)
	return append(b, '\n')
}

func orElse(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// levelName is the level in logback's words, padded to five characters.
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO "
	case l < slog.LevelError:
		return "WARN "
	}
	return "ERROR"
}
