package api

import "net/http"

// serveStatic answers what is not below /api: the web pages.
func (a *API) serveStatic(w http.ResponseWriter, r *http.Request) {
	a.writeStatus(w, r, http.StatusNotFound)
}
