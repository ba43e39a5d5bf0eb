package schematest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority signs certificates that are valid for an hour.
type Authority struct {
	File string // its own certificate, in PEM
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority creates an authority for one test.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	a := &Authority{t: t, File: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of " + t.Name()},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	writePEM(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue creates a certificate for a name, and returns the files of the certificate and its key.
func (a *Authority) Issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	dir := a.t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(a.t, certFile, "CERTIFICATE", der)
	writePEM(a.t, keyFile, "PRIVATE KEY", keyDER)
	return certFile, keyFile
}

// server returns the TLS configuration of a server of that name. If clients is set, it only accepts clients with a certificate
// of that authority.
func (a *Authority) server(name string, clients *Authority) *tls.Config {
	a.t.Helper()
	cert, err := tls.LoadX509KeyPair(a.Issue(name))
	require.NoError(a.t, err)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(clients.cert)
	}
	return config
}

// GRPC puts TLS in front of a gRPC server at target, as a server of that name, and returns its address. It refuses a call if
// accept, which gets the call's metadata and may be nil, returns false.
func (a *Authority) GRPC(target, name string, clients *Authority, accept func(http.Header) bool) (address string) {
	a.t.Helper()
	plain := new(http.Protocols)
	plain.SetUnencryptedHTTP2(true)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: target}) },
		Transport:     &http.Transport{Protocols: plain},
		FlushInterval: -1, // at once, for streams
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if accept != nil && !accept(r.Header) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	front.EnableHTTP2 = true
	front.TLS = a.server(name, clients)
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // tests check refusals themselves
	front.StartTLS()
	a.t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// PostgreSQL puts TLS in front of the server of a URL, as a server of that name. It returns the URL that leads through it, at
// localhost, with settings as its query.
func (a *Authority) PostgreSQL(target, name string, clients *Authority, settings url.Values) string {
	a.t.Helper()
	u, err := url.Parse(target)
	require.NoError(a.t, err)
	behind := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(a.t, err)
	a.t.Cleanup(func() { _ = listener.Close() }) // the test is over: the error does not matter
	config := a.server(name, clients)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go postgreSQL(conn, behind, config)
		}
	}()
	u.Host = net.JoinHostPort("localhost", strings.TrimPrefix(listener.Addr().String(), "127.0.0.1:"))
	u.RawQuery = settings.Encode()
	return u.String()
}

// postgreSQL serves one connection. Like hostssl, it refuses clients that do not ask for TLS.
// See https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL.
func postgreSQL(conn net.Conn, behind string, config *tls.Config) {
	defer conn.Close()
	length := make([]byte, 4)
	if _, err := io.ReadFull(conn, length); err != nil {
		return
	}
	request := make([]byte, min(binary.BigEndian.Uint32(length), 10000)-4)
	if _, err := io.ReadFull(conn, request); err != nil {
		return
	}
	if string(request) != "\x04\xd2\x16\x2f" {
		const refusal = "SFATAL\x00VFATAL\x00C28000\x00Mno encryption\x00\x00"
		message := binary.BigEndian.AppendUint32([]byte("E"), uint32(4+len(refusal)))
		_, _ = conn.Write(append(message, refusal...)) // the client may be gone
		return
	}
	if _, err := conn.Write([]byte("S")); err != nil {
		return
	}
	front := tls.Server(conn, config)
	defer front.Close()
	if front.Handshake() != nil {
		return
	}
	server, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, front) // ends when the client closes
	}()
	_, _ = io.Copy(front, server) // ends when the server closes
}

// Refuses checks that every attempt fails, and that one error says why. With TLS 1.3 a client may write before it reads the
// server's alert, and then only learns that the connection broke, so it may take several attempts.
func Refuses(t *testing.T, why string, try func() error) {
	t.Helper()
	var err error
	for range 50 {
		err = try()
		require.Error(t, err)
		if strings.Contains(err.Error(), why) {
			return
		}
	}
	require.ErrorContains(t, err, why)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}
