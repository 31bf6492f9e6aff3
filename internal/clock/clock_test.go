package clock

import (
	"testing"
	"time"
)

func TestSinceBootGoesOn(t *testing.T) {
	begun, before := time.Now(), SinceBoot()
	if before <= 0 {
		t.Fatalf("%v since the boot", before)
	}
	for time.Since(begun) < 20*time.Millisecond {
		now := SinceBoot()
		if now < before {
			t.Fatalf("from %v back to %v", before, now)
		}
		before = now
	}
}
