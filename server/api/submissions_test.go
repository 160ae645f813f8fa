package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"
)

func batchOf(n int, sum string, to ...string) NewBatch {
	b := NewBatch{Envid: fmt.Sprintf("sb1.%s.%d", job, n), From: "news@example.com", Body: sum}
	for _, a := range to {
		b.Recipients = append(b.Recipients, NewRecipient{Address: a})
	}
	return b
}

// submit hands in batches and wants 200.
func (r *relay) submit(token string, batches ...NewBatch) []SubmittedBatch {
	r.t.Helper()
	body, err := json.Marshal(Submission{Batches: batches})
	if err != nil {
		r.t.Fatal(err)
	}
	resp, text := r.do("POST", "/submissions", string(body), bearer(token))
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("submit: %d %s", resp.StatusCode, text)
	}
	return decodeTo[Submitted](r.t, text).Batches
}

func (r *relay) count(query string, args ...any) (n int64) {
	r.t.Helper()
	if err := r.store.Reader().QueryRow(query, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestSubmit(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	a := r.addAccount("alice")
	token := r.token("alice")
	for _, size := range []int{1000, 400_000} { // in the database, in a file
		content := letter(size)
		sum := r.upload(token, content)
		b := batchOf(size, sum, "anna@example.net", "bert@example.org", "anna@EXAMPLE.net")
		b.Recipients[0].Notify, b.Recipients[0].Original, b.Return = []string{"SUCCESS", "FAILURE"}, "rfc822;anna@old.example", "HDRS"
		got := r.submit(token, b)[0]
		if got.State != "accepted" || got.Code != 250 || got.Reply != "queued as "+got.ID || len(got.Recipients) != 3 {
			t.Fatalf("%d: %+v", size, got)
		}
		m, err := r.store.Message(t.Context(), got.ID)
		if err != nil {
			t.Fatal(err)
		}
		if m.Return != "HDRS" || !strings.HasPrefix(m.Received, "Received: by relay.example with HTTPS id "+got.ID+";\r\n\t") || m.From != b.From || m.EightBit {
			t.Errorf("%d: message %+v", size, m)
		}
		stored, _, err := r.store.OpenBody(t.Context(), a.ID, m.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(stored)
		stored.Close()
		if want := strings.Replace(string(content), "Bcc: secret@example.com\r\n", "", 1); string(text) != want {
			t.Errorf("%d: the stored content is not the uploaded without Bcc", size)
		}
		if n := r.count(`SELECT count(*) FROM deliveries WHERE message_id = $1`, got.ID); n != 2 {
			t.Errorf("%d: %d recipients", size, n)
		}
		if n := r.count(`SELECT count(*) FROM deliveries WHERE message_id = $1 AND notify = 'SUCCESS,FAILURE' AND orcpt = 'rfc822;anna@old.example'`, got.ID); n != 1 {
			t.Errorf("%d: NOTIFY and ORCPT are lost", size)
		}
		again := r.submit(token, b)[0]
		if again.ID != got.ID || !again.Replayed || !strings.HasSuffix(again.Reply, "(replayed)") {
			t.Errorf("%d: again %+v", size, again)
		}
		// The same after the upload is gone, and in whatever spelling of order.
		r.do(http.MethodDelete, "/bodies/"+sum, "", bearer(token))
		b.Recipients[0], b.Recipients[1] = b.Recipients[1], b.Recipients[0]
		if again = r.submit(token, b)[0]; again.ID != got.ID || !again.Replayed {
			t.Errorf("%d: without body %+v", size, again)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "uploads", "*", "*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSubmitAnswersEachBatch(t *testing.T) {
	r := start(t, t.TempDir())
	a := r.addAccount("alice")
	token := r.token("alice")
	sum, bare := r.upload(token, letter(2000)), r.upload(token, []byte("Subject: x\n\nbare\n"))
	long := r.upload(token, []byte("Subject: x\r\n\r\n"+strings.Repeat("y", 1_000_001)+"\r\n"))
	r.do("POST", "/batches/close", envids("sb1."+job+".3"), bearer(token))
	r.submit(token, batchOf(4, sum, "first@example.net"))
	utf8 := batchOf(7, sum, "zoë@example.net", "ok@example.net")
	alone := batchOf(8, sum, "zoë@example.net")
	before := r.count(`SELECT count(*) FROM messages`)
	got := r.submit(token, batchOf(1, sum, "a@example.net"), batchOf(2, hashOf([]byte("nowhere")), "a@example.net"), batchOf(3, sum, "a@example.net"),
		batchOf(4, sum, "other@example.net"), batchOf(5, bare, "a@example.net"), batchOf(6, long, "a@example.net"), utf8, alone)
	for i, want := range []struct {
		state string
		code  int
		reply string
	}{
		{"accepted", 250, "queued as "}, {"no_body", 451, "The body"}, {"refused", 554, "SSMTP-CLOSED"}, {"refused", 554, "SSMTP-CONFLICT"},
		{"refused", 554, "The message has a line end"}, {"refused", 554, "The message has a line of more"}, {"accepted", 250, "queued as "},
		{"refused", 554, "No recipient"},
	} {
		if g := got[i]; g.State != want.state || g.Code != want.code || !strings.HasPrefix(g.Reply, want.reply) {
			t.Errorf("batch %d: got %+v, want %+v", i+1, g, want)
		}
	}
	if d := got[6].Recipients; len(d) != 2 || d[0].Code != 553 || d[1].Code != 250 {
		t.Errorf("decisions %+v", d)
	}
	if n := r.count(`SELECT count(*) FROM messages`) - before; n != 2 {
		t.Errorf("%d messages were accepted, want 2", n)
	}
	if _, err := r.store.Writer().Exec(`UPDATE accounts SET status = 'blocked' WHERE id = $1`, a.ID); err != nil {
		t.Fatal(err)
	}
	if g := r.submit(token, batchOf(9, sum, "a@example.net"))[0]; g.State != "refused" || !strings.HasPrefix(g.Reply, "SSMTP-BLOCKED") {
		t.Errorf("blocked: %+v", g)
	}
	if g := r.submit(token, batchOf(1, sum, "a@example.net"))[0]; g.ID != got[0].ID || !g.Replayed {
		t.Errorf("a replay of a blocked account: %+v", g)
	}
}

func TestSubmitRefusesForm(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	sum := hashOf([]byte("x"))
	late := time.Now().Add(31 * 24 * time.Hour)
	many := batchOf(1, sum)
	for i := range 51 {
		many.Recipients = append(many.Recipients, NewRecipient{Address: fmt.Sprintf("a%d@x", i)})
	}
	change := func(f func(*NewBatch)) NewBatch {
		b := batchOf(1, sum, "a@example.net")
		f(&b)
		return b
	}
	for name, b := range map[string]NewBatch{
		"no recipient": batchOf(1, sum), "51 recipients": many,
		"no key":         change(func(b *NewBatch) { b.Envid = "QQ314" }),
		"no hash":        change(func(b *NewBatch) { b.Body = "x" }),
		"no address":     change(func(b *NewBatch) { b.Recipients[0].Address = "anna" }),
		"line end":       change(func(b *NewBatch) { b.Recipients[0].Address = "anna@x\r\nDATA" }),
		"bracket":        change(func(b *NewBatch) { b.Recipients[0].Address = "a@x> NOTIFY=NEVER" }),
		"from":           change(func(b *NewBatch) { b.From = "a b@c d" }),
		"never and more": change(func(b *NewBatch) { b.Recipients[0].Notify = []string{"NEVER", "DELAY"} }),
		"notify":         change(func(b *NewBatch) { b.Recipients[0].Notify = []string{"SOMETIMES"} }),
		"orcpt":          change(func(b *NewBatch) { b.Recipients[0].Original = "anna@x" }),
		"ret":            change(func(b *NewBatch) { b.Return = "HALF" }),
		"31 days":        change(func(b *NewBatch) { b.NotBefore = &late }),
	} {
		body, _ := json.Marshal(Submission{Batches: []NewBatch{b}})
		resp, text := r.do("POST", "/submissions", string(body), bearer(token))
		if resp.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	if n := r.count(`SELECT count(*) FROM envelope_keys`); n != 0 {
		t.Errorf("%d keys", n)
	}
}

func TestNotBeforeAndCancel(t *testing.T) {
	r := start(t, t.TempDir())
	a := r.addAccount("alice")
	token := r.token("alice")
	sum := r.upload(token, letter(1000))
	at := time.Now().Add(3 * 24 * time.Hour).Truncate(time.Second)
	later, now := batchOf(1, sum, "a@example.net", "b@example.net"), batchOf(2, sum, "a@example.net", "b@example.net", "c@example.net")
	later.NotBefore = &at
	got := r.submit(token, later, now)
	if n := r.count(`SELECT count(*) FROM deliveries WHERE message_id = $1 AND next_at = $2 AND created_at = $2`, got[0].ID, store.Micros(at)); n != 2 {
		t.Errorf("%d recipients wait for the hour, want 2", n)
	}
	m := get[Message](r, token, "/messages/"+got[0].ID)
	if len(m.Recipients) != 2 || m.Recipients[0].Status != "queued" || !m.Recipients[0].NextAt.Equal(at) {
		t.Errorf("message %+v", m)
	}
	// Held and released by the operator, it still waits for its hour.
	tx := func(f func(s *store.Store) error) {
		t.Helper()
		if err := f(r.store); err != nil {
			t.Fatal(err)
		}
	}
	tx(func(s *store.Store) error {
		return inTx(t, s, func(tx sqlTx) error { _, err := s.Hold(t.Context(), tx, store.Selection{AccountID: a.ID}); return err })
	})
	tx(func(s *store.Store) error {
		return inTx(t, s, func(tx sqlTx) error {
			_, err := s.Release(t.Context(), tx, store.Selection{AccountID: a.ID}, time.Now())
			return err
		})
	})
	if n := r.count(`SELECT count(*) FROM deliveries WHERE message_id = $1 AND next_at = $2`, got[0].ID, store.Micros(at)); n != 2 {
		t.Errorf("after release %d recipients wait for the hour, want 2", n)
	}
	// Of the other batch one recipient has it, one is under way.
	for to, status := range map[string]string{"a@example.net": "delivered", "b@example.net": "in_data"} {
		if _, err := r.store.Writer().Exec(`UPDATE deliveries SET status = $1 WHERE message_id = $2 AND recipient = $3`, status, got[1].ID, to); err != nil {
			t.Fatal(err)
		}
	}
	keys := []string{later.Envid, now.Envid, "sb1." + job + ".3"}
	for range 2 { // a repetition answers the same
		resp, text := r.do("POST", "/batches/cancel", envids(keys...), bearer(token))
		if resp.StatusCode != 200 {
			t.Fatalf("cancel: %d %s", resp.StatusCode, text)
		}
		c := decodeTo[Cancellations](t, text).Batches
		for i, want := range []CancelledBatch{{keys[0], "cancelled", got[0].ID, 2, 0}, {keys[1], "partly", got[1].ID, 1, 2}, {keys[2], "closed", "", 0, 0}} {
			if c[i] != want {
				t.Errorf("got %+v, want %+v", c[i], want)
			}
		}
	}
	if n := r.count(`SELECT count(*) FROM deliveries WHERE status = 'queued'`); n != 0 {
		t.Errorf("%d recipients still wait", n)
	}
	events := get[Events](r, token, "/events").Events
	if len(events) != 3 || events[0].Status != "cancelled" {
		t.Errorf("events %+v", events)
	}
	if again := r.submit(token, later)[0]; again.ID != got[0].ID || !again.Replayed {
		t.Errorf("a cancelled batch again: %+v", again)
	}
	j := get[Job](r, token, "/jobs/"+job)
	if len(j.Batches) != 3 || j.Batches[0].Recipients["cancelled"] != 2 || j.Batches[1].Recipients["sending"] != 1 || j.Batches[2].State != "closed" {
		t.Errorf("job %+v", j)
	}
	// Another account sees nothing of it.
	r.addAccount("mallory")
	other := r.token("mallory")
	for _, path := range []string{"/messages/" + got[0].ID, "/jobs/" + job} {
		resp, text := r.do("GET", path, "", bearer(other))
		r.wantProblem(resp, text, 404)
	}
}

// TestDamagedUpload holds that a file which a power cut damaged is found
// before anything is accepted.
func TestDamagedUpload(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	a := r.addAccount("alice")
	token := r.token("alice")
	sum := r.upload(token, letter(5000))
	files, err := filepath.Glob(filepath.Join(dir, "uploads", a.ID, sum+"*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files of the upload: %v, %v", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 100), 3000)
	f.Close()
	if got := r.submit(token, batchOf(1, sum, "a@example.net"))[0]; got.State != "no_body" {
		t.Errorf("got %+v", got)
	}
	if at, _ := r.head(token, sum); at != -1 {
		t.Errorf("the damaged upload is kept: %d", at)
	}
	if n := r.count(`SELECT count(*) FROM messages`) + r.count(`SELECT count(*) FROM bodies`); n != 0 {
		t.Errorf("%d rows", n)
	}
}
