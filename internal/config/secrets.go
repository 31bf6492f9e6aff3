package config

import (
	"regexp"
	"strings"
)

// suspicious are parts of the names of keys that are taken for secrets although
// the catalogue does not know them.
var suspicious = []string{"passw", "pwd", "secret", "token", "credential", "accesskey", "privatekey", "private.key", "keystore.key", "apikey", "jaas"}

// IsSecret says whether the value of a key is a secret. It goes by the catalogue,
// and for names that it does not have by how people call such things.
func IsSecret(key string) bool {
	if k, ok := LookupKey(key); ok && (k.Secret || !k.isPattern()) {
		return k.Secret
	}
	lower := strings.ToLower(key)
	for _, part := range suspicious {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return false
}

// credentials are what a URL, or a list of options, can have a password in: the
// user information, Oracle's user/password@host, or an option named so.
var credentials = regexp.MustCompile(`://[^\s@]*:[^\s@]+@` +
	`|(?i)\boracle:[a-z0-9]+:[^\s/@]+/[^\s@]+@` +
	`|(?i)(?:passw|pwd|secret|token|accesskey)[\w.-]*\s*=\s*[^\s&;,)]`)

// HasCredentials says whether there is a password in a value, as JDBC URLs can have
// one.
func HasCredentials(value string) bool { return credentials.MatchString(value) }

// SecretNames are the keys that the values of secret keys refer to by ${…}, directly
// or by way of others: their values are secrets as well. Each setting is a key and a
// value; a key may be there several times.
func SecretNames(settings [][2]string) map[string]bool {
	values := map[string][]string{}
	var secret []string
	for _, s := range settings {
		values[s[0]] = append(values[s[0]], s[1])
		if IsSecret(s[0]) {
			secret = append(secret, s[1])
		}
	}
	names := map[string]bool{}
	for len(secret) > 0 {
		value := secret[len(secret)-1]
		secret = secret[:len(secret)-1]
		for name := range references(value) {
			if !names[name] {
				names[name] = true
				secret = append(secret, values[name]...)
			}
		}
	}
	return names
}

// references are the names in the placeholders of a value.
func references(value string) map[string]bool {
	names := map[string]bool{}
	for _, part := range strings.Split(value, "${")[1:] {
		if i := strings.IndexAny(part, ":}"); i >= 0 {
			names[trim(part[:i])] = true
		}
	}
	return names
}

// Overlay is the text of an instance with that of its server over it, as a managed
// server reads both. No file, environment or command line adds to it. It serves to
// find out where a secret would get to, and is for one goroutine at a time.
type Overlay struct{ p *placeholders }

// NewOverlay reads both texts. The error is a *SyntaxError.
func NewOverlay(server, destination, content string) (*Overlay, error) {
	p := &placeholders{sources: newSources(LoadOptions{}), destination: destination}
	var err error
	if p.server, err = ParseProperties(adminPlace+"canal.properties", []byte(server)); err != nil {
		return nil, err
	}
	if p.remote, err = ParseProperties(destination+"/"+instanceFile, []byte(content)); err != nil {
		return nil, err
	}
	return &Overlay{p}, nil
}

// Instance is the text of the instance.
func (o *Overlay) Instance() *Properties { return o.p.remote }

// Server is the text of the server.
func (o *Overlay) Server() *Properties { return o.p.server }

// Value is what a key comes to, "" for nothing. secret says that a secret is, or may
// be, a part of it.
func (o *Overlay) Value(key string) (value string, secret bool, err error) {
	raw, _ := o.p.raw(key)
	return o.Expand(raw)
}

// Expand is what a text with placeholders comes to.
func (o *Overlay) Expand(text string) (value string, secret bool, err error) {
	e := o.p.expansion("")
	value, err = e.expand(text)
	return trim(value), e.secret, err
}
