package identity

import (
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	a, b := newHash("secret"), newHash("secret")
	if a.String() == b.String() {
		t.Error("two hashes with one salt")
	}
	for _, h := range []hash{a, b} {
		parsed, err := parseHash(h.String())
		if err != nil {
			t.Fatal(err)
		}
		if !parsed.matches("secret") || parsed.matches("Secret") || parsed.matches("") {
			t.Errorf("%s matches wrongly", h)
		}
	}
	// A test vector of the reference implementation.
	const foreign = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if h, err := parseHash(foreign); err != nil || !h.matches("password") {
		t.Errorf("a hash of another program: %v", err)
	}
}

func TestParseHashRefuses(t *testing.T) {
	good := newHash("x").String()
	for name, s := range map[string]string{
		"empty": "", "Canal's": HashCanal("x"), "marker": "towpath", "argon2i": strings.Replace(good, "argon2id", "argon2i", 1),
		"version": strings.Replace(good, "v=19", "v=16", 1), "memory": strings.Replace(good, "m=64", "m=4294967295", 1), "no memory": strings.Replace(good, "m=64", "m=0", 1),
		"passes": strings.Replace(good, "t=1", "t=1000", 1), "no passes": strings.Replace(good, "t=1", "t=0", 1), "threads": strings.Replace(good, "p=1", "p=200", 1),
		"order": strings.Replace(good, "m=64,t=1", "t=1,m=64", 1), "sign": strings.Replace(good, "t=1", "t=+1", 1), "more": good + "$x", "base64": good + "=",
		"no salt": "$argon2id$v=19$m=64,t=1,p=1$$AAAAAAAAAAAAAAAA", "long sum": "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$" + strings.Repeat("AAAA", 30),
	} {
		if _, err := parseHash(s); err == nil {
			t.Errorf("%s: %s is taken", name, s)
		}
	}
}

func TestHashCanal(t *testing.T) {
	for plain, want := range map[string]string{
		"admin": "4acfe3202a5ff5cf467898fc58aab1d615029441", "123456": "6bb4837eb74329105ee4568dda7dc67ed2ca2ad9", "canal": "e3619321c1a937c46a0d8bd1dac39f93b27d4458",
	} {
		if got := HashCanal(plain); got != want {
			t.Errorf("%s: %s, want %s", plain, got, want)
		}
		if !matchesCanal(plain, strings.ToUpper(want)) || matchesCanal(plain+"x", want) || matchesCanal(plain, "") {
			t.Errorf("%s matches wrongly", plain)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=32768,t=3,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if h.memory > maxMemory || h.passes > maxPasses || h.threads > maxThreads || h.passes == 0 || len(h.sum) > maxBytes {
			t.Fatalf("%q: %+v", s, h.cost)
		}
		if again, err := parseHash(h.String()); err != nil || again.String() != h.String() {
			t.Fatalf("%q is written as %q, %v", s, h, err)
		}
	})
}
