package api

import (
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// maskFor hides the secrets of a text from everybody but administrators.
func maskFor(p identity.Principal, content string) string {
	if p.Role.Allows(identity.RoleAdmin) {
		return content
	}
	return maskSecrets(content)
}

// md5For is the MD5 of a text as maskFor shows it: that of the whole text would let
// somebody who sees the rest of it try passwords until it fits.
func md5For(p identity.Principal, content string) string { return md5Of(maskFor(p, content)) }

// maskSecrets puts control.Masked where secrets stand.
func maskSecrets(content string) string { return config.MaskSecrets(content, control.Masked) }

// keepSecrets puts back what maskSecrets has hidden: a secret of edited that is
// still masked gets the value that it has in stored.
func keepSecrets(edited, stored string) (string, error) {
	if !strings.Contains(edited, control.Masked) {
		return edited, nil
	}
	known := config.Secrets(stored, control.Masked)
	seen := map[string]int{}
	var out strings.Builder
	last := 0
	for _, s := range config.Secrets(edited, control.Masked) {
		nth := seen[nameOf(s)]
		seen[nameOf(s)]++
		if strings.TrimSpace(s.Value) != control.Masked {
			continue
		}
		value, ok := storedValue(stored, known, s, nth)
		if !ok {
			if !config.IsSecret(s.Key) {
				continue // it says so itself
			}
			return "", fail(reasonInvalid, text{"%s is masked, but there is no stored value to keep; enter one", "%s 为掩码，但没有可保留的原值，请填写"}, s.Key)
		}
		out.WriteString(edited[last:s.Start])
		out.WriteString(value)
		last = s.End
	}
	out.WriteString(edited[last:])
	return out.String(), nil
}

// nameOf tells values in comments from others.
func nameOf(s config.Secret) string {
	if s.Commented {
		return "#" + s.Key
	}
	return s.Key
}

// storedValue finds what the nth value of a key was: when there are fewer, it is
// the last of that key.
func storedValue(stored string, known []config.Secret, want config.Secret, nth int) (string, bool) {
	value, found := "", false
	for _, s := range known {
		if s.Key != want.Key || s.Commented && !want.Commented && found {
			continue
		}
		value, found = stored[s.Start:s.End], true
		if s.Commented == want.Commented {
			if nth == 0 {
				return value, true
			}
			nth--
		}
	}
	return value, found
}
