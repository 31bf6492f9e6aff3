package instance

import (
	"testing"
	"time"
)

func TestZoneName(t *testing.T) {
	at := time.Unix(1700000000, 0) // in November
	load := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	for want, z := range map[string]*time.Location{
		"UTC":                       time.UTC,
		"Asia/Shanghai (+08:00)":    load("Asia/Shanghai"),
		"America/St_Johns (-03:30)": load("America/St_Johns"),
		"Africa/Abidjan (+00:00)":   load("Africa/Abidjan"),
		"GMT+5:45 (+05:45)":         time.FixedZone("GMT+5:45", 5*3600+45*60),
		zoneName(nil, at):           time.Local,
	} {
		if got := zoneName(z, at); got != want {
			t.Errorf("%v: %q, want %q", z, got, want)
		}
	}
}

func TestLocalName(t *testing.T) {
	for _, c := range []struct {
		tz   string
		set  bool
		link string
		want string
	}{
		{"Asia/Shanghai", true, "/usr/share/zoneinfo/Etc/UTC", "Asia/Shanghai"},
		{":Asia/Shanghai", true, "", "Asia/Shanghai"},
		{":/usr/share/zoneinfo/Europe/Berlin", true, "", "Europe/Berlin"},
		{"", true, "/usr/share/zoneinfo/Europe/Berlin", "UTC"},
		{"", false, "/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"},
		{"", false, "../usr/share/zoneinfo/Etc/UTC", "Etc/UTC"},
		{"", false, "", ""},
		{"/etc/my-zone", true, "", ""},
	} {
		if got := localName(c.tz, c.set, c.link); got != c.want {
			t.Errorf("TZ %q (set %v), link %q: %q, want %q", c.tz, c.set, c.link, got, c.want)
		}
	}
}
