package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The names of the ways to log in, in the document.
const (
	schemeHeader  = "token"
	schemeCookie  = "session"
	schemePolling = "pollingUser"
	schemeHash    = "pollingPassword"
)

// document makes the OpenAPI document from what is registered. Its order is that
// of encoding/json, so the same calls give the same bytes.
func (a *API) document() []byte {
	s := &schemas{components: map[string]schema{}, types: map[string]reflect.Type{}}
	paths := map[string]schema{}
	tags := []schema{}
	for _, ep := range a.endpoints {
		path := "/api/{env}" + ep.Path
		if paths[path] == nil {
			paths[path] = schema{"parameters": []schema{envParameter()}}
		}
		paths[path][strings.ToLower(ep.Method)] = ep.describe(s)
		if !slices.ContainsFunc(tags, func(t schema) bool { return t["name"] == ep.Tag }) {
			tags = append(tags, schema{"name": ep.Tag})
		}
	}
	s.of(reflect.TypeFor[Failure](), false)
	s.components["FailedEnvelope"] = failedSchema()
	s.components["StatusBody"] = s.object(reflect.TypeFor[statusBody](), false)
	document, err := json.MarshalIndent(schema{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
		"info": schema{
			"title":       "Towpath Admin",
			"version":     "1",
			"description": introduction,
			"license":     schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers": []schema{{"url": "/"}},
		"tags":    tags,
		"paths":   paths,
		"components": schema{
			"schemas":         s.components,
			"securitySchemes": securitySchemes(),
		},
	}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("api: the OpenAPI document: %v", err)) // only strings, maps and slices are in it
	}
	return append(document, '\n')
}

const introduction = "The calls of Canal Admin, as its pages, its servers and scripts use them, and those of Towpath under /towpath/.\n\n" +
	"Every answer is an envelope {code, message, data} with HTTP status 200: code 20000 is success; 40001 an empty user name or password; " +
	"40300 a role that does not allow the call; 50000 any other failure, which message explains; 50014 no valid token; 50015 a password that has to be changed first. " +
	"A failure of a call under /towpath/ also has error, for programs.\n\n" +
	"POST /user/login gives the token for the header X-Token; the cookie that it sets serves pages in a browser, and needs the header X-Requested-With for everything but GET. " +
	"Every query or body of more than 1 MiB is refused."

func envParameter() schema {
	return schema{"name": "env", "in": "path", "required": true, "description": "any word; v1 by custom",
		"schema": schema{"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$", "default": "v1"}}
}

func securitySchemes() schema {
	return schema{
		schemeHeader:  schema{"type": "apiKey", "in": "header", "name": "X-Token", "description": "the token that POST /user/login gives"},
		schemeCookie:  schema{"type": "apiKey", "in": "cookie", "name": sessionCookie, "description": "set by POST /user/login; calls that change something also need the header X-Requested-With"},
		schemePolling: schema{"type": "apiKey", "in": "header", "name": "user", "description": "canal.admin.user of the server"},
		schemeHash:    schema{"type": "apiKey", "in": "header", "name": "passwd", "description": "canal.admin.passwd of the server: hex SHA1(SHA1(password))"},
	}
}

// describe is the Operation Object of a call.
func (ep *endpoint) describe(s *schemas) schema {
	out := schema{
		"operationId": ep.id(),
		"summary":     ep.Summary,
		"tags":        []string{ep.Tag},
		"security":    ep.security(),
		"responses":   ep.responses(s),
	}
	if ep.Role != "" {
		out["description"] = fmt.Sprintf("For users with the role %s, or one above it.", ep.Role)
	}
	if len(ep.binder.params) > 0 {
		parameters := []schema{}
		for i := range ep.binder.params {
			parameters = append(parameters, ep.binder.params[i].describe(s))
		}
		out["parameters"] = parameters
	}
	if ep.binder.hasBody {
		out["requestBody"] = schema{"required": true, "content": schema{
			"application/json": schema{"schema": s.of(ep.request, true)}}}
	}
	return out
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// id is the method and the words of the path, such as getCanalClusterById.
func (ep *endpoint) id() string {
	path := strings.NewReplacer("/{", "/by/", "}", "").Replace(ep.Path)
	id := strings.ToLower(ep.Method)
	for _, word := range notWord.Split(path, -1) {
		if word != "" {
			id += upperFirst(word)
		}
	}
	return id
}

func (ep *endpoint) security() []schema {
	switch {
	case ep.Open:
		return []schema{}
	case ep.Polling:
		return []schema{{schemePolling: []string{}, schemeHash: []string{}}}
	}
	return []schema{{schemeHeader: []string{}}, {schemeCookie: []string{}}}
}

func (p *param) describe(s *schemas) schema {
	in := "query"
	if p.path {
		in = "path"
	}
	t := p.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	of := s.of(t, true)
	if p.path && t.Kind() == reflect.String {
		of["minLength"] = 1
	}
	out := schema{"name": p.name, "in": in, "required": p.required, "schema": of}
	if p.description != "" {
		out["description"] = p.description
	}
	return out
}

func (ep *endpoint) responses(s *schemas) schema {
	refused := schema{"$ref": "#/components/schemas/StatusBody"}
	out := schema{
		"400": jsonResponse("the path has an encoded slash", refused),
		"405": jsonResponse("another method", refused),
	}
	if ep.response == nil {
		out["200"] = schema{"description": "a stream, or an envelope that says why there is none",
			"content": schema{"text/event-stream": schema{"schema": schema{"type": "string"}},
				"application/json": schema{"schema": failedRef()}}}
		return out
	}
	succeeded := schema{
		"type":     "object",
		"required": []string{"code", "data", "message"},
		"properties": schema{
			"code":    schema{"const": codeSuccess},
			"message": schema{"type": "null"},
			"data":    s.of(ep.response, false),
		},
	}
	out["200"] = jsonResponse("the envelope", schema{"oneOf": []schema{succeeded, failedRef()}})
	out["406"] = schema{"description": "the Accept header does not allow JSON"}
	return out
}

func jsonResponse(description string, of schema) schema {
	return schema{"description": description, "content": schema{"application/json": schema{"schema": of}}}
}

func failedRef() schema { return schema{"$ref": "#/components/schemas/FailedEnvelope"} }

func failedSchema() schema {
	return schema{
		"type":     "object",
		"required": []string{"code", "data", "message"},
		"properties": schema{
			"code":    schema{"type": "integer", "enum": []int{codeBadLogin, codeForbidden, codeFailed, codeExpired, codeMustChange}},
			"message": schema{"type": []string{"string", "null"}},
			"data":    schema{"type": "null"},
			"error":   schema{"$ref": "#/components/schemas/Failure"},
		},
	}
}

// serveOpenAPI sends the document. It is open: it holds no secrets.
func (a *API) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.writeStatus(w, r, http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(a.openAPI()) //nolint:errcheck // the client has gone
}

// OpenAPI is the document about all calls, OpenAPI 3.1 as JSON.
func (a *API) OpenAPI() []byte { return a.openAPI() }
