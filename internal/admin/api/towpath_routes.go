package api

// towpathRoutes registers the calls beyond Canal's.
func (a *API) towpathRoutes() {}
