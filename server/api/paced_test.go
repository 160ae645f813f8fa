package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"servicesmtp.net/companion/server/accept"
)

// What the pace keeps out longer than a call may last is told batch by batch,
// and by 429 where it is all. The same call again sends nothing twice.
func TestSubmitAheadOfThePace(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	r.server.patience = time.Millisecond // the waits below are of tens of seconds
	rate := int64(60)
	if err := r.store.SetPerMinute(t.Context(), alice.ID, &rate); err != nil {
		t.Fatal(err)
	}
	sum := r.upload(token, letter(1000))
	fifty := make([]string, 50)
	for i := range fifty {
		fifty[i] = fmt.Sprintf("r%d@example.net", i)
	}
	first, second, third := batchOf(1, sum, fifty...), batchOf(2, sum, fifty...), batchOf(3, sum, fifty...)
	ask := func(batches ...NewBatch) (*http.Response, []byte) {
		t.Helper()
		body, err := json.Marshal(Submission{Batches: batches})
		if err != nil {
			t.Fatal(err)
		}
		resp, text := r.do("POST", "/submissions", string(body), bearer(token))
		return resp, []byte(text)
	}
	seconds := func(resp *http.Response) int64 {
		t.Helper()
		n, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 64)
		if err != nil || n < 1 || n > 60 {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
		return n
	}

	resp, text := ask(first)
	var got Submitted
	if err := json.Unmarshal(text, &got); err != nil || resp.StatusCode != 200 || got.Batches[0].State != "accepted" || resp.Header.Get("Retry-After") != "" {
		t.Fatalf("%d %s, %v", resp.StatusCode, text, err)
	}
	id := got.Batches[0].ID

	for range 2 {
		resp, text = ask(first, second)
		got = Submitted{}
		if err := json.Unmarshal(text, &got); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%d %s, %v", resp.StatusCode, text, err)
		}
		if b := got.Batches[0]; b.State != "accepted" || !b.Replayed || b.ID != id || b.Problem != "" || b.Retry != 0 {
			t.Errorf("the accepted one: %+v", b)
		}
		if b := got.Batches[1]; b.State != "deferred" || b.Code/100 != 4 || b.Problem != "pace" || b.Retry != seconds(resp) {
			t.Errorf("the other: %+v", b)
		}
	}

	resp, text = ask(second, third)
	var problem struct {
		Detail string
		Errors []struct {
			Location, Message string
			Value             int64
		}
	}
	if err := json.Unmarshal(text, &problem); err != nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("%d %s, %v", resp.StatusCode, text, err)
	}
	soonest := seconds(resp)
	if len(problem.Errors) != 2 || problem.Detail == "" {
		t.Fatalf("%s", text)
	}
	for i, e := range problem.Errors {
		if e.Location != fmt.Sprintf("body.batches[%d]", i) || e.Message != "pace" || e.Value < soonest {
			t.Errorf("%+v", e)
		}
	}
	if n := r.count(`SELECT count(*) FROM messages`); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// The longest wait leaves time for the answer.
func TestPatienceFitsTheAnswer(t *testing.T) {
	if submitPatience+bodyTimeout > answerTimeout {
		t.Errorf("waiting %v and reading %v leave nothing of %v", submitPatience, bodyTimeout, answerTimeout)
	}
}

func TestPaceOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int64 // 0: not for the pace
	}{
		{nil, 0},
		{errors.New("x"), 0},
		{accept.ErrBlocked, 0},
		{&accept.PaceError{}, 1},
		{&accept.PaceError{Retry: time.Second}, 1},
		{&accept.SlowError{Retry: time.Second + 1}, 2},
		{fmt.Errorf("wrapped: %w", &accept.SlowError{Retry: 40 * time.Second}), 40},
	} {
		got, slow := paceOf(c.err)
		if got != c.want || slow != (c.want > 0) {
			t.Errorf("%v: %d, %v, want %d", c.err, got, slow, c.want)
		}
	}
}
