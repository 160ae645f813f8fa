package app

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/relayclient"
)

const newsletter mail.JobID = "01ARZ3NDEKTSV4RRFFQ69G5F01"

var refusedReply = mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "no such user"}

// browseTest has a newsletter to n recipients, of whom the relay accepted all
// but the last of each batch; every tenth of the accepted was delivered, every
// hundredth failed later on.
func browseTest(t testing.TB, n int) *engineTest {
	t.Helper()
	api := newRestAPI(t)
	e := newEngineTest(t, engineOptions{api: api})
	e.closed()
	var addresses []string
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	for i := range n {
		addresses = append(addresses, fmt.Sprintf("Person%d@Dst.example", i))
	}
	e.store(newsletter, "news@example.com", at, addresses...)
	for {
		list, _, err := e.spool.Ready(t.Context(), "office", mail.Bulk, at, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, b := range list {
			at = at.Add(time.Second)
			attempt, err := e.spool.Begin(t.Context(), b.Job, b.Number, "S", at)
			if err != nil {
				t.Fatal(err)
			}
			var out []mail.Outcome
			for i, r := range b.Recipients {
				o := mail.Outcome{Address: r.Address, Status: mail.StatusAccepted}
				if i == len(b.Recipients)-1 {
					o.Status, o.Reply = mail.StatusFailed, refusedReply
				}
				out = append(out, o)
				var k int
				fmt.Sscanf(r.Address, "Person%d@", &k)
				if o.Status == mail.StatusAccepted && k%10 == 0 {
					ev := relayclient.Event{At: at.Add(time.Minute), Envid: fmt.Sprintf("sb1.%s.%d", b.Job, b.Number), ID: "m", Recipient: strings.ToLower(r.Address),
						Status: relayclient.EventStatusDelivered, Code: 250}
					ev.Recipient = strings.Replace(r.Address, "Dst.", "dst.", 1)
					api.events = append(api.events, ev)
					if k%100 == 0 {
						ev.Status, ev.Code, ev.Enhanced, ev.Reply, ev.At = relayclient.EventStatusFailed, 552, "5.2.2", "mailbox full", at.Add(time.Hour)
						api.events = append(api.events, ev)
					}
				}
			}
			if err := e.spool.Finish(t.Context(), spool.FinishRequest{Attempt: attempt, At: at, Outcomes: out}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, err := e.account("office")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.follower.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBrowseRecipients(t *testing.T) {
	e := browseTest(t, 1000)
	all, err := e.BrowseRecipients(t.Context(), newsletter, RecipientFilter{}, 0, 1000)
	if err != nil || all.Total != 1000 || len(all.Recipients) != 1000 {
		t.Fatalf("%d of %d, %v", len(all.Recipients), all.Total, err)
	}
	detail, err := e.Job(t.Context(), newsletter, "", 1000)
	if diff := cmp.Diff(detail.List, all.Recipients); diff != "" || err != nil {
		t.Errorf("%v, not as Job lists them (-Job +Browse):\n%s", err, diff)
	}
	counts := map[string]int{}
	for _, r := range all.Recipients {
		counts[r.Status]++
	}
	if diff := cmp.Diff(map[string]int{"accepted": 880, "delivered": 90, "failed": 30}, counts); diff != "" {
		t.Fatal(diff)
	}
	for _, f := range []RecipientFilter{{}, {Status: "failed"}, {Status: "delivered"}, {Status: "accepted"}, {Status: "queued"},
		{Search: "person7"}, {Search: " PERSON99@dst "}, {Status: "failed", Search: "00@"}, {Search: "nobody"}} {
		var want []RecipientState
		for _, r := range all.Recipients {
			if (f.Status == "" || r.Status == f.Status) && strings.Contains(strings.ToLower(r.Address), strings.ToLower(strings.TrimSpace(f.Search))) {
				want = append(want, r)
			}
		}
		var got []RecipientState
		for {
			page, err := e.BrowseRecipients(t.Context(), newsletter, f, len(got), 77)
			if err != nil || page.Total != len(want) {
				t.Fatalf("%+v: %d in all, %v; want %d", f, page.Total, err, len(want))
			}
			if len(page.Recipients) == 0 {
				break
			}
			got = append(got, page.Recipients...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", f, diff)
		}
	}
	if _, err := e.BrowseRecipients(t.Context(), "01ARZ3NDEKTSV4RRFFQ69G5F99", RecipientFilter{}, 0, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestBrowseJobs(t *testing.T) {
	e := browseTest(t, 60)
	for i := range 5 {
		e.store(mail.JobID(fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G5G%02d", i)), "anna@example.org", time.Now(), "bob@example.net")
	}
	for _, c := range []struct {
		name          string
		filter        JobFilter
		offset, limit int
		total, rows   int
	}{
		{"all", JobFilter{}, 0, 0, 6, 6},
		{"page", JobFilter{Account: "office"}, 4, 1, 6, 1},
		{"open", JobFilter{State: "open"}, 3, 10, 5, 2},
		{"done", JobFilter{State: "done"}, 0, 10, 1, 1},
		{"failed", JobFilter{State: "failed"}, 0, 10, 1, 1},
		{"uncertain", JobFilter{State: "uncertain"}, 0, 10, 0, 0},
		{"search", JobFilter{Search: " BOB@ "}, 0, 10, 5, 5},
		{"search and state", JobFilter{Search: "person59@", State: "open"}, 0, 10, 0, 0},
	} {
		list, err := e.BrowseJobs(t.Context(), c.filter, c.offset, c.limit)
		if err != nil || list.Total != c.total || len(list.Jobs) != c.rows || list.Jobs == nil {
			t.Errorf("%s: %d of %d, %v; want %d of %d", c.name, len(list.Jobs), list.Total, err, c.rows, c.total)
		}
	}
	if _, err := e.BrowseJobs(t.Context(), JobFilter{Account: "nobody"}, 0, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestAllErrors(t *testing.T) {
	e := browseTest(t, 1000)
	list, more, _, err := e.AllErrors(t.Context(), ErrorQuery{})
	if err != nil || len(list) != 30 || more {
		t.Fatalf("%d errors, more %v, %v", len(list), more, err)
	}
	if !slices.IsSortedFunc(list, func(a, b AddressError) int { return b.At.Compare(a.At) }) {
		t.Error("not newest first")
	}
	sources := map[string]int{}
	for _, a := range list {
		sources[a.Source]++
	}
	if diff := cmp.Diff(map[string]int{"relay": 20, "recipient": 10}, sources); diff != "" {
		t.Error(diff)
	}
	var paged []AddressError
	for q := (ErrorQuery{Limit: 7}); ; {
		page, err := e.Errors(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		paged = append(paged, page.Errors...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(paged, list); diff != "" {
		t.Errorf("not as Errors pages them:\n%s", diff)
	}
	for most, want := range map[int]bool{29: true, 30: false} {
		part, more, _, err := e.allErrors(t.Context(), ErrorQuery{}, most)
		if diff := cmp.Diff(list[:most], part); diff != "" || more != want || err != nil {
			t.Errorf("at most %d: more %v, %v\n%s", most, more, err, diff)
		}
	}
	if found, _, _, err := e.AllErrors(t.Context(), ErrorQuery{Search: "mailbox full", Cursor: "x", Limit: 1}); err != nil || len(found) != 10 {
		t.Errorf("found %d, %v", len(found), err)
	}
}

func TestWriteErrorsCSV(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.FixedZone("", 3600))
	var out bytes.Buffer
	w := NewErrorsCSV(&out)
	for _, list := range [][]AddressError{
		{{At: at, Account: "office", Address: "a@b.example", Code: "550 5.1.1", Reason: "Gone.", Reply: "no, \"never\"\r\nhere\x00", Source: "relay", Job: "J"}},
		nil,
		{{At: at, Address: "=cmd|' /C calc'!A0@b.example", Reply: "@SUM(1)"}},
	} {
		if err := w.Write(list); err != nil {
			t.Fatal(err)
		}
	}
	const want = "address,reason,code,reply,at,account,source\n" +
		"a@b.example,Gone.,550 5.1.1,\"no, \"\"never\"\" here?\",2026-11-25T09:00:00Z,office,relay\n" +
		"'=cmd|' /C calc'!A0@b.example,,,'@SUM(1),2026-11-25T09:00:00Z,,\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	var empty bytes.Buffer
	if err := WriteErrorsCSV(&empty, nil); err != nil || !strings.HasPrefix(empty.String(), "address,") {
		t.Errorf("an empty list: %q, %v", empty.String(), err)
	}
}

// BenchmarkBrowseRecipients scrolls a job of 50,000 recipients.
func BenchmarkBrowseRecipients(b *testing.B) {
	e := browseTest(b, 50_000)
	for name, f := range map[string]RecipientFilter{"all": {}, "delivered": {Status: "delivered"}, "accepted": {Status: "accepted"}, "search": {Search: "99@"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if l, err := e.BrowseRecipients(b.Context(), newsletter, f, 400, 100); err != nil || len(l.Recipients) == 0 {
					b.Fatal(len(l.Recipients), err)
				}
			}
		})
	}
}
