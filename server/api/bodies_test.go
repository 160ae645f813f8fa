package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"
)

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// letter is a message of about n bytes that differs from every other.
func letter(n int) []byte {
	noise := make([]byte, 16)
	rand.Read(noise)
	text := fmt.Sprintf("From: a@example.com\r\nBcc: secret@example.com\r\nSubject: %x\r\n\r\n", noise)
	line := strings.Repeat("x", 76) + "\r\n"
	return []byte(text + strings.Repeat(line, n/len(line)+1))
}

// put sends a piece; a length of -1 sends it without Content-Length.
func (r *relay) put(token, sum string, offset, whole, length int64, body io.Reader) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPut, r.url+"/bodies/"+sum, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.ContentLength = length
	req.Header.Set("Authorization", "Bearer "+token)
	if offset > 0 {
		req.Header.Set("Upload-Offset", fmt.Sprint(offset))
	}
	if whole > 0 {
		req.Header.Set("Upload-Length", fmt.Sprint(whole))
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

// upload sends a whole message and tells its hash.
func (r *relay) upload(token string, content []byte) string {
	r.t.Helper()
	sum := hashOf(content)
	resp, text := r.put(token, sum, 0, 0, int64(len(content)), bytes.NewReader(content))
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Upload-Complete") != "?1" {
		r.t.Fatalf("upload: %d %s", resp.StatusCode, text)
	}
	return sum
}

// head tells how much is there, or -1.
func (r *relay) head(token, sum string) (offset int64, complete bool) {
	r.t.Helper()
	resp, _ := r.do(http.MethodHead, "/bodies/"+sum, "", bearer(token))
	if resp.StatusCode == http.StatusNotFound {
		return -1, false
	}
	if _, err := fmt.Sscan(resp.Header.Get("Upload-Offset"), &offset); err != nil || resp.StatusCode/100 != 2 {
		r.t.Fatalf("head: %d %v", resp.StatusCode, resp.Header)
	}
	return offset, resp.Header.Get("Upload-Complete") == "?1"
}

func TestUploadInPieces(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	content := letter(600_000)
	sum, size := hashOf(content), int64(len(content))
	if at, _ := r.head(token, sum); at != -1 {
		t.Errorf("before: %d", at)
	}
	for i, cut := range []int64{0, 1, 250_000, 250_000, size} {
		at := max(0, i64(r.head(token, sum)))
		resp, text := r.put(token, sum, at, size, cut-at, bytes.NewReader(content[at:cut]))
		if got := decodeTo[Upload](t, text); resp.StatusCode != 200 || got.Offset != cut || got.Length != size || got.Complete != (cut == size) {
			t.Fatalf("piece %d: %d %s", i, resp.StatusCode, text)
		}
		if cut < size { // a gap is refused, with the place to go on
			resp, text = r.put(token, sum, cut+1, size, 10, bytes.NewReader(content[cut+1:cut+11]))
			if resp.StatusCode != 409 || resp.Header.Get("Upload-Offset") != fmt.Sprint(cut) {
				t.Fatalf("gap after %d: %d %v %s", cut, resp.StatusCode, resp.Header, text)
			}
		}
	}
	if at, complete := r.head(token, sum); at != size || !complete {
		t.Errorf("after: %d %v", at, complete)
	}
	// A piece again, after the answer was lost.
	if resp, text := r.put(token, sum, 250_000, size, size-250_000, bytes.NewReader(content[250_000:])); resp.StatusCode != 200 {
		t.Errorf("again: %d %s", resp.StatusCode, text)
	}
	if resp, _ := r.do(http.MethodDelete, "/bodies/"+sum, "", bearer(token)); resp.StatusCode != http.StatusNoContent {
		t.Errorf("delete: %d", resp.StatusCode)
	}
	if at, _ := r.head(token, sum); at != -1 {
		t.Errorf("deleted: %d", at)
	}
}

func i64(n int64, _ bool) int64 { return n }

// unsized hides the length of a reader.
type unsized struct{ io.Reader }

func TestUploadRefused(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	content := letter(10_000)
	size, whole := int64(len(content)), bytes.NewReader
	for _, c := range []struct {
		name                  string
		sum                   string
		offset, whole, length int64
		body                  io.Reader
		status                int
	}{
		{"another hash", hashOf([]byte("other")), 0, 0, size, whole(content), 422},
		{"a gap", hashOf(content), 5, size, size - 5, whole(content[5:]), 409},
		{"too large by length", hashOf(content), 0, 150_000_001, size, whole(content), 413},
		{"longer than announced", hashOf(content), 0, size - 1, size, whole(content), 422},
		{"longer than announced, unsized", hashOf(content), 0, size - 1, -1, unsized{whole(content)}, 422},
		{"no length at all", hashOf(content), 0, 0, -1, unsized{whole(content)}, 411},
		{"hash in upper case", strings.ToUpper(hashOf(content)), 0, 0, size, whole(content), 422},
		{"no hash", "x", 0, 0, size, whole(content), 422},
	} {
		resp, text := r.put(token, c.sum, c.offset, c.whole, c.length, c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, resp.StatusCode, text, c.status)
		}
		r.wantProblem(resp, text, c.status)
		if c.status != 422 || len(c.sum) == 64 && strings.ToLower(c.sum) == c.sum {
			if at, _ := r.head(token, c.sum); at != -1 {
				t.Errorf("%s: %d bytes are kept", c.name, at)
			}
		}
	}
}

// TestUploadOfAnotherAccount holds that a hash neither tells nor grants what
// another account has: the same answers whether it has the body or not.
func TestUploadOfAnotherAccount(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	r.addAccount("mallory")
	alice, mallory := r.token("alice"), r.token("mallory")
	content := letter(5000)
	there, nowhere := r.upload(alice, content), hashOf([]byte("nobody has this"))
	ask := func(method, path, body string) string {
		resp, text := r.do(method, path, body, bearer(mallory))
		for _, h := range []string{"X-Request-Id", "Date"} {
			resp.Header.Del(h)
		}
		return strings.NewReplacer(there, "SUM", nowhere, "SUM").Replace(fmt.Sprint(resp.StatusCode, resp.Header, text))
	}
	for n, request := range []func(sum string) string{
		func(sum string) string { return ask("HEAD", "/bodies/"+sum, "") },
		func(sum string) string {
			return ask("POST", "/submissions", `{"batches":[{"envid":"sb1.`+job+`.1","from":"m@x","body":"`+sum+`","recipients":[{"address":"a@x"}]}]}`)
		},
		func(sum string) string { return ask("DELETE", "/bodies/"+sum, "") },
	} {
		if a, b := request(there), request(nowhere); a != b {
			t.Errorf("request %d tells them apart:\n%s\n%s", n, a, b)
		}
	}
	// Its own upload begins at 0, and ends without a word of the other's.
	if resp, text := r.put(mallory, there, 0, 0, int64(len(content)), bytes.NewReader(content)); resp.StatusCode != 200 {
		t.Errorf("own upload: %d %s", resp.StatusCode, text)
	}
	if _, complete := r.head(alice, there); !complete {
		t.Error("alice's body is gone")
	}
}

// TestUploadTakenOver holds that a new request goes on where an old one hangs.
func TestUploadTakenOver(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	content := letter(300_000)
	sum, size := hashOf(content), int64(len(content))
	pipe, feed := io.Pipe()
	hung := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest(http.MethodPut, r.url+"/bodies/"+sum, pipe)
		req.ContentLength = size
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := r.http.Do(req)
		if err != nil {
			hung <- -1
			return
		}
		resp.Body.Close()
		hung <- resp.StatusCode
	}()
	if _, err := feed.Write(content[:100_000]); err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < 100_000; { // until it is on the disk
		time.Sleep(time.Second / callsPerSecond) // nobody is told to wait who asks no more often
		at, _ = r.head(token, sum)
	}
	at, _ := r.head(token, sum)
	resp, text := r.put(token, sum, at, size, size-at, bytes.NewReader(content[at:]))
	if resp.StatusCode != 200 || !decodeTo[Upload](t, text).Complete {
		t.Errorf("the new request: %d %s", resp.StatusCode, text)
	}
	feed.CloseWithError(errors.New("over"))
	if code := <-hung; code != http.StatusConflict && code != -1 {
		t.Errorf("the old request: %d", code)
	}
}

func TestUploadsExpire(t *testing.T) {
	r := start(t, t.TempDir())
	a := r.addAccount("alice")
	token := r.token("alice")
	old, fresh := r.upload(token, letter(1000)), r.upload(token, letter(1000))
	if _, err := r.store.Writer().Exec(`UPDATE uploads SET touched_at = $1 WHERE sha256 = $2`, store.Micros(time.Now().Add(-25*time.Hour)), old); err != nil {
		t.Fatal(err)
	}
	n, err := r.server.uploads.Expire(context.Background(), time.Now().Add(-uploadKept))
	if err != nil || n != 1 {
		t.Errorf("expired %d, %v", n, err)
	}
	if at, _ := r.head(token, old); at != -1 {
		t.Errorf("old: %d", at)
	}
	if _, complete := r.head(token, fresh); !complete {
		t.Error("fresh one is gone")
	}
	// What an account may keep waiting is limited.
	for i := range store.MaxUploads {
		if _, err := r.store.Writer().Exec(`INSERT INTO uploads (account_id, sha256, size, created_at, touched_at) VALUES ($1, $2, 1, 0, 0)`, a.ID, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	content := letter(1000)
	if resp, text := r.put(token, hashOf(content), 0, 0, int64(len(content)), bytes.NewReader(content)); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("too many: %d %s", resp.StatusCode, text)
	}
}
