package polling

import (
	"context"
	"crypto/md5" // what the protocol compares texts by
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ClientOptions say which admin is asked, and for whom.
type ClientOptions struct {
	Addresses []string // base URLs of admins that share a database, tried in turn
	User      string
	Passwd    string // the hash in hex, sent as it is
	TLS       *tls.Config

	// The server, as the admin knows it.
	IP       string
	Port     int // its admin port
	Register bool
	Cluster  string
	NodeName string

	Version string           // for the User-Agent
	Timeout time.Duration    // for each of: connect, TLS, first byte of the answer; 0 means 5 s, as in Canal
	Now     func() time.Time // nil means time.Now
}

// Client asks an admin. It is safe for concurrent use.
type Client struct {
	o       ClientOptions
	http    *http.Client
	current atomic.Int32 // index of the address that answered last
	last    lastSummary
}

// Text is one text of the configuration, as it came from the admin.
type Text struct {
	Content string    `json:"content"`
	MD5     string    `json:"md5"` // of Content, lower-case hex
	At      time.Time `json:"at"`  // when it came
}

// RefusedError is an admin's answer that is no answer to the question: the hash is
// wrong, the cluster unknown, its database away.
type RefusedError struct {
	Code    int
	Message string
}

func (e *RefusedError) Error() string { return "requestGet for canal config error: " + e.Message }

// RequestError means that no admin gave an answer.
type RequestError struct {
	URL string
	Err error
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("requestGet remote error, request : %s: %v", e.URL, e.Err)
}

func (e *RequestError) Unwrap() error { return e.Err }

// Limits of one request.
const (
	defaultTimeout = 5 * time.Second // Canal's, for connecting and for waiting
	maxAnswer      = 16 << 20        // bytes; a text of more than 8 MiB is refused anyway
	maxAsking      = 4               // requests for instances under way at a time
)

// Codes of an answer (BaseModel).
const (
	codeOK     = 20000
	codeFailed = 50000
)

// NewClient returns a client. Close ends its connections.
func NewClient(o ClientOptions) *Client {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{o: o, http: &http.Client{
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: o.Timeout}).DialContext,
			TLSClientConfig:       o.TLS,
			TLSHandshakeTimeout:   o.Timeout,
			ResponseHeaderTimeout: o.Timeout,
			MaxIdleConnsPerHost:   maxAsking,
			IdleConnTimeout:       90 * time.Second,
		},
		Timeout: 3 * o.Timeout,
		// The hash would go to wherever the answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Server asks for the server's canal.properties unless its MD5 is the one given. ok
// is false when there is nothing new or, for an empty MD5, nothing at all. With an
// empty MD5 the admin registers a server that it does not know.
func (c *Client) Server(ctx context.Context, md5 string) (t Text, ok bool, err error) {
	register := "0"
	if c.o.Register {
		register = "1"
	}
	data, err := c.get(ctx, "server_polling?ip="+url.QueryEscape(c.o.IP)+"&port="+strconv.Itoa(c.o.Port)+"&md5="+md5+
		"&register="+register+"&cluster="+url.QueryEscape(c.o.Cluster)+"&name="+url.QueryEscape(c.o.NodeName))
	return c.text(data, err)
}

// Instances asks which instances the server shall have. ok is false when the admin
// does not know the server: nothing follows from that.
func (c *Client) Instances(ctx context.Context) (names []string, ok bool, err error) {
	data, err := c.get(ctx, "instances_polling?md5=&ip="+url.QueryEscape(c.o.IP)+"&port="+strconv.Itoa(c.o.Port))
	if err != nil || data == nil || data.Content == nil {
		return nil, false, err
	}
	for name := range strings.SplitSeq(*data.Content, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, true, nil
}

// Instance asks for the text of an instance unless its MD5 is the one given. ok is
// false when there is nothing new or, for an empty MD5, nothing at all.
func (c *Client) Instance(ctx context.Context, destination, md5 string) (t Text, ok bool, err error) {
	data, err := c.get(ctx, "instance_polling/"+url.PathEscape(destination)+"?md5="+md5)
	return c.text(data, err)
}

// Ask asks for the texts of several instances, some at a time, by the MD5 that is
// known of each. An instance that the admin refuses has that for its answer; err is a
// *RequestError when the admin did not answer, or that of ctx.
func (c *Client) Ask(ctx context.Context, names []string, known map[string]Text) (answers map[string]Answer, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next = make(chan string)
	)
	answers = make(map[string]Answer, len(names))
	for range min(maxAsking, len(names)) {
		wg.Go(func() {
			for name := range next {
				var a Answer
				a.Text, a.New, a.Err = c.Instance(ctx, name, known[name].MD5)
				if a.Err != nil && !refused(a.Err) {
					cancel(a.Err)
				}
				mu.Lock()
				answers[name] = a
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		next <- name
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	wg.Wait()
	return answers, context.Cause(ctx)
}

func refused(err error) bool {
	var r *RefusedError
	return errors.As(err, &r)
}

// data is what counts of an answer's data. A null or an absent content is not the
// same as an empty one in the list of instances.
type data struct {
	Content *string `json:"content"`
}

// text makes a text of what came: an empty one is none.
func (c *Client) text(d *data, err error) (Text, bool, error) {
	if err != nil || d == nil || d.Content == nil || *d.Content == "" {
		return Text{}, false, err
	}
	sum := md5.Sum([]byte(*d.Content))
	return Text{Content: *d.Content, MD5: hex.EncodeToString(sum[:]), At: c.o.Now()}, true, nil
}

// get asks the admin that answered last and, if it gives no answer, the others. What
// an admin refused is told before what another did not answer.
func (c *Client) get(ctx context.Context, call string) (*data, error) {
	var failure error
	for range c.o.Addresses {
		at := c.current.Load()
		d, err := c.getFrom(ctx, c.o.Addresses[at]+"/api/v1/config/"+call)
		if err == nil || ctx.Err() != nil {
			return d, err
		}
		if failure == nil || refused(err) && !refused(failure) {
			failure = err
		}
		c.current.CompareAndSwap(at, (at+1)%int32(len(c.o.Addresses)))
	}
	return nil, failure
}

// getFrom makes one request of Canal's.
func (c *Client) getFrom(ctx context.Context, address string) (*data, error) {
	return request[data](ctx, c, address)
}

// errForeign means that something else than an admin has answered.
var errForeign = errors.New("this is not an admin's answer")

// statusError is an answer with another status than 200.
type statusError struct {
	code   int
	status string
}

func (e *statusError) Error() string { return e.status }

// request makes one request. T is what counts of an answer's data.
func request[T any](ctx context.Context, c *Client, address string) (*T, error) {
	fail := func(err error) (*T, error) { return nil, &RequestError{URL: address, Err: err} }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(err)
	}
	// As Canal writes them; the names of headers have no case.
	req.Header["passwd"] = []string{c.o.Passwd}
	req.Header["user"] = []string{c.o.User}
	req.Header.Set("User-Agent", "towpath/"+c.o.Version)
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(cause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fail(cause(err))
	case resp.Header.Get("Location") != "":
		return fail(fmt.Errorf("%s to %s: name that address in canal.admin.manager", resp.Status, resp.Header.Get("Location")))
	case resp.StatusCode != http.StatusOK:
		return fail(&statusError{resp.StatusCode, resp.Status})
	case len(body) > maxAnswer:
		return fail(fmt.Errorf("the answer is larger than %d bytes", maxAnswer))
	}
	d, err := parse[T](body)
	if err != nil && !refused(err) {
		return fail(err)
	}
	return d, err
}

// parse reads the envelope of an answer (BaseModel). The error is a *RefusedError for
// a code other than codeOK.
func parse[T any](body []byte) (*T, error) {
	var a struct {
		Code    *int    `json:"code"`
		Message *string `json:"message"`
		Data    *T      `json:"data"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errForeign, err)
	}
	switch {
	case a.Code == nil:
		return nil, fmt.Errorf("%w: it has no code", errForeign)
	case *a.Code == codeOK:
		return a.Data, nil
	case a.Message == nil:
		return nil, &RefusedError{Code: *a.Code, Message: "null"}
	}
	return nil, &RefusedError{Code: *a.Code, Message: *a.Message}
}

// cause is why a request failed without what changes from one attempt to the next,
// such as the port it came from: who repeats a message compares it.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
