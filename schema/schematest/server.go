package schematest

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Server is a PostgreSQL server for one test, which may stop it.
type Server struct {
	URL string // of the superuser, for the database postgres

	t       testing.TB
	process *exec.Cmd
}

// StartServer creates a cluster with the programs in TEST_PG_BIN, and runs a server until the test ends.
func StartServer(t testing.TB) *Server {
	t.Helper()
	programs := os.Getenv("TEST_PG_BIN")
	if programs == "" {
		t.Fatal("TEST_PG_BIN is not set: run ./temporal-dev.sh test, or set it to the directory of PostgreSQL's initdb and postgres")
	}
	parent := os.TempDir()
	if os.Geteuid() == 0 {
		parent = "/var/tmp" // PostgreSQL does not run as root, and its user may not be able to read our directories
	}
	dir, err := os.MkdirTemp(parent, "accessbot-postgresql.") //nolint:usetesting // only our user can read t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary directory
	data, as := filepath.Join(dir, "data"), owner(t, dir)
	initdb := exec.Command(filepath.Join(programs, "initdb"), "--pgdata="+data, "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	s := &Server{t: t, URL: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)}
	s.process = exec.Command(filepath.Join(programs, "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=150")
	s.process.Dir, s.process.SysProcAttr = dir, as
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Continue()
		_ = s.process.Process.Signal(syscall.SIGQUIT) // ends at once; the data is deleted
		_ = s.process.Wait()                          // reports the signal
	})
	db, err := sqlx.Open("postgres", s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); db.Ping() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("PostgreSQL did not start within a minute")
		}
		<-time.After(50 * time.Millisecond)
	}
	return s
}

// owner makes PostgreSQL's user the owner of dir, and returns how to run a process as that user; nil: as our own.
func owner(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// Stop pauses every process of the server, as on a frozen machine: the kernel still accepts connections and data, but nothing
// answers.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue resumes them.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

// signal sends sig to all processes. The postmaster is first, so that it starts no more; each has a process group of its own.
func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	postmaster := s.process.Process.Pid
	for _, pid := range append([]int{postmaster}, children(postmaster)...) {
		if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
			s.t.Error(err)
		}
	}
}

// children reads the child processes from Linux's /proc.
func children(parent int) (pids []int) {
	stats, _ := fs.Glob(os.DirFS("/proc"), "[0-9]*/stat") // only fails for a malformed pattern
	for _, name := range stats {
		stat, err := os.ReadFile("/proc/" + name)
		if err != nil {
			continue // the process has ended
		}
		// "pid (name) state ppid ...", and the name may contain any character.
		_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
		fields := strings.Fields(after)
		if pid, err := strconv.Atoi(filepath.Dir(name)); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}
