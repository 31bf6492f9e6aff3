// Package control speaks the protocol of the admin port.
package control
