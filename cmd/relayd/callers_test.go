package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"servicesmtp.net/companion/server/api"
)

// caller speaks HTTPS with one relay.
type caller struct {
	p     place
	r     *process
	http  *http.Client
	token func(*http.Request)
}

func newCaller(p place, r *process, sign func(*http.Request)) *caller {
	c := &caller{p: p, r: r, token: sign, http: &http.Client{Transport: &http.Transport{TLSClientConfig: p.trust(), ForceAttemptHTTP2: true}, Timeout: time.Minute}}
	p.t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func (c *caller) do(method, path string, header map[string]string, body io.Reader, length int64) (*http.Response, []byte, error) {
	req, err := http.NewRequest(method, "https://"+c.r.ready.API+"/v1"+path, body)
	if err != nil {
		return nil, nil, err
	}
	req.ContentLength = length
	for k, v := range header {
		req.Header.Set(k, v)
	}
	c.token(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, text, err
}

// upload sends a message from an offset on.
func (c *caller) upload(content []byte, offset int) {
	c.p.t.Helper()
	resp, text, err := c.do("PUT", "/bodies/"+digest(content), map[string]string{"Upload-Offset": fmt.Sprint(offset), "Upload-Length": fmt.Sprint(len(content))},
		bytes.NewReader(content[offset:]), int64(len(content)-offset))
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Upload-Complete") != "?1" {
		c.p.t.Fatalf("upload: %v %s", err, text)
	}
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// submit hands in one batch and tells its id, and whether it was there before.
func (c *caller) submit(b api.NewBatch) (id string, replayed bool, err error) {
	body, err := json.Marshal(api.Submission{Batches: []api.NewBatch{b}})
	if err != nil {
		return "", false, err
	}
	resp, text, err := c.do("POST", "/submissions", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return "", false, err
	}
	var s api.Submitted
	if err := json.Unmarshal(text, &s); err != nil || len(s.Batches) != 1 || s.Batches[0].State != "accepted" {
		return "", false, fmt.Errorf("submit: %d %s", resp.StatusCode, text)
	}
	return s.Batches[0].ID, s.Batches[0].Replayed, nil
}

// mailer speaks SMTP with the same relay.
type mailer struct{ *textproto.Conn }

func newMailer(p place, r *process) mailer {
	p.t.Helper()
	conn, err := tls.Dial("tcp", r.ready.SMTP[1], p.trust())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	m := mailer{textproto.NewConn(conn)}
	if _, _, err := m.ReadResponse(220); err != nil {
		p.t.Fatal(err)
	}
	for _, line := range []string{"EHLO localhost", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+password))} {
		if err := m.say(line, 2); err != nil {
			p.t.Fatal(err)
		}
	}
	return m
}

func (m mailer) say(line string, class int) error {
	if err := m.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := m.ReadResponse(class)
	return err
}

func (m mailer) submit(b api.NewBatch, content []byte) (id string, replayed bool, err error) {
	all := []string{"MAIL FROM:<" + b.From + "> ENVID=" + b.Envid}
	for _, r := range b.Recipients {
		all = append(all, "RCPT TO:<"+r.Address+">")
	}
	for _, line := range all {
		if err := m.say(line, 2); err != nil {
			return "", false, err
		}
	}
	if err := m.say("DATA", 3); err != nil {
		return "", false, err
	}
	w := m.W
	if _, err := w.Write(append(bytes.ReplaceAll(content, []byte("\r\n."), []byte("\r\n..")), ".\r\n"...)); err != nil {
		return "", false, err
	}
	if err := w.Flush(); err != nil {
		return "", false, err
	}
	_, text, err := m.ReadResponse(250)
	_, id, _ = strings.Cut(text, "queued as ")
	id, replayed = strings.CutSuffix(id, " (replayed)")
	return id, replayed, err
}
