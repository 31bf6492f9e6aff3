package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// decryptDruid opens a password that Druid's ConfigTools encrypted: RSA with the
// private key and PKCS#1 type 1 padding, so that the public key opens it. That
// is obfuscation rather than secrecy, hence the keys of 512 bits that ConfigTools
// makes, which crypto/rsa would refuse to work with.
func decryptDruid(publicKey, cipherText string) (string, error) {
	der, err := decodeBase64(publicKey)
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() > maxKeyBits || key.N.Bit(0) == 0 {
		return "", fmt.Errorf("public key: want an RSA key of at most %d bits", maxKeyBits)
	}
	if cipherText == "" {
		return "", nil
	}
	sealed, err := decodeBase64(cipherText)
	if err != nil {
		return "", err
	}
	c := new(big.Int).SetBytes(sealed)
	if c.Cmp(key.N) >= 0 {
		return "", errors.New("the text does not belong to the public key")
	}
	block := make([]byte, (key.N.BitLen()+7)/8)
	c.Exp(c, big.NewInt(int64(key.E)), key.N).FillBytes(block)
	return unpadType1(block)
}

// maxKeyBits bounds the work a configured key can ask for.
const maxKeyBits = 8192

// unpadType1 takes 00 01 FF…FF 00 off, with at least eight FF (RFC 8017, 9.2).
func unpadType1(block []byte) (string, error) {
	errPadding := errors.New("the text does not belong to the public key")
	if len(block) < 11 || block[0] != 0 || block[1] != 1 {
		return "", errPadding
	}
	for i, b := range block[2:] {
		switch {
		case b == 0xff:
		case b == 0 && i >= 8:
			return string(block[2+i+1:]), nil
		default:
			return "", errPadding
		}
	}
	return "", errPadding
}

func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}
