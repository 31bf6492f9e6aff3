// Package database keeps what the admin knows.
package database
