package instance

import (
	"os"
	"strings"
	"time"
)

// zoneName is the name of a time zone with its offset at a time:
// "Asia/Shanghai (+08:00)", or just "UTC". Nil is the zone of the process.
func zoneName(z *time.Location, at time.Time) string {
	if z == nil {
		z = time.Local
	}
	abbreviation, offset := at.In(z).Zone()
	name := z.String()
	if z == time.Local {
		tz, set := os.LookupEnv("TZ")
		link, _ := os.Readlink("/etc/localtime") // "" where it is a plain file or missing
		name = localName(tz, set, link)
	}
	if name == "" {
		name = abbreviation
	}
	if offset == 0 && (name == "UTC" || name == "Etc/UTC") {
		return "UTC"
	}
	return name + " (" + at.In(z).Format("-07:00") + ")"
}

// localName is the name of the zone that package time takes for the local one:
// what TZ says when it is set, else where /etc/localtime links to; "" when
// neither tells.
func localName(tz string, set bool, link string) string {
	if !set {
		tz = link
	}
	tz = strings.TrimPrefix(tz, ":")
	if set && tz == "" {
		return "UTC"
	}
	if _, name, ok := strings.Cut(tz, "/zoneinfo/"); ok {
		return name
	}
	if strings.HasPrefix(tz, "/") {
		return ""
	}
	return tz
}
