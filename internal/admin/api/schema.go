package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// schema is a JSON Schema (2020-12), as OpenAPI 3.1 uses it.
type schema map[string]any

// schemaTyped is a type that knows its own schema, because its JSON is not what
// its fields say.
type schemaTyped interface{ jsonSchema() schema }

// schemas makes the schemas of Go types as encoding/json writes them. Named
// structs become components that others refer to.
type schemas struct {
	components map[string]schema
	types      map[string]reflect.Type // by name of the component
}

// of is the schema of a type. In answers fields without omitempty are always
// there; what a request must have, handlers check.
func (s *schemas) of(t reflect.Type, request bool) schema {
	if custom, ok := reflect.Zero(t).Interface().(schemaTyped); ok && t.Kind() != reflect.Pointer {
		return custom.jsonSchema()
	}
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return schema{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem(), request))
	case reflect.Interface:
		return schema{}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int32:
		return schema{"type": "integer", "format": "int32"}
	case reflect.Int, reflect.Int64:
		return schema{"type": "integer", "format": "int64"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return nullable(schema{"type": "array", "items": s.of(t.Elem(), request)})
	case reflect.Map:
		return nullable(schema{"type": "object", "additionalProperties": s.of(t.Elem(), request)})
	case reflect.Struct:
		return s.ofStruct(t, request)
	}
	panic(fmt.Sprintf("api: %s has no schema", t))
}

func (s *schemas) ofStruct(t reflect.Type, request bool) schema {
	name := componentName(t, request)
	if name == "" {
		return s.object(t, request)
	}
	if known := s.types[name]; known == nil {
		s.types[name] = t
		s.components[name] = s.object(t, request)
	} else if known != t {
		panic(fmt.Sprintf("api: %s and %s are both called %s", known, t, name))
	}
	return schema{"$ref": "#/components/schemas/" + name}
}

// componentName is the name of a struct in the document; "" for one without a
// name. Request types have their own, as they require nothing.
func componentName(t reflect.Type, request bool) string {
	name, args, generic := strings.Cut(t.Name(), "[")
	if generic {
		arg := strings.TrimSuffix(args, "]")
		name += upperFirst(arg[strings.LastIndexByte(arg, '.')+1:])
	}
	if name == "" {
		return ""
	}
	name = upperFirst(name)
	if request && !strings.HasSuffix(name, "Request") {
		name += "Request"
	}
	return name
}

func upperFirst(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func (s *schemas) object(t reflect.Type, request bool) schema {
	properties := schema{}
	required := []string{}
	s.fields(t, request, properties, &required)
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 && !request {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

// fields adds the fields of a struct, those of embedded structs included.
func (s *schemas) fields(t reflect.Type, request bool, properties schema, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.fields(f.Type, request, properties, required)
			continue
		case !f.IsExported() || name == "-" || isParam(f):
			continue
		case name == "":
			name = f.Name
		}
		field := s.of(f.Type, request)
		if doc := f.Tag.Get("doc"); doc != "" {
			field = describe(field, doc)
		}
		properties[name] = field
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

func isParam(f reflect.StructField) bool {
	return f.Tag.Get("path") != "" || f.Tag.Get("query") != ""
}

func describe(s schema, doc string) schema {
	s = maps.Clone(s)
	s["description"] = doc
	return s
}

// nullable also allows null.
func nullable(s schema) schema {
	if kind, ok := s["type"].(string); ok {
		s = maps.Clone(s)
		s["type"] = []string{kind, "null"}
		return s
	}
	if len(s) == 0 || s["anyOf"] != nil {
		return s // anything, or nullable already
	}
	return schema{"anyOf": []schema{s, {"type": "null"}}}
}
