package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"servicesmtp.net/companion/server/api"
)

const password = "secret-of-alice"

func addAlice(p place) {
	p.t.Helper()
	p.must(password+"\n", "account", "add", "alice", "--plan", "standard", "--email", "alice@example.com", "--password-stdin")
}

// submit sends one message of alice's over SMTP and tells how it ended.
func submit(p place, address string, implicit bool, secret string) error {
	p.t.Helper()
	return submitAs(p, address, implicit, "alice", secret)
}

// submitAs sends one message of an account to three recipients.
func submitAs(p place, address string, implicit bool, user, secret string) error {
	p.t.Helper()
	conf := p.trust()
	var conn net.Conn
	var err error
	if implicit {
		conn, err = tls.Dial("tcp", address, conf)
	} else {
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "localhost")
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	if !implicit {
		if err := c.StartTLS(conf); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := c.Auth(smtp.PlainAuth("", user, secret, "localhost")); err != nil {
		return err
	}
	if err := c.Mail("news@example.com"); err != nil {
		return err
	}
	for _, to := range lines("user%d@example.org", 3) {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "Subject: hello\r\n\r\nbody\r\n"); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// call asks the API.
func call[T any](p place, r *process, method, path, body string, sign func(*http.Request)) (int, T) {
	p.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.trust(), ForceAttemptHTTP2: true}, Timeout: 2 * time.Minute}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest(method, "https://"+r.ready.API+"/v1"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	sign(req)
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var v T
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, v
}

func token(p place, r *process) func(*http.Request) {
	p.t.Helper()
	status, d := call[api.Device](p, r, "POST", "/devices", `{"name":"pc"}`, func(req *http.Request) { req.SetBasicAuth("alice", password) })
	if status != http.StatusCreated {
		p.t.Fatalf("device: %d", status)
	}
	return func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+d.Token) }
}

// TestFromAccountToMaildir is the whole way: an account made while the relay
// serves logs in at once, hands in mail on both kinds of port, and sees in the
// API what became of it; a restart forgets nothing.
func TestFromAccountToMaildir(t *testing.T) {
	p := newPlace(t)
	r := p.serve()
	golden(t, "ready.json", strings.ReplaceAll(r.line, p.data, "DATA"))
	addAlice(p)
	for i, address := range r.ready.SMTP {
		if err := submit(p, address, i == 1, "wrong-"+password); err == nil || !strings.HasPrefix(err.Error(), "535") {
			t.Errorf("wrong password: %v", err)
		}
		if err := submit(p, address, i == 1, password); err != nil {
			t.Errorf("submit to port %d: %v", i, err)
		}
	}
	sign := token(p, r)
	seen, cursor := 0, ""
	for seen < 6 {
		_, e := call[api.Events](p, r, "GET", "/events?wait=60&cursor="+cursor, "", sign)
		if len(e.Events) == 0 {
			t.Fatal("no event within a minute")
		}
		for _, ev := range e.Events {
			if ev.Status != "delivered" {
				t.Errorf("event %+v", ev)
			}
		}
		seen, cursor = seen+len(e.Events), e.Cursor
	}
	if _, u := call[api.Usage](p, r, "GET", "/usage", "", sign); u.Emails != 6 {
		t.Errorf("usage %+v", u)
	}
	_, at := call[api.Endpoints](p, r, "GET", "/endpoints", "", sign)
	if len(at.Endpoints) != 2 || at.Endpoints[0].TLS != "starttls" || at.Endpoints[1].TLS != "tls" ||
		fmt.Sprintf("127.0.0.1:%d", at.Endpoints[1].Port) != r.ready.SMTP[1] || at.Endpoints[0].Store == "" {
		t.Errorf("endpoints %+v", at)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(p.config), "out", "new", "*")); err != nil || len(files) != 6 {
		t.Errorf("%d files in the maildir, %v", len(files), err)
	}
	if code, printed := r.end(syscall.SIGTERM); code != exitDone || printed != "" {
		t.Errorf("SIGTERM: code %d, printed %q\n%s", code, printed, r.log)
	}
	for _, secret := range []string{password, "alice", "example", "127.0.0.1"} {
		if bytes.Contains(r.log.Bytes(), []byte(secret)) {
			t.Errorf("the log tells %q:\n%s", secret, r.log)
		}
	}

	r = p.serve()
	if status, e := call[api.Events](p, r, "GET", "/events?cursor="+cursor, "", sign); status != http.StatusOK || len(e.Events) != 0 || e.Cursor != cursor {
		t.Errorf("after a restart: %d %+v", status, e)
	}
	p.must("", "account", "set-password", "alice")
	if status, _ := call[any](p, r, "GET", "/account", "", sign); status != http.StatusUnauthorized {
		t.Errorf("token after a new password: %d", status)
	}
	if err := submit(p, r.ready.SMTP[0], false, password); err == nil || !strings.HasPrefix(err.Error(), "535") {
		t.Errorf("old password: %v", err)
	}
	if code, _ := r.end(syscall.SIGINT); code != exitDone {
		t.Errorf("SIGINT: code %d", code)
	}
}

// TestMessageInHandAtStopGetsItsAnswer sends SIGTERM in the middle of a
// message: it is accepted, and delivered by the next start at the latest.
func TestMessageInHandAtStopGetsItsAnswer(t *testing.T) {
	p := newPlace(t)
	addAlice(p)
	r := p.serve()
	conn, err := tls.Dial("tcp", r.ready.SMTP[1], p.trust())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := textproto.NewConn(conn)
	say := func(code int, format string, args ...any) {
		t.Helper()
		if format != "" {
			if err := text.PrintfLine(format, args...); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := text.ReadResponse(code); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
	}
	say(220, "")
	say(250, "EHLO localhost")
	say(235, "AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+password)))
	say(250, "MAIL FROM:<a@example.com>")
	say(250, "RCPT TO:<b@example.org>")
	say(354, "DATA")
	if err := text.PrintfLine("Subject: in hand\r\n\r\nfirst half"); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until the relay is stopping
		c, err := net.Dial("tcp", r.ready.SMTP[0])
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(time.Millisecond)
	}
	say(250, "second half\r\n.")
	if code, _ := r.finish(); code != exitDone {
		t.Errorf("code %d\n%s", code, r.log)
	}
	r = p.serve()
	sign := token(p, r)
	if _, e := call[api.Events](p, r, "GET", "/events?wait=60", "", sign); len(e.Events) != 1 || e.Events[0].Status != "delivered" {
		t.Errorf("events %+v", e)
	}
	if code, _ := r.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("code %d\n%s", code, r.log)
	}
}

// TestOneRelayForAFolder also after one was killed in the middle.
func TestOneRelayForAFolder(t *testing.T) {
	p := newPlace(t)
	r := p.serve()
	if second := p.command("", "serve"); second.code != exitFailed || !strings.Contains(second.stderr, "in use") || second.stdout != "" {
		t.Errorf("second relay: %+v", second)
	}
	addAlice(p) // the first one is unharmed
	r.end(syscall.SIGKILL)
	if _, err := os.Stat(filepath.Join(p.data, controlFile)); err != nil {
		t.Errorf("the socket should have been left: %v", err)
	}
	if out := p.must("", "account", "list"); !strings.Contains(out, "alice") {
		t.Errorf("after kill -9: %q", out)
	}
	r = p.serve()
	if out := p.must("", "account", "list"); !strings.Contains(out, "alice") {
		t.Errorf("after the restart: %q", out)
	}
	if code, _ := r.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("code %d\n%s", code, r.log)
	}
	if _, err := os.Stat(filepath.Join(p.data, controlFile)); err == nil {
		t.Error("the socket is still there")
	}
}

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ name, settings, say string }{
		{"unknown key", settings + "speed = 3\n", "delivery.speed"},
		{"acme", settings + "[tls]\nmode = \"acme\"\n", "not in this version"},
		{"PostgreSQL", settings + "[store]\ndsn = \"postgres://x\"\n", "store.dsn"},
		{"missing certificate", settings + "[tls]\nmode = \"files\"\ncert = \"c.pem\"\nkey = \"k.pem\"\n", "c.pem"},
		{"port of the API taken", strings.Replace(settings, "[api]\nlisten = \"127.0.0.1:0\"", "[api]\nlisten = \""+taken.Addr().String()+"\"", 1), "listen for the API"},
		{"port for mail taken", strings.Replace(settings, "tls = [\"127.0.0.1:0\"]", "tls = [\""+taken.Addr().String()+"\"]", 1), "in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			if err := os.WriteFile(p.config, []byte(c.settings), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := p.command("", "serve"); r.code != exitFailed || !strings.Contains(r.stderr, c.say) || r.stdout != "" {
				t.Errorf("%+v, want %q", r, c.say)
			}
		})
	}
	p := newPlace(t)
	if err := os.Remove(p.config); err != nil {
		t.Fatal(err)
	}
	if r := p.command("", "serve"); r.code != exitFailed || !strings.Contains(r.stderr, "read settings") {
		t.Errorf("missing settings: %+v", r)
	}
}

func TestDataFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", `C:\home\a`)
	}
	t.Setenv("HOME", "/home/a")
	for _, c := range []struct{ name, flag, state, xdg, want string }{
		{"flag", "/x", "/s", "/d", "/x"},
		{"systemd", "", "/s:/t", "/d", "/s"},
		{"XDG", "", "", "/d", "/d/servicesmtp-relay"},
		{"relative XDG is ignored", "", "", "d", "/home/a/.local/share/servicesmtp-relay"},
		{"home", "", "", "", "/home/a/.local/share/servicesmtp-relay"},
	} {
		t.Setenv("STATE_DIRECTORY", c.state)
		t.Setenv("XDG_DATA_HOME", c.xdg)
		if got, err := dataFolder(c.flag); err != nil || (runtime.GOOS != "windows" && got != c.want) {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}
