package polling

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// canalTime is for how long an admin that knew only Canal's questions is not asked
// for a summary: it may be replaced by one of ours.
const canalTime = 10 * time.Minute

// Summary is what an admin of ours says of all texts of a server in one answer. With
// it a server asks only for those that are new, and not for each of its instances in
// each round. A nil Summary says nothing.
type Summary struct {
	server string // MD5; "" when the admin does not know the server
	names  []string
	md5    map[string]string // of the text of each of names
}

// SameServer says whether the server's text is still the one with an MD5, or nothing
// is known of another.
func (s *Summary) SameServer(md5 string) bool {
	return s != nil && (s.server == "" || s.server == md5)
}

// Instances are those that the server shall have. ok is false when the admin does not
// know the server: nothing follows from that.
func (s *Summary) Instances() (names []string, ok bool) { return s.names, s.server != "" }

// SameInstance says whether the text of an instance is still the one with an MD5.
func (s *Summary) SameInstance(destination, md5 string) bool {
	return s != nil && md5 != "" && s.md5[destination] == md5
}

// lastSummary is what the next one is compared with.
type lastSummary struct {
	mu      sync.Mutex
	version string
	Summary
	canal map[string]time.Time // until when an address is not asked, by base URL
}

// summary is what counts of an answer's data.
type summary struct {
	Version   string `json:"version"`
	Server    string `json:"server"`
	Instances []struct {
		Name string `json:"name"`
		MD5  string `json:"md5"`
	} `json:"instances"` // nil when the version is the one that was asked with
}

// Summary asks the admin that answered last for a summary. It is nil when that admin
// has none, as Canal's, or does not answer: Canal's questions tell why.
func (c *Client) Summary(ctx context.Context) *Summary {
	base := c.o.Addresses[c.current.Load()]
	known, ask := c.last.ask(base, c.o.Now())
	if !ask {
		return nil
	}
	d, err := request[summary](ctx, c, base+"/api/v1/config/towpath_polling?ip="+url.QueryEscape(c.o.IP)+
		"&port="+strconv.Itoa(c.o.Port)+"&known="+url.QueryEscape(known))
	if err != nil {
		if unknown(err) {
			c.last.skip(base, c.o.Now().Add(canalTime))
		}
		return nil
	}
	if d == nil {
		return &Summary{}
	}
	return c.last.take(d)
}

// unknown says whether an admin does not know what it was asked: Canal's wants a
// log-in for paths that it does not have.
func unknown(err error) bool {
	var status *statusError
	var refusal *RefusedError
	switch {
	case errors.As(err, &status):
		return status.code >= http.StatusBadRequest && status.code < http.StatusInternalServerError
	case errors.As(err, &refusal):
		return refusal.Code != codeFailed
	}
	return errors.Is(err, errForeign)
}

// ask says whether an address may be asked, and with which version.
func (l *lastSummary) ask(base string, now time.Time) (known string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version, !now.Before(l.canal[base])
}

func (l *lastSummary) skip(base string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.canal == nil {
		l.canal = make(map[string]time.Time)
	}
	l.canal[base] = until
}

// take makes a summary of an answer. It is nil when the answer leaves out what is
// not known here.
func (l *lastSummary) take(d *summary) *Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Server == "" || d.Instances == nil && d.Version != l.version {
		return nil
	}
	if d.Instances != nil {
		names, md5 := make([]string, 0, len(d.Instances)), make(map[string]string, len(d.Instances))
		for _, i := range d.Instances {
			if name := strings.TrimSpace(i.Name); name != "" {
				names = append(names, name)
				md5[name] = i.MD5
			}
		}
		l.version, l.names, l.md5 = d.Version, names, md5
	}
	return &Summary{server: d.Server, names: l.names, md5: l.md5}
}
