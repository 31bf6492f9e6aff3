package api

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/filter"
)

// formText is what a form comes to.
type formText struct {
	Content string `json:"content"`
}

type newInstanceForm struct{ NewInstance }

// newInstanceForm fills the template in.
func (a *API) newInstanceForm(_ context.Context, p identity.Principal, req newInstanceForm) (formText, error) {
	if err := req.check(); err != nil {
		return formText{}, err
	}
	content, err := a.template(instanceTemplate)
	if err != nil {
		return formText{}, err
	}
	content = maskFor(p, content)
	for _, s := range req.settings() {
		content = config.SetProperty(content, s[0], s[1])
	}
	return formText{content}, nil
}

// check tells what is wrong with which field.
func (n *NewInstance) check() error {
	wrong := map[string]string{}
	if checkInstanceName(n.Name) != nil {
		wrong["name"] = "letters, digits, dots, dashes and underscores"
	}
	if !isHostPort(n.Address) {
		wrong["address"] = "host:port"
	}
	if n.Standby != "" && !isHostPort(n.Standby) {
		wrong["standby"] = "host:port"
	}
	if n.Username == "" {
		wrong["username"] = "required"
	}
	if _, err := filter.Compile(n.Regex, true); err != nil {
		wrong["regex"] = err.Error()
	}
	if _, err := filter.Compile(n.BlackRegex, false); err != nil {
		wrong["blackRegex"] = err.Error()
	}
	switch s := n.Start; {
	case s.Kind == "position" && (s.File == "" || s.Offset < 0), s.Kind == "time" && s.TimestampMs <= 0, s.Kind == "gtid" && s.GTIDSet == "":
		wrong["start"] = "incomplete"
	case s.Kind == "gtid" && !n.GTID:
		wrong["gtid"] = "must be on to begin at a GTID set"
	case s.Kind != "" && s.Kind != "end" && s.Kind != "position" && s.Kind != "time" && s.Kind != "gtid":
		wrong["start"] = "end, position, time or gtid"
	}
	if len(wrong) == 0 {
		return nil
	}
	f := fail(reasonInvalid, text{"The form is not complete", "表单填写不完整或不正确"})
	f.fields = wrong
	return f
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, " \t\r\n/,") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 65536
}

// settings are the keys and values that the form comes to. Where reading begins
// is always written, so that the template's does not count.
func (n *NewInstance) settings() [][2]string {
	file, offset, timestamp, gtid := "", "", "", ""
	switch n.Start.Kind {
	case "position":
		file, offset = n.Start.File, strconv.FormatInt(max(n.Start.Offset, 4), 10)
	case "time":
		timestamp = strconv.FormatInt(n.Start.TimestampMs, 10)
	case "gtid":
		gtid = n.Start.GTIDSet
	}
	return [][2]string{
		{"canal.instance.gtidon", strconv.FormatBool(n.GTID)},
		{"canal.instance.master.address", n.Address},
		{"canal.instance.master.journal.name", file},
		{"canal.instance.master.position", offset},
		{"canal.instance.master.timestamp", timestamp},
		{"canal.instance.master.gtid", gtid},
		{"canal.instance.standby.address", n.Standby},
		{"canal.instance.dbUsername", n.Username},
		{"canal.instance.dbPassword", n.Password},
		{"canal.instance.filter.regex", n.Regex},
		{"canal.instance.filter.black.regex", n.BlackRegex},
	}
}

type checkRequest struct{ CheckSource }

// checkTime bounds a check of a source.
const checkTime = 30 * time.Second

// checkSource has a server look that would run the instance, as it is its network
// and its time zone that count; the admin itself only when there is none.
func (a *API) checkSource(ctx context.Context, p identity.Principal, req checkRequest) (CheckResult, error) {
	o, err := readOwner(req.ClusterServerID)
	if err != nil {
		return CheckResult{}, err
	}
	content, err := a.contentToCheck(ctx, p, o, req.CheckSource)
	if err != nil {
		return CheckResult{}, err
	}
	s, err := a.snapshot(ctx)
	if err != nil {
		return CheckResult{}, err
	}
	f, err := a.watched()
	if err != nil {
		return CheckResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	result := CheckResult{CheckedBy: "admin"}
	asked := false
	if v := checker(s, o); v != nil {
		err := f.Call(ctx, v.Row, control.MethodCheck, control.CheckParams{Destination: req.Name, Content: content}, &result.Findings)
		if asked = err == nil; asked {
			result.CheckedBy = v.Row.Name
		} else if ctx.Err() != nil {
			return result, serverFault(err)
		}
	}
	if !asked {
		if result.Findings, err = a.checkHere(ctx, o, req.Name, content); err != nil {
			return result, err
		}
	}
	result.Findings, result.OK = orEmpty(result.Findings), true
	for _, finding := range result.Findings {
		result.OK = result.OK && finding.Severity != control.SeverityFailure
	}
	return result, a.audit(ctx, p, database.AuditRecord{Action: "source.check", Kind: "instance", TargetID: req.InstanceID, Target: req.Name,
		Detail: "by " + result.CheckedBy}, nil)
}

// checker is a Towpath server that would run the instance of an owner.
func checker(s *fleet.Snapshot, o owner) *fleet.ServerView {
	for _, v := range s.Servers {
		if v.Report == nil {
			continue
		}
		if o.serverID != nil && v.Row.ID == *o.serverID || o.clusterID != nil && same(v.Row.ClusterID, o.clusterID) {
			return v
		}
	}
	return nil
}

// contentToCheck puts the masked secrets back: those of the stored text, or of the
// template. The check sends the password to the address in the text, so who may not
// see it may have it sent only to the address that it is stored with.
func (a *API) contentToCheck(ctx context.Context, p identity.Principal, o owner, req CheckSource) (string, error) {
	if err := checkInstanceName(req.Name); err != nil {
		return "", err
	}
	row, stored := database.Instance{Name: req.Name}, ""
	var err error
	if req.InstanceID == 0 {
		stored, err = a.template(instanceTemplate)
	} else {
		row, err = a.findInstance(ctx, req.InstanceID)
		stored = row.Content
	}
	switch {
	case err != nil:
		return "", err
	case row.Name != req.Name: // what the address comes to may depend on it
		return "", fail(reasonInvalid, text{"The instance has another name", "Instance 名称不一致"})
	}
	content, _, err := newContent(req.Content, stored, "")
	if err != nil {
		return "", err
	}
	if err := a.checkFlow(ctx, p, row, o, content, req.Content); err != nil {
		return "", a.audit(ctx, p, database.AuditRecord{Action: "source.check", Kind: "instance", TargetID: row.ID, Target: row.Name}, err)
	}
	return content, nil
}

type filterRequest struct{ FilterTest }

const (
	maxFilterNames = 1000
	maxFilterList  = database.MaxContent // bytes: no text holds a longer one
	// filterTime bounds a test: an expression may need backtracking.
	filterTime = 2 * time.Second
)

var errSlowFilter = fail(reasonInvalid, text{"The expressions take too long to be matched", "表达式匹配耗时过长"}).
	withRemedy(text{"write them without back-references and look-aheads", "请避免使用反向引用与环视"})

func (a *API) testFilter(ctx context.Context, _ identity.Principal, req filterRequest) ([]FilterTestResult, error) {
	if len(req.Names) > maxFilterNames {
		return nil, fail(reasonInvalid, text{"At most %d names", "最多 %d 个名称"}, maxFilterNames)
	}
	end := time.Now().Add(filterTime)
	white, err := compileFilter("whiteRegex", req.WhiteRegex, true, end)
	if err != nil {
		return nil, err
	}
	black, err := compileFilter("blackRegex", req.BlackRegex, false, end)
	if err != nil {
		return nil, err
	}
	out := []FilterTestResult{}
	for _, name := range req.Names {
		if ctx.Err() != nil || time.Now().After(end) {
			return nil, errSlowFilter
		}
		result, err := tryFilter(white, black, name)
		if err != nil {
			return nil, err
		}
		out = append(out, result)
	}
	return out, nil
}

// tryFilter asks in the order of the pipeline: the white list, then the black.
func tryFilter(white, black *explained, name string) (r FilterTestResult, err error) {
	r.Name = name
	switch {
	case !white.all.Match(name):
		r.Why = "no white"
	case black.all.Match(name):
		r.Why = "black"
		r.Matched, err = black.part(name)
	default:
		r.Why, r.Passes = "white", true
		r.Matched, err = white.part(name)
	}
	return r, err
}

// explained is a filter, and its expressions one by one.
type explained struct {
	all   *filter.Regex
	parts []*filter.Regex
	words []string
	end   time.Time // of the test
}

func compileFilter(field, list string, emptyMatches bool, end time.Time) (*explained, error) {
	if len(list) > maxFilterList {
		return nil, fail(reasonInvalid, text{"A filter has at most %d bytes", "过滤规则最多 %d 字节"}, maxFilterList)
	}
	all, err := filter.Compile(list, emptyMatches)
	if err != nil {
		f := fail(reasonInvalid, text{"The filter cannot be read", "过滤规则有误"})
		var pattern *filter.PatternError
		f.fields = map[string]string{field: err.Error()}
		if errors.As(err, &pattern) {
			f.fields[field] = pattern.Reason
		}
		return nil, f
	}
	e := &explained{all: all, end: end}
	for _, expression := range filter.Expressions(list) {
		if time.Now().After(end) {
			return nil, errSlowFilter
		}
		if part, err := filter.Compile(expression, false); err == nil {
			e.parts, e.words = append(e.parts, part), append(e.words, expression)
		}
	}
	return e, nil
}

// part is the first expression that matches by itself; "" when only all together
// do, or there are none. One match is bounded in time, but there may be thousands.
func (e *explained) part(name string) (string, error) {
	for i, p := range e.parts {
		if time.Now().After(e.end) {
			return "", errSlowFilter
		}
		if p.Match(name) {
			return e.words[i], nil
		}
	}
	return "", nil
}
