// Package identity knows who may do what in the admin: passwords, sessions and
// roles.
package identity

import (
	"errors"
	"slices"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// ErrExpired says that a token is not, or no longer, that of a session.
var ErrExpired = errors.New("no such session")

// Role is what a user may do. A role may do all that those before it may.
type Role string

// The roles.
const (
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
)

// RoleOf reads the column roles of canal_user: words separated by commas, of
// which the highest counts; users without a known one are viewers.
func RoleOf(roles string) Role {
	words := strings.FieldsFunc(roles, func(c rune) bool { return c == ',' || c == ' ' })
	switch {
	case slices.Contains(words, string(RoleAdmin)):
		return RoleAdmin
	case slices.Contains(words, string(RoleOperator)):
		return RoleOperator
	}
	return RoleViewer
}

// Allows says whether r is need or above it. Everybody has the role "".
func (r Role) Allows(need Role) bool { return r.rank() >= need.rank() }

func (r Role) rank() int { return slices.Index([]Role{"", RoleViewer, RoleOperator, RoleAdmin}, r) }

// Principal is who is logged in.
type Principal struct {
	User       database.User
	Role       Role
	TokenHash  string // of the session
	MustChange bool   // the password has to be changed before anything else
}
