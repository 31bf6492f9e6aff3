package api

import (
	"errors"
	"net"
	"net/http"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// sessionCookie is the name of the cookie that a log-in sets beside the token.
const sessionCookie = "towpath_session"

// tokenOf finds the token of a request: the header that Canal's pages send, or
// else the cookie.
func tokenOf(r *http.Request) (token string, byCookie bool) {
	if token = r.Header.Get("X-Token"); token != "" {
		return token, false
	}
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// authenticate finds who asks. A browser sends the cookie with requests that
// other sites cause, so a request that changes something and has nothing but the
// cookie must come from our own pages.
func (a *API) authenticate(r *http.Request, beforeChange bool) (identity.Principal, error) {
	token, byCookie := tokenOf(r)
	if token == "" {
		return identity.Principal{}, errExpired
	}
	if byCookie {
		if err := a.checkSite(r); err != nil {
			return identity.Principal{}, err
		}
	}
	p, err := a.identity.Authenticate(r.Context(), token)
	switch {
	case errors.Is(err, identity.ErrExpired):
		return p, errExpired
	case err != nil:
		return p, err
	case p.MustChange && !beforeChange:
		return p, errMustChange
	}
	return p, nil
}

// checkSite refuses a request that changes something unless our own pages sent
// it: by what browsers tell of its origin, and by a header that another site may
// not set unasked.
func (a *API) checkSite(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if a.crossOrigin.Check(r) != nil || r.Header.Get("X-Requested-With") == "" {
		return errCrossSite
	}
	return nil
}

// actor is who a change is written down for.
func actor(r caller, p identity.Principal) database.Actor {
	return database.Actor{UserID: p.User.ID, Username: p.User.Username, Address: r.address}
}

// hostOf is an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
