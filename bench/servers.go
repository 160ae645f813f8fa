package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postfix is Postfix in a private folder. It puts everything on hold, so that
// it only accepts, as the companion does here.
type postfix struct {
	dir, address string
	master       int
}

const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.invalid
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_recipient_restrictions = permit_mynetworks, reject
message_size_limit = 200000000
maillog_file = %[1]s/log/mail.log
maillog_file_prefixes = %[1]s
smtpd_client_connection_count_limit = 0
smtputf8_enable = no
`

const masterCF = `%s inet n - n - 200 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
`

// overTLS lets Postfix speak TLS from the first byte, as the relay's port 465
// does.
const overTLS = `smtpd_tls_wrappermode = yes
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = %[1]s/conf/chain.pem
`

// startPostfix starts it with more settings for main.cf.
func startPostfix(ctx context.Context, dir, more string) (*postfix, error) {
	for _, d := range []string{"conf", "queue", "data", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	// Postfix's own users must reach the folder.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("chown: %w: %s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	files := map[string]string{"main.cf": fmt.Sprintf(mainCF+more, dir), "master.cf": fmt.Sprintf(masterCF, address)}
	if more == overTLS {
		if files["chain.pem"], err = chain(); err != nil {
			return nil, err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "conf", name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, "postfix", "-c", filepath.Join(dir, "conf"), "start").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start postfix: %w: %s", err, out)
	}
	p := &postfix{dir: dir, address: address}
	text, err := os.ReadFile(filepath.Join(dir, "queue/pid/master.pid"))
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	if p.master, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, waitFor(address)
}

func (p *postfix) addr() string       { return p.address }
func (p *postfix) cpu() time.Duration { return treeCPU(p.master) }
func (p *postfix) memory() int        { return treePSS(p.master) }

func (p *postfix) reset() error {
	held, err := filepath.Glob(filepath.Join(p.dir, "queue", "hold", "*"))
	for _, f := range held {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return err
}

func (p *postfix) stop() error {
	return exec.Command("postfix", "-c", filepath.Join(p.dir, "conf"), "stop").Run()
}

func (p *postfix) close() {
	if err := p.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop postfix:", err)
	}
}

// companion is the built companionctl with a relay that does not answer.
type companion struct {
	*program
	bin, dir string
}

const companionTOML = `[[account]]
name = "bench"
user = "bench"
credential = "file:%s/password"
endpoints = ["starttls://127.0.0.1:1"]
[listen]
addresses = ["127.0.0.1:0"]
auth = "off"
`

func startCompanion(ctx context.Context, bin, dir string) (*companion, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("x"), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "companion.toml"), fmt.Appendf(nil, companionTOML, dir), 0o600); err != nil {
		return nil, err
	}
	c := &companion{bin: bin, dir: dir}
	return c, c.start(ctx)
}

func (c *companion) start(ctx context.Context) (err error) {
	c.program, err = start(ctx, c.dir, filepath.Join(c.bin, "companionctl"), "--data", filepath.Join(c.dir, "data"), "--config", filepath.Join(c.dir, "companion.toml"), "run")
	return err
}

func (c *companion) cpu() time.Duration { return treeCPU(c.cmd.Process.Pid) }
func (c *companion) memory() int        { return treePSS(c.cmd.Process.Pid) }

// reset starts again with an empty spool.
func (c *companion) reset() error {
	c.close()
	if err := os.RemoveAll(filepath.Join(c.dir, "data")); err != nil {
		return err
	}
	return c.start(context.Background())
}

// close ends it; how it ends says nothing about the figures.
func (c *companion) close() { c.stop() }

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func waitFor(address string) error {
	for range 200 {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing answers at %s", address)
}

// chain is a key and a certificate for it, as PEM.
func chain() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})), nil
}
