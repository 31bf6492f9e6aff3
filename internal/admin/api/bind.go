package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// maxBody is how many bytes the body of a call may have; more are refused. It is
// far more than a configuration can have in the database.
const maxBody = 1 << 20

// binder fills the request type of one call.
type binder struct {
	params  []param
	hasBody bool // some field comes from the JSON body
}

// param is a field that comes from the path or the query.
type param struct {
	index       []int
	name        string
	path        bool
	required    bool // must be there, though it may be empty
	description string
	typ         reflect.Type
}

// mustBinder reads the tags of a request type:
//
//	path:"id"                    a segment of the path
//	query:"name"                 a parameter of the query; absent leaves the zero value
//	query:"name" required:"true" … whose absence is refused
//	doc:"…"                      what it is, for the OpenAPI document
//
// Such fields are strings, bools, integers or pointers to strings and integers. A type that
// cannot be bound is a fault of the program.
func mustBinder(t reflect.Type) *binder {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("api: request %s is no struct", t))
	}
	b := &binder{}
	for _, f := range reflect.VisibleFields(t) {
		p := param{index: f.Index, required: f.Tag.Get("required") == "true", description: f.Tag.Get("doc"), typ: f.Type}
		if name, ok := f.Tag.Lookup("path"); ok {
			p.name, p.path, p.required = name, true, true
		} else if name, ok := f.Tag.Lookup("query"); ok {
			p.name = name
		} else {
			b.hasBody = b.hasBody || f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-"
			continue
		}
		if _, err := javaType(f.Type); err != nil {
			panic(fmt.Sprintf("api: request %s: field %s: %v", t, f.Name, err))
		}
		b.params = append(b.params, p)
	}
	return b
}

// bind fills v from the request.
func (b *binder) bind(w http.ResponseWriter, r *http.Request, v reflect.Value) error {
	// The body first: nothing in it may overwrite what the path says.
	if b.hasBody {
		if err := readBody(w, r, v.Addr().Interface()); err != nil {
			return err
		}
	}
	if len(b.params) == 0 {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query cannot be read: %v", err)
	}
	for i := range b.params {
		p := &b.params[i]
		text, given := r.PathValue(p.name), true
		if !p.path {
			text, given = query.Get(p.name), query.Has(p.name)
		}
		if err := p.set(v.FieldByIndex(p.index), text, given); err != nil {
			return err
		}
	}
	return nil
}

// set reads text into a field, with Spring's leniency and its texts.
func (p *param) set(field reflect.Value, text string, given bool) error {
	java, _ := javaType(p.typ)
	if !given {
		field.SetZero()
		if p.required {
			return missingParameter(p.name, java)
		}
		return nil
	}
	if java == "String" {
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.ValueOf(&text))
		} else {
			field.SetString(text)
		}
		return nil
	}
	if text = strings.TrimSpace(text); text == "" {
		field.SetZero()
		if p.required {
			return invalid("Required request parameter '%s' for method parameter type %s is present but converted to null", p.name, java)
		}
		return nil
	}
	if java == "boolean" {
		yes, err := parseBoolean(text)
		if err != nil {
			return err
		}
		field.SetBool(yes)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, p.bits())
	if err != nil {
		return invalid("Failed to convert value of type 'java.lang.String' to required type 'java.lang.%s'; nested exception is java.lang.NumberFormatException: For input string: %q", java, text)
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(p.typ.Elem()))
		field = field.Elem()
	}
	field.SetInt(n)
	return nil
}

func missingParameter(name, java string) *failure {
	return invalid("Required request parameter '%s' for method parameter type %s is not present", name, java)
}

func (p *param) bits() int {
	if p.typ.Kind() == reflect.Pointer {
		return p.typ.Elem().Bits()
	}
	return p.typ.Bits()
}

// javaType is how Canal's messages name the type of a parameter.
func javaType(t reflect.Type) (string, error) {
	if t.Kind() == reflect.Pointer && t.Elem().Kind() != reflect.Bool {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "String", nil
	case reflect.Bool:
		return "boolean", nil
	case reflect.Int32:
		return "Integer", nil
	case reflect.Int, reflect.Int64:
		return "Long", nil
	}
	return "", fmt.Errorf("%s cannot be a parameter", t)
}

// parseBoolean knows the words of Spring's StringToBooleanConverter.
func parseBoolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, invalid("Failed to convert value of type 'java.lang.String' to required type 'boolean'; nested exception is java.lang.IllegalArgumentException: Invalid boolean value [%s]", text)
}

func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	if err := checkJSON(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return invalid("the request body has more than %d bytes", maxBody)
	case err != nil:
		return invalid("the request body cannot be read")
	case len(body) == 0:
		return invalid("Required request body is missing")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return invalid("JSON parse error: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// checkJSON refuses a body that is not said to be JSON, as Canal does. It also
// keeps forms of other sites away, which cannot send that type unasked.
func checkJSON(contentType string) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) {
		return invalid("Content type '%s' not supported", contentType)
	}
	return nil
}
