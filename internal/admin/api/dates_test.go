package api

import (
	"testing"
	"time"
)

func TestDateFormat(t *testing.T) {
	at := time.Date(2026, 7, 5, 20, 4, 9, 123e6, time.UTC)
	tests := []struct{ name, pattern, zone, want string }{
		{"as shipped", "", "", "2026-07-06 04:04:09"},
		{"UTC", "yyyy-MM-dd HH:mm:ss", "UTC", "2026-07-05 20:04:09"},
		{"GMT", "yyyy-MM-dd HH:mm:ss", "GMT", "2026-07-05 20:04:09"},
		{"west", "yyyy-MM-dd HH:mm", "GMT-3:30", "2026-07-05 16:34"},
		{"two digits", "yyyy-MM-dd HH:mm", "GMT+0800", "2026-07-06 04:04"},
		{"a place", "d.M.yyyy", "Asia/Shanghai", "6.7.2026"},
		{"ISO", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "GMT+08:00", "2026-07-06T04:04:09.123+08:00"},
		{"quote", "HH 'o''clock'", "UTC", "20 o'clock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := newDateFormat(tt.pattern, tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.format(at); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, bad := range [][2]string{{"yyyyy", ""}, {"QQ", ""}, {"'x", ""}, {"", "GMT+x"}, {"", "Nowhere/City"}} {
		if _, err := newDateFormat(bad[0], bad[1]); err == nil {
			t.Errorf("newDateFormat(%q, %q) gave no error", bad[0], bad[1])
		}
	}
}
