// Package api answers the HTTP calls of the admin.
package api
