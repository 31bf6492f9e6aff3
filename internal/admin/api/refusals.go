package api

import (
	"net/http"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// refusalPeriod is between two refusals of one user that are written down, so that
// nobody can fill the audit with them.
const refusalPeriod = time.Second

// refusals knows when each user was last refused something. It grows with the
// users.
type refusals struct {
	mu   sync.Mutex
	last map[int64]time.Time
}

// count tells whether a refusal is to be written down.
func (r *refusals) count(userID int64, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last[userID]) < refusalPeriod {
		return false
	}
	if r.last == nil {
		r.last = make(map[int64]time.Time)
	}
	r.last[userID] = now
	return true
}

// noteRefused writes down that somebody wanted to change something for which the
// role is too low.
func (a *API) noteRefused(r *http.Request, p identity.Principal, ep *endpoint) {
	if ep.Method == http.MethodGet || !a.refusals.count(p.User.ID, time.Now()) {
		return
	}
	record := database.AuditRecord{Action: "call.refused", Kind: "call", Target: ep.Method + " " + r.URL.Path, Detail: "needs the role " + string(ep.Role)}
	if err := a.db.Audit(r.Context(), actor(callerOf(r.Context()), p), record); err != nil {
		a.log.Error("audit record not written", "action", record.Action, "error", err)
	}
}
