package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// zkKeys are one certificate, which servers and clients share and which vouches
// for itself, and its key.
type zkKeys struct {
	store string // PEM file with both
	trust string // PEM file with the certificate
	pair  tls.Certificate
	pool  *x509.CertPool
}

func makeZKKeys(dir string) (*zkKeys, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "towpath test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	k := &zkKeys{store: filepath.Join(dir, "key.pem"), trust: filepath.Join(dir, "cert.pem"), pool: x509.NewCertPool()}
	if k.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, err
	}
	k.pool.AppendCertsFromPEM(certPEM)
	if err := os.WriteFile(k.store, append(keyPEM, certPEM...), 0o600); err != nil {
		return nil, err
	}
	return k, os.WriteFile(k.trust, certPEM, 0o644)
}

// config are the lines of zoo.cfg for a listener that speaks TLS.
func (k *zkKeys) config(port int, clientCertificate bool) []string {
	auth := "none"
	if clientCertificate {
		auth = "need"
	}
	return []string{
		"secureClientPortAddress=127.0.0.1", "secureClientPort=" + strconv.Itoa(port), "ssl.clientAuth=" + auth,
		"ssl.keyStore.type=PEM", "ssl.keyStore.location=" + k.store,
		"ssl.trustStore.type=PEM", "ssl.trustStore.location=" + k.trust,
	}
}

// TLSConfig trusts the servers' certificate and has one for the client. It is
// nil for servers started without TLS.
func (z *ZooKeeper) TLSConfig() *tls.Config {
	if z.keys == nil {
		return nil
	}
	return &tls.Config{RootCAs: z.keys.pool, Certificates: []tls.Certificate{z.keys.pair}, MinVersion: tls.VersionTLS12}
}

// TLSFiles are PEM files with the servers' certificate, and with the key and
// certificate of a client; empty for servers started without TLS.
func (z *ZooKeeper) TLSFiles() (trust, key string) {
	if z.keys == nil {
		return "", ""
	}
	return z.keys.trust, z.keys.store
}
