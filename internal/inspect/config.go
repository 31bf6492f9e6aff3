package inspect

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// config answers control.MethodConfig.
func (i *Inspector) config(destination string) (*control.RunningConfig, error) {
	c := i.o.Parts().Config
	if destination == "" {
		text, err := c.ServerText()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, failed(err)
		}
		return runningConfig(text, c.ServerValues()), nil
	}
	if _, err := i.standing(destination); err != nil {
		return nil, err
	}
	text, err := c.InstanceText(destination)
	if err != nil {
		return nil, failed(err)
	}
	values, err := c.InstanceValues(destination)
	if err != nil {
		return nil, failed(err)
	}
	return runningConfig(text, values), nil
}

func runningConfig(text string, values []config.Value) *control.RunningConfig {
	r := &control.RunningConfig{MD5: sum(text), Text: config.MaskSecrets(text, control.Masked), Values: make([]control.ConfigValue, len(values))}
	for n, v := range values {
		if v.Secret && v.Value != "" {
			v.Value = control.Masked
		}
		r.Values[n] = control.ConfigValue{Key: v.Key, Value: v.Value, Source: v.Source.String()}
	}
	return r
}

func failed(err error) *control.Error {
	return &control.Error{Code: control.CodeFailed, Message: err.Error()}
}

// sum is the MD5 of a text as Canal's admin and servers compare it.
func sum(text string) string {
	s := md5.Sum([]byte(text))
	return hex.EncodeToString(s[:])
}

// texts remembers the sums of the admin's texts, which seldom change.
type texts struct {
	mu    sync.Mutex
	known map[string]summed // by destination
}

type summed struct{ text, md5 string }

// md5 is the sum of the admin's text for a destination; "" when it has none.
func (t *texts) md5(c *config.Config, destination string) string {
	text, ok := c.RemoteText(destination)
	if !ok {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, ok := t.known[destination]; ok && k.text == text {
		return k.md5
	}
	if t.known == nil || len(t.known) >= maxDestinations {
		t.known = make(map[string]summed)
	}
	k := summed{text, sum(text)}
	t.known[destination] = k
	return k.md5
}

// unknown is the error for a destination that the server does not have.
func unknown(destination string) *control.Error {
	return &control.Error{Code: control.CodeUnknownDestination, Message: fmt.Sprintf("this server has no destination %q", destination)}
}
