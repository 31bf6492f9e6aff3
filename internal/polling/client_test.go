package polling

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/towpath-cdc/towpath/internal/testkit/admintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recording is one exchange between Java Canal's server, or someone by hand, and
// Java Canal's admin.
type recording struct {
	Request struct {
		RequestLine string          `json:"requestLine"`
		Headers     json.RawMessage `json:"headers"` // a list, or of those made by hand an object
	} `json:"request"`
	Response struct {
		Body json.RawMessage `json:"body"`
	} `json:"response"`
}

func readRecording(t *testing.T, file string) recording {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// clientFor is a client with the values of a recorded request.
func clientFor(t *testing.T, address string, query url.Values) *Client {
	t.Helper()
	port, _ := strconv.Atoi(query.Get("port"))
	c := NewClient(ClientOptions{Addresses: []string{address}, User: admintest.User, Passwd: admintest.Hash, IP: query.Get("ip"), Port: port,
		Register: query.Get("register") == "1", Cluster: query.Get("cluster"), NodeName: query.Get("name")})
	t.Cleanup(c.Close)
	return c
}

// TestRequests: what Java Canal's server asks, in the same words, and what its
// admin's answers mean (P1, P5, P7, P8, P9, C27).
func TestRequests(t *testing.T) {
	files, err := filepath.Glob("testdata/*-java-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			rec := readRecording(t, file)
			line := strings.Fields(rec.Request.RequestLine)
			var headers []string
			if err := json.Unmarshal(rec.Request.Headers, &headers); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != line[0] || r.RequestURI != line[1] {
					t.Errorf("asked %s %s, want %s %s", r.Method, r.RequestURI, line[0], line[1])
				}
				for _, h := range headers {
					name, value, _ := strings.Cut(h, ": ")
					if (name == "user" || name == "passwd") && r.Header.Get(name) != value {
						t.Errorf("header %s: %q, want %q", name, r.Header.Get(name), value)
					}
				}
				w.Write(rec.Response.Body)
			}))
			defer server.Close()
			u, err := url.Parse(line[1])
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, clientFor(t, server.URL, u.Query()), u, rec)
		})
	}
}

// checkAnswer asks what was asked, and compares what comes of it with the recording.
func checkAnswer(t *testing.T, c *Client, asked *url.URL, rec recording) {
	t.Helper()
	var body struct {
		Data *struct {
			Content *string `json:"content"`
			MD5     string  `json:"contentMd5"`
		} `json:"data"`
	}
	if err := json.Unmarshal(rec.Response.Body, &body); err != nil {
		t.Fatal(err)
	}
	has := body.Data != nil && body.Data.Content != nil
	sum := asked.Query().Get("md5")
	destination, instance := strings.CutPrefix(asked.Path, "/api/v1/config/instance_polling/")
	if strings.HasSuffix(asked.Path, "instances_polling") {
		names, ok, err := c.Instances(t.Context())
		if err != nil || ok != has || has && strings.Join(names, ",") != *body.Data.Content {
			t.Errorf("instances %q, %v, %v", names, ok, err)
		}
		return
	}
	var text Text
	var ok bool
	var err error
	if instance {
		text, ok, err = c.Instance(t.Context(), destination, sum)
	} else {
		text, ok, err = c.Server(t.Context(), sum)
	}
	if err != nil || ok != has || has && (text.Content != *body.Data.Content || text.MD5 != body.Data.MD5) {
		t.Errorf("text %+v, %v, %v", text, ok, err)
	}
}

// TestAnswers: what Java Canal's admin answers to questions it does not like (P2,
// P4), and others that no admin gives.
func TestAnswers(t *testing.T) {
	recorded := func(name string) string { return string(readRecording(t, "testdata/"+name).Response.Body) }
	for _, c := range []struct {
		name, body string
		ok         bool
		want       string // of the error
		refused    bool
	}{
		{"wrong hash", recorded("hand-02-wrong-hash.json"), false, "requestGet for canal config error: auth :admin is failed", true},
		{"plain password", recorded("hand-03-plain-password.json"), false, "requestGet for canal config error: illegal hex-string: admin", true},
		{"unknown cluster", recorded("hand-16-server-unknown-cluster.json"), false, "requestGet for canal config error: auto cluster : nowhere is not found.", true},
		{"unknown instance", recorded("hand-34-instance-unknown.json"), false, "", false},
		{"same MD5", recorded("hand-33-instance-md5-equal.json"), false, "", false},
		{"empty text", `{"code":20000,"data":{"content":""}}`, false, "", false},
		{"a text", `{"code":20000,"data":{"content":"a=b"}}`, true, "", false},
		{"no message", `{"code":50000,"message":null,"data":null}`, false, "requestGet for canal config error: null", true},
		{"no JSON", `<html>`, false, "requestGet remote error, request : http", false},
		{"other JSON", `{"status":"ok"}`, false, "has no code", false},
		{"too long", `{"code":20000,"data":{"content":"` + strings.Repeat("x", maxAnswer) + `"}}`, false, "larger than", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(c.body)) }))
			defer server.Close()
			_, ok, err := clientFor(t, server.URL, nil).Server(t.Context(), "")
			if ok != c.ok || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, %v; want %v and %q", ok, err, c.ok, c.want)
			}
			if got := refused(err); got != c.refused {
				t.Errorf("refused: %v, want %v", got, c.refused)
			}
		})
	}
}

// TestInstancesKnownAndNone: an empty list is an answer, a null one is none.
func TestInstancesKnownAndNone(t *testing.T) {
	for body, want := range map[string]bool{`{"code":20000,"data":{"content":""}}`: true, `{"code":20000,"data":{"content":null}}`: false, `{"code":20000,"data":null}`: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
		names, ok, err := clientFor(t, server.URL, nil).Instances(t.Context())
		server.Close()
		if ok != want || len(names) != 0 || err != nil {
			t.Errorf("%s: %q, %v, %v", body, names, ok, err)
		}
	}
}

// TestStatus: an admin behind something that answers in its place.
func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status int
		want   string
	}{{http.StatusBadGateway, "502 Bad Gateway"}, {http.StatusNotFound, "404"}, {http.StatusFound, "name that address in canal.admin.manager"}} {
		var asked int
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if c.status == http.StatusFound {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(c.status)
		}))
		_, _, err := clientFor(t, server.URL, nil).Server(t.Context(), "")
		server.Close()
		var request *RequestError
		if !errors.As(err, &request) || !strings.Contains(err.Error(), c.want) || asked != 1 {
			t.Errorf("%d: %v, asked %d times", c.status, err, asked)
		}
	}
}

// TestSeveralAdmins: the one that answered last is asked first.
func TestSeveralAdmins(t *testing.T) {
	a, b := admintest.Start(t), admintest.Start(t)
	a.Server("from = a")
	b.Server("from = b")
	c := NewClient(ClientOptions{Addresses: []string{"http://" + a.Addr(), "http://" + b.Addr()}, User: admintest.User, Passwd: admintest.Hash})
	defer c.Close()
	expect := func(want string) {
		t.Helper()
		text, _, err := c.Server(t.Context(), "")
		if err != nil || text.Content != "from = "+want+"\n" {
			t.Errorf("%q, %v; want that of %s", text.Content, err, want)
		}
	}
	expect("a")
	a.Down(true)
	expect("b")
	a.Down(false)
	expect("b")
	b.Refuse("the database is away")
	expect("a")
	a.Down(true)
	if _, _, err := c.Server(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "the database is away") {
		t.Errorf("error %v, want what an admin said", err)
	}
}

// TestTimeouts: an admin that takes a connection and says nothing.
func TestTimeouts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(ClientOptions{Addresses: []string{"http://" + l.Addr().String()}, Timeout: 20 * time.Millisecond})
	defer c.Close()
	if _, _, err := c.Server(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Server(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTLS: unlike Canal's, the client looks who the admin is.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"code":20000,"data":null}`))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"unknown authority", &tls.Config{}, false},
		{"known authority", &tls.Config{RootCAs: trusted}, true},
		{"for another host", &tls.Config{RootCAs: trusted, ServerName: "elsewhere"}, false},
		{"not looked at", &tls.Config{InsecureSkipVerify: true}, true},
	} {
		client := NewClient(ClientOptions{Addresses: []string{server.URL}, TLS: c.tls})
		_, _, err := client.Server(t.Context(), "")
		client.Close()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestAsk: many instances over few connections.
func TestAsk(t *testing.T) {
	a := admintest.Start(t)
	var names []string
	for i := range 200 {
		names = append(names, "d"+strconv.Itoa(i))
		a.Instance(names[i], "n = "+strconv.Itoa(i))
	}
	c := NewClient(ClientOptions{Addresses: []string{"http://" + a.Addr()}, User: admintest.User, Passwd: admintest.Hash})
	defer c.Close()
	answers, err := c.Ask(t.Context(), append(slices.Clone(names), "unknown"), nil)
	if err != nil || len(answers) != 201 || answers["unknown"].New {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	known := map[string]Text{}
	for _, d := range names {
		known[d] = answers[d].Text
	}
	a.Instance("d7", "changed")
	if answers, err = c.Ask(t.Context(), names, known); err != nil {
		t.Fatal(err)
	}
	for _, d := range names {
		if answers[d].New != (d == "d7") {
			t.Errorf("%s: %+v", d, answers[d])
		}
	}
	a.Refuse("no")
	if answers, err = c.Ask(t.Context(), names[:1], known); err != nil || !refused(answers["d0"].Err) {
		t.Errorf("refused: %+v, %v", answers, err)
	}
	a.Down(true)
	var request *RequestError
	if _, err = c.Ask(t.Context(), names, known); !errors.As(err, &request) {
		t.Errorf("without an answer: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"code":20000,"message":null,"data":{"content":"a=b"}}`))
	f.Add([]byte(`{"code":50000,"message":"auth :admin is failed","data":null}`))
	f.Add([]byte(`{"code":"20000","data":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parse[data](b); d != nil && err != nil {
			t.Errorf("data with the error %v", err)
		}
	})
}
