package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// authorities reads the PEM file, named by key, with the authorities to trust.
func authorities(key, file string) (*x509.CertPool, error) {
	pem, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s: no certificate in it; want a PEM file with the authorities to trust", key, file)
	}
	return pool, nil
}

// certificate reads the PEM files, each named by a key, with the certificate to
// present and its key.
func certificate(certKey, certFile, keyKey, keyFile string) (tls.Certificate, error) {
	if certFile == "" || keyFile == "" {
		return tls.Certificate{}, errors.New(certKey + " and " + keyKey + ": one needs the other")
	}
	cert, err := readBounded(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", certKey, err)
	}
	key, err := readBounded(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", keyKey, err)
	}
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %s with %s: %s: %w", certKey, certFile, keyKey, keyFile, err)
	}
	return own, nil
}
