package config

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var gmtOffset = regexp.MustCompile(`^GMT([+-])(\d{1,2})(?::?(\d{2}))?$`)

// timeZone is the zone named as Java's -Duser.timezone names it: a zone of the
// tz database or GMT+8, GMT+08:00. "" is the zone of the process. Java silently
// takes GMT for a name it does not know; here that is an error.
func timeZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	if m := gmtOffset.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi("0" + m[3])
		if hours <= 23 && minutes <= 59 {
			seconds := (hours*60 + minutes) * 60
			if m[1] == "-" {
				seconds = -seconds
			}
			return time.FixedZone(name, seconds), nil
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, newValueError("", "user.timezone", name, Source{Kind: sourceOverride}, fmt.Sprintf("want a zone such as Asia/Shanghai or GMT+8: %v", err))
	}
	return zone, nil
}
