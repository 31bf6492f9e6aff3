package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// Operation says what a call is: what the router, the check of the log-in and
// the OpenAPI document have to know of it.
type Operation struct {
	Method  string // GET also answers HEAD
	Path    string // below /api/{env}, such as "/canal/cluster/{id}"
	Summary string // one sentence without a full stop
	Tag     string // heading in the document

	// Role is what the user must have at least; "" lets every logged-in user in.
	Role identity.Role
	// Open calls need no log-in; their Principal is empty.
	Open bool
	// Polling calls are those of servers, which send the user and the hash of
	// the password that they share with the admin.
	Polling bool
	// BeforeChange calls are answered although the password has to be changed.
	BeforeChange bool
}

// beyond says whether the call is one of ours, whose failures tell more than
// Canal's.
func (o *Operation) beyond() bool { return strings.HasPrefix(o.Path, "/towpath/") }

// endpoint is a registered call.
type endpoint struct {
	Operation
	request, response reflect.Type // response is nil for a stream
	binder            *binder
	serve             func(e *exchange) error // writes the answer, or returns why there is none
}

// exchange is one call that is being answered.
type exchange struct {
	w         http.ResponseWriter
	r         *http.Request
	principal identity.Principal
}

// route registers a call. Fields of Req tagged path or query come from there,
// the others from the JSON body, which is read only when there are any; a type
// that embeds one of model.go works. What h returns is data of Canal's envelope;
// an error that is no *failure is logged and becomes a general text with a
// number to find it by, except for those that fault knows.
func route[Req, Resp any](a *API, op Operation, h func(ctx context.Context, p identity.Principal, req Req) (Resp, error)) {
	b := mustBinder(reflect.TypeFor[Req]())
	a.register(&endpoint{
		Operation: op,
		request:   reflect.TypeFor[Req](),
		response:  reflect.TypeFor[Resp](),
		binder:    b,
		serve: func(e *exchange) error {
			var req Req
			if err := b.bind(e.w, e.r, reflect.ValueOf(&req).Elem()); err != nil {
				return err
			}
			resp, err := h(e.r.Context(), e.principal, req)
			if err != nil {
				return err
			}
			setCookies(e.w, resp)
			return writeData(e.w, resp)
		},
	})
}

// stream registers a call whose answer is no envelope, such as server-sent
// events. Req is bound as in route. h writes the whole answer; an error that it
// returns before it has written anything is answered as one of route.
func stream[Req any](a *API, op Operation, h func(w http.ResponseWriter, r *http.Request, p identity.Principal, req Req) error) {
	b := mustBinder(reflect.TypeFor[Req]())
	a.register(&endpoint{
		Operation: op,
		request:   reflect.TypeFor[Req](),
		binder:    b,
		serve: func(e *exchange) error {
			var req Req
			if err := b.bind(e.w, e.r, reflect.ValueOf(&req).Elem()); err != nil {
				return err
			}
			return h(e.w, e.r, e.principal, req)
		},
	})
}

// cookied is an answer that sets cookies.
type cookied interface{ cookies() []*http.Cookie }

func setCookies(w http.ResponseWriter, resp any) {
	c, ok := resp.(cookied)
	if !ok {
		return
	}
	for _, cookie := range c.cookies() {
		http.SetCookie(w, cookie)
	}
}

func (a *API) register(ep *endpoint) {
	pattern := "/api/{env}" + ep.Path
	methods := a.methods[pattern]
	if methods == nil {
		methods = make(map[string]*endpoint)
		a.methods[pattern] = methods
		a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, methods) })
	}
	if methods[ep.Method] != nil {
		panic(fmt.Sprintf("api: %s %s is registered twice", ep.Method, ep.Path))
	}
	methods[ep.Method] = ep
	a.endpoints = append(a.endpoints, ep)
}

// dispatch answers a call of a known path.
func (a *API) dispatch(w http.ResponseWriter, r *http.Request, methods map[string]*endpoint) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	ep := methods[method]
	if ep == nil {
		w.Header().Set("Allow", allowed(methods))
		a.writeStatus(w, r, http.StatusMethodNotAllowed)
		return
	}
	a.cors(w, r)
	e := &exchange{w: w, r: r.WithContext(withCaller(r))}
	err := a.answer(e, ep)
	switch {
	case err == nil:
	case errors.Is(err, errNotAcceptable):
		w.WriteHeader(http.StatusNotAcceptable)
	default:
		a.writeFault(w, e.r, ep.beyond(), err)
	}
}

func (a *API) answer(e *exchange, ep *endpoint) error {
	switch {
	case ep.Polling:
		if err := a.checkPolling(e.r); err != nil {
			return err
		}
	case ep.Open:
		if _, byCookie := tokenOf(e.r); byCookie {
			if err := a.checkSite(e.r); err != nil {
				return err
			}
		}
	default:
		p, err := a.authenticate(e.r, ep.BeforeChange)
		if err != nil {
			return err
		}
		if !p.Role.Allows(ep.Role) {
			a.noteRefused(e.r, p, ep)
			return errForbidden
		}
		e.principal = p
	}
	if ep.response != nil && !acceptsJSON(e.r.Header.Values("Accept")) {
		return errNotAcceptable
	}
	return ep.serve(e)
}

// allowed is the header Allow of a path.
func allowed(methods map[string]*endpoint) string {
	return strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
}
