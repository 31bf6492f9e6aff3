package mysql

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/towpath-cdc/towpath/internal/config"
)

// maxKeyStore bounds the size of a key store file in bytes.
const maxKeyStore = 16 << 20

// tlsConfig builds the TLS settings for a connection to address; nil means a
// plain connection (mode "" or DISABLED).
//
// REQUIRED and PREFERRED encrypt without asking who the server is, VERIFY_CA
// wants a certificate signed by the trust store (or the system's authorities if
// none is configured), VERIFY_IDENTITY also one issued for the address.
func tlsConfig(t config.TLS, address string) (*tls.Config, error) {
	if !wantsTLS(t) {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	c := &tls.Config{ServerName: host, CipherSuites: cipherSuites}
	if err := setVersions(c, t.Versions); err != nil {
		return nil, err
	}
	if t.TrustStore.URL != "" {
		s, err := loadKeyStore(t.TrustStore)
		if err != nil {
			return nil, fmt.Errorf("trust store %s: %w", t.TrustStore.URL, err)
		}
		if len(s.trusted) == 0 {
			return nil, fmt.Errorf("trust store %s: holds no certificate", t.TrustStore.URL)
		}
		c.RootCAs = x509.NewCertPool()
		for _, cert := range s.trusted {
			c.RootCAs.AddCert(cert)
		}
	}
	if t.ClientStore.URL != "" {
		s, err := loadKeyStore(t.ClientStore)
		if err != nil {
			return nil, fmt.Errorf("client store %s: %w", t.ClientStore.URL, err)
		}
		if s.client == nil {
			return nil, fmt.Errorf("client store %s: holds no private key with its certificate", t.ClientStore.URL)
		}
		c.Certificates = []tls.Certificate{*s.client}
	}
	switch tlsMode(t) {
	case "PREFERRED", "REQUIRED":
		c.InsecureSkipVerify = true
	case "VERIFY_CA":
		c.InsecureSkipVerify = true // the host name only: VerifyConnection checks the chain
		roots := c.RootCAs
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, roots) }
	case "VERIFY_IDENTITY":
	default:
		return nil, fmt.Errorf("sslMode %q: want DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY", t.Mode)
	}
	return c, nil
}

func tlsMode(t config.TLS) string { return strings.ToUpper(strings.TrimSpace(t.Mode)) }

func wantsTLS(t config.TLS) bool {
	mode := tlsMode(t)
	return mode != "" && mode != "DISABLED"
}

// cipherSuites are, for TLS up to 1.2, Go's own and behind them those with RSA
// key exchange, which Go no longer offers by itself. MySQL 5.7 and 8.0 built with
// OpenSSL 1.0.2 or yaSSL speak no elliptic curves, so that nothing else is left
// with them. Servers that can do better choose better.
var cipherSuites = func() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}()

func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("tls: the server sent no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := s.PeerCertificates[0].Verify(o); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return nil
}

// setVersions limits c to the versions listed by their Java names.
func setVersions(c *tls.Config, names []string) error {
	known := map[string]uint16{"TLSV1": tls.VersionTLS10, "TLSV1.0": tls.VersionTLS10, "TLSV1.1": tls.VersionTLS11,
		"TLSV1.2": tls.VersionTLS12, "TLSV1.3": tls.VersionTLS13}
	for _, n := range names {
		v, ok := known[strings.ToUpper(strings.TrimSpace(n))]
		if !ok {
			return fmt.Errorf("tlsVersions: %q is not one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", n)
		}
		if c.MinVersion == 0 || v < c.MinVersion {
			c.MinVersion = v
		}
		c.MaxVersion = max(c.MaxVersion, v)
	}
	return nil
}

// isTLSFailure reports whether connecting failed for want of TLS and not, say,
// of a password.
func isTLSFailure(err error) bool {
	if Code(err) != 0 || err == nil {
		return false
	}
	_, alert := errors.AsType[tls.AlertError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	return alert || record || cert || strings.Contains(err.Error(), "does not support TLS") || strings.Contains(err.Error(), "tls: ")
}

// isOldTLS reports whether TLS failed because the server speaks older versions
// only. crypto/tls has no type for that.
func isOldTLS(err error) bool {
	return err != nil && strings.Contains(err.Error(), "server selected unsupported protocol version")
}

// keyStore is what a certificate file holds.
type keyStore struct {
	trusted []*x509.Certificate
	client  *tls.Certificate
}

// loadKeyStore reads the file a KeyStore names. Its kind is taken from the
// content: Java, too, reads a PKCS12 file that is configured as JKS.
func loadKeyStore(k config.KeyStore) (keyStore, error) {
	path, err := storePath(k.URL)
	if err != nil {
		return keyStore{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return keyStore{}, err
	}
	if info.Size() > maxKeyStore {
		return keyStore{}, fmt.Errorf("%d bytes are no key store", info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return keyStore{}, err
	}
	return parseKeyStore(data, k.Password)
}

// storePath turns a path or a file: URL into a path.
func storePath(s string) (string, error) {
	if !strings.HasPrefix(s, "file:") {
		return s, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	if u.Opaque != "" { // file:relative/path
		return u.Opaque, nil
	}
	return u.Path, nil
}

func parseKeyStore(data []byte, password string) (keyStore, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return parseJKS(data, password)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return parsePEM(data)
	case len(data) > 0 && data[0] == 0x30: // ASN.1 sequence
		return parsePKCS12(data, password)
	}
	return keyStore{}, errors.New("neither JKS nor PKCS12 nor PEM")
}

func parseJKS(data []byte, password string) (keyStore, error) {
	if err := checkJKS(data); err != nil {
		return keyStore{}, fmt.Errorf("read JKS: %w", err)
	}
	ks := keystore.New(keystore.WithOrderedAliases())
	if err := ks.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return keyStore{}, fmt.Errorf("read JKS: %w", err)
	}
	var s keyStore
	for _, alias := range ks.Aliases() {
		if ks.IsTrustedCertificateEntry(alias) {
			e, err := ks.GetTrustedCertificateEntry(alias)
			if err != nil {
				return keyStore{}, fmt.Errorf("certificate %q: %w", alias, err)
			}
			cert, err := x509.ParseCertificate(e.Certificate.Content)
			if err != nil {
				return keyStore{}, fmt.Errorf("certificate %q: %w", alias, err)
			}
			s.trusted = append(s.trusted, cert)
			continue
		}
		if s.client != nil {
			continue
		}
		e, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return keyStore{}, fmt.Errorf("private key %q: %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(e.PrivateKey)
		if err != nil {
			return keyStore{}, fmt.Errorf("private key %q: %w", alias, err)
		}
		s.client = &tls.Certificate{PrivateKey: key}
		for _, c := range e.CertificateChain {
			s.client.Certificate = append(s.client.Certificate, c.Content)
		}
	}
	return s, nil
}

// parsePKCS12 reads a store with a private key, or else one with certificates only.
func parsePKCS12(data []byte, password string) (keyStore, error) {
	key, cert, chain, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		c := &tls.Certificate{PrivateKey: key, Certificate: [][]byte{cert.Raw}, Leaf: cert}
		for _, ca := range chain {
			c.Certificate = append(c.Certificate, ca.Raw)
		}
		return keyStore{client: c, trusted: chain}, nil
	}
	certs, trustErr := pkcs12.DecodeTrustStore(data, password)
	if trustErr != nil {
		return keyStore{}, fmt.Errorf("read PKCS12: %w", errors.Join(err, trustErr))
	}
	return keyStore{trusted: certs}, nil
}

func parsePEM(data []byte) (keyStore, error) {
	var (
		s     keyStore
		chain [][]byte
		key   crypto.PrivateKey
	)
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		switch {
		case b.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return keyStore{}, fmt.Errorf("PEM certificate: %w", err)
			}
			s.trusted = append(s.trusted, cert)
			chain = append(chain, b.Bytes)
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			k, err := parsePrivateKey(b.Bytes)
			if err != nil {
				return keyStore{}, fmt.Errorf("PEM %s: %w", strings.ToLower(b.Type), err)
			}
			key = k
		}
	}
	if key != nil && len(chain) > 0 {
		s.client = &tls.Certificate{PrivateKey: key, Certificate: chain}
	}
	return s, nil
}

func parsePrivateKey(der []byte) (crypto.PrivateKey, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	return nil, errors.New("neither PKCS8, PKCS1 nor SEC1; encrypted PEM keys are not read, use PKCS12")
}
