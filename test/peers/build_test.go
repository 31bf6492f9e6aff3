package peers

import "testing"

// TestBuild builds every peer.
func TestBuild(t *testing.T) {
	for _, p := range Peers {
		t.Run(string(p), func(t *testing.T) { ForTest(t, p) })
	}
}
