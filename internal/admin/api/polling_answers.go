package api

import (
	"context"
	"strings"
	"sync"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// pollAnswers are what servers are told of one view of the tables. With 50 servers and
// 1000 instances they are asked for up to 10 000 times a second, and are therefore
// made once; that bounds them by the rows of the view.
type pollAnswers struct {
	view *database.View
	same sync.Map // *instanceEntity by id, of an instance whose text is known
	due  sync.Map // *due by owner
}

// due is what the servers of a cluster, or a server that is alone, shall run.
type due struct {
	list    *instanceEntity // the names, as Canal's servers ask for them
	listMD5 string
	texts   []PolledText
	version string // of texts
}

// pollAnswers are those of the present view.
func (a *API) pollAnswers(ctx context.Context) (*pollAnswers, error) {
	v, err := a.db.View(ctx)
	if err != nil {
		return nil, err
	}
	p := a.polled.Load()
	if p == nil || p.view != v {
		p = &pollAnswers{view: v}
		a.polled.Store(p)
	}
	return p, nil
}

// unchanged is the answer to a server that knows the text of an instance.
func (p *pollAnswers) unchanged(row database.Instance, a *API) (*instanceEntity, error) {
	if e, ok := p.same.Load(row.ID); ok {
		return e.(*instanceEntity), nil
	}
	e := a.instance(row)
	e.Content = nil
	body, err := prepare(e)
	if err != nil {
		return nil, err
	}
	e.body = body
	p.same.Store(row.ID, e)
	return e, nil
}

// ownerOf is what the instances of a server belong to.
func ownerOf(s database.Server) string {
	if s.ClusterID != nil {
		return owner{clusterID: s.ClusterID}.String()
	}
	return owner{serverID: &s.ID}.String()
}

// dueOf is what a server shall run.
func (p *pollAnswers) dueOf(s database.Server) (*due, error) {
	of := ownerOf(s)
	if d, ok := p.due.Load(of); ok {
		return d.(*due), nil
	}
	rows, sums := p.view.InstancesOf(s, statusRunning)
	d := &due{texts: make([]PolledText, len(rows))}
	var list, all strings.Builder
	for i := range rows {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(rows[i].Name)
		all.WriteString(rows[i].Name + "/" + sums[i] + "\n")
		d.texts[i] = PolledText{Name: rows[i].Name, MD5: sums[i]}
	}
	names := list.String()
	d.listMD5, d.version = md5Of(names), md5Of(all.String())
	d.list = &instanceEntity{Content: &names, RunningStatus: statusStopped}
	body, err := prepare(d.list)
	if err != nil {
		return nil, err
	}
	d.list.body = body
	p.due.Store(of, d)
	return d, nil
}
