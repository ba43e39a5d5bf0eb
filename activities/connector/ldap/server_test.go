package ldap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

const (
	suffix        = "dc=example,dc=org"
	adminDN       = "cn=admin," + suffix
	botDN         = "uid=accessbot,ou=people," + suffix  // the connector's
	limitedDN     = "uid=limited,ou=people," + suffix    // reads at most 500 entries
	placeholderDN = "cn=placeholder,ou=people," + suffix // a placeholder with an entry
	testPassword  = "correct horse"
	groupsOfTests = "ou=groups," + suffix
	peopleOfTests = "ou=people," + suffix
)

// server is a slapd for one test.
type server struct {
	admin     *ldap.Conn
	plain     string // host:port
	encrypted string // host:port
	caFile    string
}

// permissions are those in docs/connectors/ldap.md.
const permissions = `
access to dn.subtree="ou=groups,dc=example,dc=org" attrs=member,uniqueMember,memberUid
  by dn.exact="uid=accessbot,ou=people,dc=example,dc=org" write
  by users read
access to attrs=userPassword
  by anonymous auth
access to *
  by users read
limits dn.exact="uid=accessbot,ou=people,dc=example,dc=org" size.prtotal=unlimited
`

// slapdPath returns the path of slapd. Without it, the test fails or is skipped.
func slapdPath(t *testing.T) string {
	t.Helper()
	path, set := os.LookupEnv("TEST_SLAPD")
	if set && path == "" {
		t.Skip("NOT TESTED: LDAP groups: slapd is not installed")
	}
	candidates := []string{"slapd", "/usr/sbin/slapd"}
	if set {
		candidates = []string{path}
	}
	for _, candidate := range candidates {
		if found, err := exec.LookPath(candidate); err == nil {
			return found
		}
	}
	t.Fatalf(
		"slapd not found at %q: run ./temporal-dev.sh test, or install OpenLDAP's server and set TEST_SLAPD to its path",
		candidates,
	)
	return ""
}

// newServer starts a slapd without people and groups.
func newServer(t *testing.T, withTLS bool) *server {
	t.Helper()
	program, dir := slapdPath(t), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	s := &server{}
	var config strings.Builder
	schemas := firstDir(
		t,
		"/etc/ldap/schema",
		"/etc/openldap/schema",
		"/opt/homebrew/etc/openldap/schema",
		"/usr/local/etc/openldap/schema",
	)
	for _, schema := range []string{"core", "cosine", "nis", "inetorgperson"} {
		fmt.Fprintf(&config, "include %s/%s.schema\n", schemas, schema)
	}
	if modules := "/usr/lib/ldap"; exists(filepath.Join(modules, "back_mdb.la")) { // a module on Debian
		fmt.Fprintf(&config, "modulepath %s\nmoduleload back_mdb\n", modules)
	}
	if withTLS {
		s.caFile = filepath.Join(dir, "cert.pem")
		makeCertificate(t, s.caFile, filepath.Join(dir, "key.pem"))
		fmt.Fprintf(
			&config,
			"TLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSCACertificateFile %s\n",
			s.caFile,
			filepath.Join(dir, "key.pem"),
			s.caFile,
		)
	}
	fmt.Fprintf(
		&config,
		"database mdb\nsuffix %q\nrootdn %q\nrootpw %q\ndirectory %s\nmaxsize 67108864\ndbnosync\nindex mail,cn,uid eq\n%s",
		suffix,
		adminDN,
		testPassword,
		filepath.Join(dir, "data"),
		permissions,
	)
	file := filepath.Join(dir, "slapd.conf")
	require.NoError(t, os.WriteFile(file, []byte(config.String()), 0o600))
	s.run(t, program, file, withTLS)
	s.fill(t)
	return s
}

// run starts slapd. If its ports are taken by then, it tries others.
func (s *server) run(t *testing.T, program, config string, withTLS bool) {
	t.Helper()
	var output bytes.Buffer
	for range 3 {
		s.plain, s.encrypted = freeAddr(t), freeAddr(t)
		listen := "ldap://" + s.plain
		if withTLS {
			listen += " ldaps://" + s.encrypted
		}
		output.Reset()
		slapd := exec.Command(program, "-f", config, "-h", listen, "-d", "0") // with -d it stays in the foreground
		slapd.Stdout, slapd.Stderr = &output, &output
		require.NoError(t, slapd.Start())
		ended := make(chan struct{})
		go func() {
			_ = slapd.Wait() // errors are in its output
			close(ended)
		}()
		if s.waitUntilReady(ended) {
			t.Cleanup(func() {
				_ = s.admin.Close() // so that slapd does not wait for it
				require.NoError(t, slapd.Process.Signal(os.Interrupt))
				<-ended
			})
			return
		}
		_ = slapd.Process.Kill() // it may have ended already
		<-ended
	}
	require.Fail(t, "slapd does not start", output.String())
}

// waitUntilReady waits until the administrator can log in.
func (s *server) waitUntilReady(ended <-chan struct{}) bool {
	timeout, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := ldap.DialURL("ldap://" + s.plain); err == nil {
			if conn.Bind(adminDN, testPassword) == nil {
				s.admin = conn
				return true
			}
			_ = conn.Close()
		}
		select {
		case <-ended:
			return false
		case <-timeout:
			return false
		case <-tick.C:
		}
	}
}

func (s *server) fill(t *testing.T) {
	t.Helper()
	s.add(t, suffix, "objectClass", "dcObject", "objectClass", "organization", "o", "Example", "dc", "example")
	for _, ou := range []string{"people", "groups"} {
		s.add(t, "ou="+ou+","+suffix, "objectClass", "organizationalUnit", "ou", ou)
	}
	for dn, name := range map[string]string{botDN: "accessbot", limitedDN: "limited", placeholderDN: "placeholder"} {
		s.add(
			t,
			dn,
			"objectClass",
			"inetOrgPerson",
			"cn",
			name,
			"sn",
			name,
			"uid",
			name,
			"mail",
			name+"@example.org",
			"userPassword",
			testPassword,
		)
	}
}

// add adds an entry. attributes are names and values in turn.
func (s *server) add(t *testing.T, dn string, attributes ...string) {
	t.Helper()
	values := map[string][]string{}
	for i := 0; i < len(attributes); i += 2 {
		values[attributes[i]] = append(values[attributes[i]], attributes[i+1])
	}
	request := ldap.NewAddRequest(dn, nil)
	for name, all := range values {
		request.Attribute(name, all)
	}
	require.NoError(t, s.admin.Add(request), dn)
}

func (s *server) delete(t *testing.T, dn string) {
	t.Helper()
	err := s.admin.Del(ldap.NewDelRequest(dn, nil))
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		require.NoError(t, err, dn)
	}
}

// find returns the entries that match, with all attributes.
func (s *server) find(t *testing.T, filter string) []*ldap.Entry {
	t.Helper()
	found, err := s.admin.Search(
		ldap.NewSearchRequest(suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, nil, nil),
	)
	require.NoError(t, err, filter)
	return found.Entries
}

func firstDir(t *testing.T, candidates ...string) string {
	t.Helper()
	for _, candidate := range candidates {
		if exists(candidate) {
			return candidate
		}
	}
	require.Fail(t, "OpenLDAP schemas not found", candidates)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// makeCertificate writes a self-signed certificate for 127.0.0.1.
func makeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test slapd"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}
