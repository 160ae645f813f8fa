package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"servicesmtp.net/companion/server/api"
)

const httpsJob = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// TestOneAcceptanceOverBothWays hands in every batch many times, over SMTP and
// HTTPS, one after the other and at once, with recipients in any order and
// domains in any case: each is accepted, charged and kept once.
func TestOneAcceptanceOverBothWays(t *testing.T) {
	p := newPlace(t)
	addAlice(p)
	r := p.serve()
	web := newCaller(p, r, token(p, r))
	const batches, ways = 12, 3
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var mail []mailer
	for range ways {
		mail = append(mail, newMailer(p, r))
	}
	later := time.Now().Add(time.Hour)
	recipients := 0
	for n := 1; n <= batches; n++ {
		size := []int{10, 300_000}[n%2]
		content := []byte(fmt.Sprintf("Subject: %d\r\nBcc: hidden@example.com\r\n\r\n.dot\r\n%s", n, strings.Repeat(strings.Repeat("x", 70)+"\r\n", size/72+1)))
		web.upload(content, 0)
		b := api.NewBatch{Envid: fmt.Sprintf("sb1.%s.%d", httpsJob, n), From: "news@example.com", Body: digest(content)}
		for i := range 1 + random.IntN(6) {
			b.Recipients = append(b.Recipients, api.NewRecipient{Address: fmt.Sprintf("user%d@d%d.example", i, n)})
			recipients++
		}
		var mu sync.Mutex
		fresh, ids := 0, map[string]int{}
		note := func(way, id string, replayed bool, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("batch %d over %s: %v", n, way, err)
			}
			if ids[id]++; !replayed {
				fresh++
			}
		}
		var steps []func()
		for i := range ways {
			shuffled := b
			shuffled.Recipients = append([]api.NewRecipient(nil), b.Recipients...)
			random.Shuffle(len(shuffled.Recipients), func(i, j int) {
				shuffled.Recipients[i], shuffled.Recipients[j] = shuffled.Recipients[j], shuffled.Recipients[i]
			})
			shuffled.Recipients[0].Address = strings.ReplaceAll(shuffled.Recipients[0].Address, ".example", ".EXAMPLE")
			hour := shuffled
			if random.IntN(2) == 0 {
				hour.NotBefore = &later // no part of what makes a batch the same
			}
			steps = append(steps,
				func() { id, again, err := mail[i].submit(shuffled, content); note("SMTP", id, again, err) },
				func() { id, again, err := web.submit(hour); note("HTTPS", id, again, err) })
		}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		if random.IntN(3) == 0 {
			for _, step := range steps {
				step()
			}
		} else {
			var all sync.WaitGroup
			for _, step := range steps {
				all.Go(step)
			}
			all.Wait()
		}
		if fresh != 1 || len(ids) != 1 {
			t.Errorf("batch %d: %d acceptances, ids %v", n, fresh, ids)
		}
	}
	status, q := call[api.Quota](p, r, "GET", "/quota", "", web.token)
	if status != 200 || q.EmailsUsed != int64(recipients) {
		t.Errorf("%d e-mails counted, want %d", q.EmailsUsed, recipients)
	}
	if _, j := call[api.Job](p, r, "GET", "/jobs/"+httpsJob, "", web.token); len(j.Batches) != batches {
		t.Errorf("%d batches, want %d", len(j.Batches), batches)
	}
	if code, _ := r.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("exit %d", code)
	}
	st := p.open()
	defer st.Close()
	var messages int
	if err := st.Reader().QueryRow(`SELECT count(*) FROM messages`).Scan(&messages); err != nil || messages != batches {
		t.Errorf("%d messages, want %d, %v", messages, batches, err)
	}
}

// TestKillDuringUpload kills the relay while an upload runs, again and again:
// it goes on where it was, and what comes out is the whole message.
func TestKillDuringUpload(t *testing.T) {
	p := newPlace(t)
	addAlice(p)
	content := []byte("Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 40_000))
	sum := digest(content)
	r := p.serve()
	sign := token(p, r)
	at, resumed := 0, 0
	for round := 1; round <= 3; round++ {
		web := newCaller(p, r, sign)
		pipe, feed := io.Pipe()
		ended := make(chan error, 1)
		from := at
		go func() {
			_, _, err := web.do("PUT", "/bodies/"+sum, map[string]string{"Upload-Offset": fmt.Sprint(from), "Upload-Length": fmt.Sprint(len(content))},
				pipe, int64(len(content)-from))
			pipe.CloseWithError(io.ErrClosedPipe)
			ended <- err
		}()
		sent, err := feed.Write(content[from : from+600_000])
		if err != nil {
			t.Fatal(err)
		}
		for at < from+200_000 { // until much of it is there
			time.Sleep(20 * time.Millisecond)
			at = web.offset(sum)
		}
		if code, _ := r.end(syscall.SIGKILL); code == exitDone {
			t.Fatal("the relay was not killed")
		}
		feed.CloseWithError(io.ErrClosedPipe)
		if err := <-ended; err == nil {
			t.Fatal("an upload to a dead relay ended well")
		}
		r = p.serve()
		at = newCaller(p, r, sign).offset(sum)
		if at < from+200_000 || at > from+sent {
			t.Fatalf("round %d: %d bytes are there, %d were, %d were sent", round, at, from+200_000, from+sent)
		}
		resumed++
	}
	web := newCaller(p, r, sign)
	web.upload(content, at)
	b := api.NewBatch{Envid: "sb1." + httpsJob + ".1", From: "news@example.com", Body: sum, Recipients: []api.NewRecipient{{Address: "anna@example.net"}}}
	if _, again, err := web.submit(b); err != nil || again {
		t.Fatalf("submit: %v %v", again, err)
	}
	delivered := p.wait("out")
	if !bytes.HasSuffix(delivered, content) {
		t.Errorf("%d bytes were delivered, %d uploaded", len(delivered), len(content))
	}
	if code, _ := r.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("exit %d", code)
	}
	t.Logf("went on %d times, last at %d of %d", resumed, at, len(content))
}

func (c *caller) offset(sum string) int {
	c.p.t.Helper()
	resp, _, err := c.do("HEAD", "/bodies/"+sum, nil, nil, 0)
	if err != nil {
		c.p.t.Fatal(err)
	}
	n := 0
	fmt.Sscan(resp.Header.Get("Upload-Offset"), &n)
	return n
}

// wait reads the one message that comes into the maildir.
func (p place) wait(folder string) []byte {
	p.t.Helper()
	pattern := filepath.Join(filepath.Dir(p.config), folder, "*", "new", "*")
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, try := range []string{pattern, filepath.Join(filepath.Dir(p.config), folder, "new", "*")} {
			if found, _ := filepath.Glob(try); len(found) == 1 {
				text, err := os.ReadFile(found[0])
				if err != nil {
					p.t.Fatal(err)
				}
				return text
			}
		}
	}
	p.t.Fatal("no message came")
	return nil
}

// TestNotBeforeLeavesThen holds that mail leaves when its hour comes, and not
// when a sweep happens to find it.
func TestNotBeforeLeavesThen(t *testing.T) {
	p := newPlace(t)
	addAlice(p)
	r := p.serve()
	web := newCaller(p, r, token(p, r))
	content := []byte("Subject: later\r\n\r\nlater\r\n")
	web.upload(content, 0)
	hour := time.Now().Add(3 * time.Second)
	b := api.NewBatch{Envid: "sb1." + httpsJob + ".1", From: "news@example.com", Body: digest(content), NotBefore: &hour,
		Recipients: []api.NewRecipient{{Address: "anna@example.net"}}}
	id, _, err := web.submit(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, m := call[api.Message](p, r, "GET", "/messages/"+id, "", web.token); m.Recipients[0].Status != "queued" && time.Now().Before(hour) {
		t.Errorf("before its hour: %+v", m)
	}
	p.wait("out")
	if late := time.Since(hour); late < 0 || late > 20*time.Second {
		t.Errorf("it left %s after its hour", late)
	}
	r.end(syscall.SIGTERM)
}

// TestKillDuringSubmission kills the relay at any moment of a call of many
// batches and makes the same call again: every batch is accepted once.
func TestKillDuringSubmission(t *testing.T) {
	p := newPlace(t)
	addAlice(p)
	r := p.serve()
	sign := token(p, r)
	content := []byte("Subject: many\r\n\r\n" + strings.Repeat(strings.Repeat("y", 70)+"\r\n", 5000))
	newCaller(p, r, sign).upload(content, 0)
	const rounds, batches, recipients = 6, 60, 3
	answered, random := 0, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	for round := range rounds {
		var all api.Submission
		for n := range batches {
			b := api.NewBatch{Envid: fmt.Sprintf("sb1.%s.%d", httpsJob, round*batches+n+1), From: "news@example.com", Body: digest(content)}
			for i := range recipients {
				b.Recipients = append(b.Recipients, api.NewRecipient{Address: fmt.Sprintf("user%d@d%d.example", i, n%7)})
			}
			all.Batches = append(all.Batches, b)
		}
		body, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		send := func(c *caller) (s api.Submitted, err error) {
			_, text, err := c.do("POST", "/submissions", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)))
			if err == nil {
				err = json.Unmarshal(text, &s)
			}
			return s, err
		}
		first := make(chan api.Submitted, 1)
		web := newCaller(p, r, sign)
		go func() {
			s, _ := send(web)
			first <- s
		}()
		time.Sleep(time.Duration(random.IntN(25)) * time.Millisecond)
		r.end(syscall.SIGKILL)
		before := <-first
		r = p.serve()
		after, err := send(newCaller(p, r, sign))
		if err != nil || len(after.Batches) != batches {
			t.Fatalf("round %d: %v, %d answers", round, err, len(after.Batches))
		}
		for i, b := range after.Batches {
			if b.State != "accepted" {
				t.Errorf("round %d: %+v", round, b)
			}
			if b.Replayed {
				answered++
			}
			if len(before.Batches) == batches && before.Batches[i].State == "accepted" && before.Batches[i].ID != b.ID {
				t.Errorf("round %d: %s was accepted as %s and as %s", round, b.Envid, before.Batches[i].ID, b.ID)
			}
		}
	}
	t.Logf("%d of %d batches had been accepted when the relay was killed", answered, rounds*batches)
	r.end(syscall.SIGTERM)
	st := p.open()
	defer st.Close()
	for query, want := range map[string]int{`SELECT count(*) FROM messages`: rounds * batches, `SELECT count(*) FROM deliveries`: rounds * batches * recipients,
		`SELECT sum(emails) FROM usage_periods`: rounds * batches * recipients, `SELECT count(*) FROM bodies`: 1} {
		var got int
		if err := st.Reader().QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %d, want %d, %v", query, got, want, err)
		}
	}
}
