package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// The recordings are exchanges with a Java Canal Admin, in the order of one
// story. Play them against an empty database: status, code, keys, their order and
// values must be the same, but for the exceptions below.

// exception is where we answer otherwise on purpose, and why.
type exception struct {
	why     string
	body    string // what we answer; "" when only the message differs
	noOwner bool   // canalCluster and nodeServer are null, all else is the same
}

const (
	frameworkText = "the text is of Spring, Jackson, Tomcat or Java"
	databaseText  = "the text is of MySQL and Ebean"
	oneMessage    = "who tries names or passwords learns nothing from the message"
	hidden        = "what may be the password is not repeated, as servers write the message into their logs"
	oneText       = "there is one text for each cluster"
	noOwner       = "servers have no need of the addresses that canalCluster and nodeServer tell"
)

func failedBody(code int, message string) string {
	body, _ := json.Marshal(failedEnvelope{Code: code, Message: &message})
	return string(body)
}

var exceptions = map[string]exception{
	"admin/012-login-unknown-user":                                   {why: oneMessage, body: failedBody(50000, "Invalid username or password")},
	"admin/013-login-wrong-password":                                 {why: oneMessage, body: failedBody(50000, "Invalid username or password")},
	"admin/017-login-unknown-field":                                  {why: oneMessage, body: failedBody(50000, "Invalid username or password")},
	"admin/035-login-old-password":                                   {why: oneMessage, body: failedBody(50000, "Invalid username or password")},
	"admin/014-login-broken-json":                                    {why: frameworkText},
	"admin/015-login-no-body":                                        {why: frameworkText},
	"admin/016-login-form-body":                                      {why: frameworkText},
	"admin/057-cluster-add-broken-json":                              {why: frameworkText},
	"admin/058-cluster-add-text-plain":                               {why: frameworkText},
	"admin/059-cluster-add-array":                                    {why: frameworkText},
	"admin/094-servers-page-not-a-number":                            {why: frameworkText},
	"admin/113-server-add-bad-port":                                  {why: frameworkText},
	"admin/063-cluster-put-null-zk":                                  {why: databaseText},
	"admin/030-password-to-the-default-again":                        {why: "the default password is refused as a new one", body: failedBody(50000, "The new password must not be the default password")},
	"admin/031-clusters-after-default-again":                         {why: "so the password still has to be changed", body: failedBody(50015, mustChangeText)},
	"admin/033-info-after-change":                                    {why: "no hash and no old password are sent, and the other fields are", body: `{"code":20000,"message":null,"data":{"id":1,"username":"admin","password":"","roles":"admin","introduction":null,"avatar":null,"name":"Canal Manager","creationDate":"<time yyyy-MM-dd HH:mm:ss>","oldPassword":null,"defaultPassword":false}}`},
	"admin/040-after-logout":                                         {why: "a log-out ends the session", body: failedBody(50014, expiredText)},
	"admin/086-config-two-rows":                                      {why: oneText, body: `{"code":20000,"message":null,"data":{"id":1,"clusterId":2,"serverId":null,"name":"canal.properties","content":"a = 2\n","contentMd5":"` + md5Of("a = 2\n") + `","status":null,"modifiedTime":"<time yyyy-MM-dd HH:mm:ss>"}}`},
	"polling/hand-24-server-register-cluster-with-three-config-rows": {why: oneText, body: `{"code":20000,"message":null,"data":{"id":1,"clusterId":2,"serverId":null,"name":"canal.properties","content":"a = 2\n","contentMd5":"` + md5Of("a = 2\n") + `","status":null,"modifiedTime":"<time yyyy-MM-dd HH:mm:ss>"}}`},
	"admin/088-servers-page-zero":                                    {why: "pages begin at 1", body: paged(1, 20)},
	"admin/089-servers-page-minus":                                   {why: "pages begin at 1", body: paged(1, 20)},
	"admin/091-servers-size-zero":                                    {why: "a page has at most 1000 rows", body: paged(1, 1000)},
	"admin/092-servers-size-minus":                                   {why: "a page has at most 1000 rows", body: paged(1, 1000)},
	"admin/096-servers-by-name-wildcard":                             {why: "% in a name means itself", body: `{"code":20000,"message":null,"data":{"count":0,"items":[],"page":1,"size":20,"offset":0}}`},
	"admin/105-status-unreachable":                                   {why: "only registered servers are asked", body: failedBody(50000, "no server is registered with this ip and port")},
	"admin/221-status-after-server-delete":                           {why: "only registered servers are asked", body: failedBody(50000, "no server is registered with this ip and port")},
	"admin/162-instance-add-bad-name":                                {why: "names that would leave a folder or break a list are refused", body: failedBody(50000, `"../up,two" cannot be the name of an instance: use letters, digits, dots, hyphens and underscores`)},
	"polling/hand-37-instance-bad-name":                              {why: frameworkText},
	"polling/05-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/06-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/07-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/08-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/09-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/15-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/16-java-instance_polling":                               {why: noOwner, noOwner: true},
	"polling/hand-32-instance":                                       {why: noOwner, noOwner: true},
	"polling/hand-33-instance-md5-equal":                             {why: noOwner, noOwner: true},
	"polling/hand-35-instance-of-other-server":                       {why: noOwner, noOwner: true},
	"polling/hand-03-plain-password":                                 {why: hidden, body: failedBody(50000, "illegal hex-string: ******")},
	"polling/hand-07-hash-with-star":                                 {why: hidden, body: failedBody(50000, "illegal hex-string: ******")},
	"admin/225-config-orphan":                                        {why: "a cluster takes its text with it", body: `{"code":20000,"message":null,"data":{"id":null,"clusterId":null,"serverId":null,"name":"canal.properties","content":null,"contentMd5":null,"status":null,"modifiedTime":null}}`},
}

// paged is the answer with the one server of the story, on some page.
func paged(page, size int) string {
	return fmt.Sprintf(`{"code":20000,"message":null,"data":{"count":1,"items":[{"id":2,"canalCluster":{"id":1,"name":"zookeeper","zkHosts":null,"modifiedTime":null},"clusterId":1,"name":"kaven","ip":"127.0.0.1","adminPort":15110,"metricPort":15112,"tcpPort":15111,"status":"1","modifiedTime":"<time yyyy-MM-dd HH:mm:ss>"}],"page":%d,"size":%d,"offset":%d}}`,
		page, size, (page-1)*size)
}

// otherIDs are ids that differ from the recorded ones, by the kind of row. In Canal
// the caller chose the id 50 for a cluster, a refused instance took an id with it,
// and a cluster got three texts; here canal_config keeps id 2 free, which client-adapter
// takes for its own.
var otherIDs = map[string]map[string]string{
	"cluster":  {"50": "4", "51": "5", "52": "6"},
	"instance": {"3": "2", "4": "3", "5": "4", "6": "5", "7": "6", "8": "7"},
	"config":   {"2": "3", "5": "4", "7": "6", "8": "7"},
}

// recording is one exchange.
type recording struct {
	Request struct {
		Method, Path, RequestLine string
		Headers                   json.RawMessage
		Body                      json.RawMessage
		BodyText                  *string
	}
	Response struct {
		Status  int
		Headers []string
		Body    json.RawMessage
	}
}

// story plays recordings in order.
type story struct {
	*world
	token  string
	played map[string]bool
	used   map[string]bool // exceptions
}

func TestConformance(t *testing.T) {
	w := newWorld(t)
	s := &story{world: w, played: map[string]bool{}, used: map[string]bool{}}
	w.fleet.address, w.fleet.port = "127.0.0.1", 15110
	w.fleet.log = strings.Repeat("a line\n", 5)

	s.play(t, "admin", 1, 40)
	s.logIn(t, "canal123")
	s.play(t, "admin", 41, 86)
	w.fleet.set(func(f *fakeFleet) { f.running = true })
	s.play(t, "polling/java", 1, 2)
	s.play(t, "admin", 87, 138)
	s.play(t, "polling/java", 3, 4)
	s.play(t, "admin", 139, 139)
	w.fleet.set(func(f *fakeFleet) { f.names = []string{"itkaven"} })
	s.play(t, "polling/java", 5, 5)
	s.play(t, "admin", 140, 162)
	s.insertOldInstance(t, "../up,two", 2)
	s.play(t, "admin", 163, 181)
	s.play(t, "polling/java", 6, 6)
	s.play(t, "admin", 182, 191)
	s.play(t, "polling/java", 7, 8)
	s.play(t, "admin", 192, 195)
	s.play(t, "polling/hand", 1, 37)
	s.addCluster(t, "twin")
	s.addCluster(t, "twin")
	s.play(t, "polling/hand", 38, 38)
	s.play(t, "polling/java", 9, 9)
	w.fleet.set(func(f *fakeFleet) { f.names = []string{} })
	s.play(t, "admin", 196, 196)
	s.deleteServers(t, 7, 8, 9)
	w.fleet.set(func(f *fakeFleet) { f.running = false })
	s.play(t, "admin", 197, 199)
	w.fleet.set(func(f *fakeFleet) { f.running = true })
	s.play(t, "admin", 200, 206)
	s.play(t, "polling/java", 10, 11)
	s.play(t, "admin", 207, 208)
	s.play(t, "polling/java", 12, 12)
	w.fleet.set(func(f *fakeFleet) { f.running = true })
	s.play(t, "admin", 209, 210)
	s.play(t, "polling/java", 13, 16)
	w.fleet.set(func(f *fakeFleet) { f.names = []string{"nodb"} })
	s.play(t, "admin", 211, 217)
	w.fleet.set(func(f *fakeFleet) { f.names = []string{} })
	s.play(t, "admin", 218, 220)
	s.play(t, "polling/java", 17, 20)
	s.play(t, "admin", 221, 225)

	if want := []string{"start", "release itkaven", "stop", "stop", "start", "stop"}; !slices.Equal(w.fleet.orders, want) {
		t.Errorf("the server got %q, want %q", w.fleet.orders, want)
	}
	s.checkComplete(t)
}

// checkComplete wants every recording played and every exception needed.
func (s *story) checkComplete(t *testing.T) {
	files, _ := filepath.Glob("testdata/recordings/*/*.json")
	for _, file := range files {
		if !s.played[file] {
			t.Errorf("%s was not played", file)
		}
	}
	for name := range exceptions {
		if !s.used[name] {
			t.Errorf("the exception %s is not needed", name)
		}
	}
}

func (s *story) insertOldInstance(t *testing.T, name string, clusterID int64) {
	t.Helper()
	status := statusRunning
	_, err := s.db.InsertInstance(t.Context(), database.Actor{}, database.Instance{
		Name: name, ClusterID: &clusterID, Status: &status, Content: "a = 1\n"})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *story) deleteServers(t *testing.T, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		if err := s.db.DeleteServer(t.Context(), database.Actor{}, id); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *story) addCluster(t *testing.T, name string) {
	t.Helper()
	if _, err := s.db.InsertCluster(t.Context(), database.Actor{}, database.Cluster{Name: name, ZKHosts: "z"}); err != nil {
		t.Fatal(err)
	}
}

// play plays the recordings of a part whose numbers lie between two, these
// included.
func (s *story) play(t *testing.T, part string, from, to int) {
	t.Helper()
	folder, kind, _ := strings.Cut(part, "/")
	for n := from; n <= to; n++ {
		pattern := fmt.Sprintf("%03d-*.json", n)
		switch kind {
		case "java":
			pattern = fmt.Sprintf("%02d-java-*.json", n)
		case "hand":
			pattern = fmt.Sprintf("hand-%02d-*.json", n)
		}
		files, err := filepath.Glob(filepath.Join("testdata/recordings", folder, pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s %d: %v, %v", part, n, files, err)
		}
		s.played[files[0]] = true
		name := folder + "/" + strings.TrimSuffix(filepath.Base(files[0]), ".json")
		t.Run(name, func(t *testing.T) { s.playOne(t, name, files[0]) })
	}
}

func (s *story) playOne(t *testing.T, name, file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rec recording
	if err := json.Unmarshal(content, &rec); err != nil {
		t.Fatal(err)
	}
	status, header, body := s.ask(t, &rec)
	if status != rec.Response.Status {
		t.Fatalf("status %d %s, want %d", status, body, rec.Response.Status)
	}
	s.checkHeaders(t, &rec, header)
	want := rec.Response.Body
	e, excepted := exceptions[name]
	if excepted {
		s.used[name] = true
		if e.body != "" {
			want = json.RawMessage(e.body)
		}
	}
	if bytes.HasPrefix(want, []byte(`"`)) {
		s.checkText(t, want, body)
		return
	}
	m := &matcher{story: s, anyMessage: excepted && e.body == "" && !e.noOwner, noOwner: e.noOwner}
	if difference := m.compare("", parseOrdered(t, want), parseOrdered(t, body)); difference != "" {
		t.Errorf("%s\ngot  %s\nwant %s", difference, body, compact(want))
	}
}

func compact(data []byte) string {
	var buf bytes.Buffer
	if json.Compact(&buf, data) != nil {
		return string(data)
	}
	return buf.String()
}

func (s *story) checkHeaders(t *testing.T, rec *recording, got http.Header) {
	for _, line := range rec.Response.Headers {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Allow":
			if got.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, got.Get(name), value)
			}
		case "Content-Type":
			if strings.HasPrefix(value, "application/json") && got.Get(name) != "application/json" {
				t.Errorf("%s is %q, want %q", name, got.Get(name), value)
			}
		}
	}
}

// checkText compares bodies that are no objects: empty, or a page.
func (s *story) checkText(t *testing.T, want json.RawMessage, got []byte) {
	switch text := string(want); {
	case strings.HasPrefix(text, `"<HTML page \"Canal Admin`):
		if !bytes.Contains(got, []byte("<title>")) {
			t.Errorf("got %s, want a page", got)
		}
	case strings.HasPrefix(text, `"<HTML page`):
		if len(got) == 0 {
			t.Error("got nothing, want a text")
		}
	case len(got) != len(text)-2:
		t.Errorf("got %s, want %s", got, text)
	}
}

// ask sends the request of a recording.
func (s *story) ask(t *testing.T, rec *recording) (int, http.Header, []byte) {
	path := rec.Request.Path
	if rec.Request.RequestLine != "" {
		path = strings.Fields(rec.Request.RequestLine)[1]
	}
	body := s.translate(path, rec.Request.Body)
	if rec.Request.BodyText != nil {
		body = *rec.Request.BodyText
	}
	r, err := http.NewRequestWithContext(t.Context(), rec.Request.Method,
		s.url+s.translatePath(strings.ReplaceAll(path, "<token>", s.token)), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headersOf(t, rec.Request.Headers) {
		r.Header.Set(name, strings.ReplaceAll(value, "<token>", s.token))
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var login struct{ Data struct{ Token string } }
	if strings.HasSuffix(path, "/user/login") && json.Unmarshal(got, &login) == nil && login.Data.Token != "" {
		s.token = login.Data.Token
	}
	return resp.StatusCode, resp.Header, got
}

func (s *story) logIn(t *testing.T, password string) {
	t.Helper()
	rec := &recording{}
	rec.Request.Method, rec.Request.Path = "POST", "/api/v1/user/login"
	rec.Request.Headers = json.RawMessage(`{"Content-Type":"application/json"}`)
	rec.Request.Body = json.RawMessage(`{"username":"admin","password":"` + password + `"}`)
	s.token = ""
	if _, _, body := s.ask(t, rec); s.token == "" {
		t.Fatalf("log-in: %s", body)
	}
}

// headersOf reads the headers of a request, which are an object or a list of
// lines. Those of the connection are left to our client.
func headersOf(t *testing.T, raw json.RawMessage) map[string]string {
	headers := map[string]string{}
	if bytes.HasPrefix(raw, []byte("{")) {
		if err := json.Unmarshal(raw, &headers); err != nil {
			t.Fatal(err)
		}
		return headers
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if name == "user" || name == "passwd" {
			headers[name] = value
		}
	}
	return headers
}

var idInPath = regexp.MustCompile(`/(cluster|instance|instance/(?:log|start|stop|status))/(\d+)`)

// translatePath puts our ids where recorded ones stand.
func (s *story) translatePath(path string) string {
	return idInPath.ReplaceAllStringFunc(path, func(part string) string {
		m := idInPath.FindStringSubmatch(part)
		kind, _, _ := strings.Cut(m[1], "/")
		return "/" + m[1] + "/" + ourID(kind, m[2])
	})
}

// idInBody is the id of a row that is changed.
var idInBody = regexp.MustCompile(`^(\s*\{\s*"id":\s*)(\d+)`)

// translate puts our id into the body of a change.
func (s *story) translate(path string, body json.RawMessage) string {
	kind := path[strings.LastIndexByte(path, '/')+1:]
	return idInBody.ReplaceAllStringFunc(string(body), func(part string) string {
		m := idInBody.FindStringSubmatch(part)
		return m[1] + ourID(kind, m[2])
	})
}

func ourID(kind, id string) string {
	if other := otherIDs[kind][id]; other != "" {
		return other
	}
	return id
}

// pair is a key of an object with its value.
type pair struct {
	key   string
	value any
}

// parseOrdered reads JSON into []pair, []any, string, json.Number, bool and nil.
func parseOrdered(t *testing.T, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readOrdered(d)
	if err != nil {
		t.Fatalf("read %s: %v", data, err)
	}
	return v
}

func readOrdered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	object, list := []pair{}, []any{}
	for d.More() {
		key := ""
		if delimiter == '{' {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			key = token.(string)
		}
		v, err := readOrdered(d)
		if err != nil {
			return nil, err
		}
		object, list = append(object, pair{key, v}), append(list, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if delimiter == '{' {
		return object, nil
	}
	return list, nil
}

// matcher compares an answer with a recorded one.
type matcher struct {
	story      *story
	anyMessage bool
	noOwner    bool
}

// compare tells the first difference, or nothing.
func (m *matcher) compare(at string, want, got any) string {
	switch want := want.(type) {
	case []pair:
		got, ok := got.([]pair)
		if !ok || len(got) != len(want) {
			return fmt.Sprintf("%s: got %v, want %v", at, got, want)
		}
		return m.compareObjects(at, want, got)
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return fmt.Sprintf("%s: got %v, want %v", at, got, want)
		}
		for i := range want {
			if difference := m.compare(fmt.Sprintf("%s[%d]", at, i), want[i], got[i]); difference != "" {
				return difference
			}
		}
		return ""
	case string:
		return m.compareTexts(at, want, got)
	}
	if want != got {
		return fmt.Sprintf("%s: got %v, want %v", at, got, want)
	}
	return ""
}

func (m *matcher) compareObjects(at string, want, got []pair) string {
	for i := range want {
		where := at + "." + want[i].key
		if want[i].key != got[i].key {
			return fmt.Sprintf("%s: got the key %q", where, got[i].key)
		}
		if m.anyMessage && where == ".message" {
			if text, ok := got[i].value.(string); !ok || text == "" {
				return "no message"
			}
			continue
		}
		wanted := want[i].value
		if m.noOwner && (want[i].key == "canalCluster" || want[i].key == "nodeServer") {
			wanted = nil
		}
		if id, ok := wanted.(json.Number); ok && (want[i].key == "id" || strings.HasSuffix(want[i].key, "Id")) {
			wanted = json.Number(ourID(kindOf(want, want[i].key), id.String()))
		}
		if difference := m.compare(where, wanted, got[i].value); difference != "" {
			return difference
		}
	}
	return ""
}

// kindOf tells whose id a key of an entity is.
func kindOf(entity []pair, key string) string {
	has := func(name string) bool { return slices.ContainsFunc(entity, func(p pair) bool { return p.key == name }) }
	switch {
	case key == "clusterId" || has("zkHosts"):
		return "cluster"
	case key == "serverId" || has("adminPort"):
		return "server"
	case has("runningStatus"):
		return "instance"
	case has("contentMd5"):
		return "config"
	}
	return ""
}

var timePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`)

// The templates that Canal ships, which ours stand in for.
const (
	shippedServerTemplateMD5 = "8ffbb0ba8e510662e14ad9bcd095e2b2"
	shippedTemplate          = "<content of the shipped "
)

// compareTexts knows the placeholders of the recordings.
func (m *matcher) compareTexts(at, want string, got any) string {
	text, ok := got.(string)
	switch {
	case !ok:
	case want == "<time yyyy-MM-dd HH:mm:ss>":
		ok = timePattern.MatchString(text)
	case want == "<token>":
		ok = text == m.story.token
	case strings.HasPrefix(want, "<log: "):
		ok = strings.HasSuffix(text, "\n") == strings.HasSuffix(want, "with a final newline>")
	case strings.HasPrefix(want, shippedTemplate):
		name, _, _ := strings.Cut(strings.TrimPrefix(want, shippedTemplate), ":")
		ours, err := templates.ReadFile("templates/" + name)
		ok = err == nil && text == string(ours)
	case want == shippedServerTemplateMD5:
		ours, err := templates.ReadFile("templates/" + serverTemplate)
		ok = err == nil && text == md5Of(string(ours))
	default:
		ok = text == want
	}
	if !ok {
		return fmt.Sprintf("%s: got %v, want %q", at, got, want)
	}
	return ""
}
