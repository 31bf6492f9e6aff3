package api

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestLenient(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"plain", `{"l":5,"i":6,"s":"x"}`, "5 6 x"},
		{"null", `{"l":null,"i":null,"s":null}`, "nil nil nil"},
		{"absent", `{}`, "nil nil nil"},
		{"empty", `{"l":"","i":" ","s":""}`, "nil nil "},
		{"quoted", `{"l":"-5","i":" 6 ","s":"7"}`, "-5 6 7"},
		{"number and boolean as text", `{"s":7}`, "nil nil 7"},
		{"boolean as text", `{"s":true}`, "nil nil true"},
		{"fraction", `{"l":5.9,"i":1e3}`, "5 1000 nil"},
		{"unknown field", `{"color":{"red":[1]}}`, "nil nil nil"},
		{"word", `{"l":"abc"}`, "error"},
		{"too large", `{"i":2147483648}`, "error"},
		{"far too large", `{"l":1e30}`, "error"},
		{"boolean as number", `{"l":true}`, "error"},
		{"object as text", `{"s":{}}`, "error"},
		{"list as number", `{"l":[]}`, "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v struct {
				L long    `json:"l"`
				I integer `json:"i"`
				S words   `json:"s"`
			}
			got := "error"
			if err := json.Unmarshal([]byte(tt.body), &v); err == nil {
				got = fmt.Sprint(show(v.L.v), " ", show(v.I.v), " ", show(v.S.v))
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func show[T any](p *T) string {
	if p == nil {
		return "nil"
	}
	return fmt.Sprint(*p)
}
