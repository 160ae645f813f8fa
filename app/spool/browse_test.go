package spool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// listOf is the last digits of jobs' ids.
func listOf(jobs []Job) string {
	var b strings.Builder
	for _, j := range jobs {
		b.WriteString(string(j.ID[25:]))
	}
	return b.String()
}

func TestBrowse(t *testing.T) {
	s := newSpool(t)
	add := func(n int, account, from string, list ...mail.Recipient) {
		env := envelope(account, list)
		env.From = from
		accept(t, s, jobID(n), env, []byte("x"))
	}
	add(1, "office", "news@example.com", recipients(60)...)
	add(2, "home", "Anna_B@example.org", mail.Recipient{Address: "Bob@Example.NET", Notify: []string{"NEVER"}, Original: "rfc822;hidden@old.example"})
	add(3, "office", "", mail.Recipient{Address: "100%@example.net"})
	// The list of recipients holds the length of each address, here 45: "-".
	long := strings.Repeat("x", 33) + "@example.net"
	add(4, "home", "news@example.com", mail.Recipient{Address: long})
	add(5, "office", "anna@example.org", mail.Recipient{Address: "älter@example.net"}, mail.Recipient{Address: "z@z.example"})

	attempt := begin(t, s, jobID(1), 1, start)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: append(
		answers(recipients(60)[:49], mail.StatusAccepted, mail.Reply{}), mail.Outcome{Address: "person49@example.com", Status: mail.StatusFailed, Reply: noSuchUser})}))
	_, err := s.Cancel(t.Context(), jobID(3), start)
	must(t, err)
	begin(t, s, jobID(4), 1, start)
	must(t, s.Unknown(t.Context(), Ended{Attempt: 2, At: start}))
	must(t, s.MarkUncertain(t.Context(), jobID(4), 1, mail.Reply{}, start))

	for _, c := range []struct {
		name   string
		filter Filter
		want   string
	}{
		{"all", Filter{}, "54321"},
		{"account", Filter{Account: "office"}, "531"},
		{"open", Filter{Show: ShowOpen}, "5421"},
		{"done", Filter{Show: ShowDone}, "3"},
		{"failed", Filter{Show: ShowFailed}, "1"},
		{"failed, also as others know", Filter{Show: ShowFailed, Refused: []mail.JobID{jobID(2), jobID(5), jobID(9)}}, "521"},
		{"failed, of one account", Filter{Show: ShowFailed, Account: "home", Refused: []mail.JobID{jobID(2), jobID(5)}}, "2"},
		{"failed and searched", Filter{Show: ShowFailed, Search: "bob@", Refused: []mail.JobID{jobID(2), jobID(5)}}, "2"},
		{"others do not matter here", Filter{Show: ShowUncertain, Refused: []mail.JobID{jobID(2)}}, "4"},
		{"uncertain", Filter{Show: ShowUncertain}, "4"},
		{"uncertain of another", Filter{Show: ShowUncertain, Account: "office"}, ""},
		{"sender", Filter{Search: "NEWS@"}, "41"},
		{"sign that SQL knows in a sender", Filter{Search: "a_b@"}, "2"},
		{"recipient, in any case", Filter{Search: "bob@example"}, "2"},
		{"sender or recipient", Filter{Search: "example.org"}, "52"},
		{"late recipient of a long list", Filter{Search: "person59@"}, "1"},
		{"sign that SQL knows in a recipient", Filter{Search: "00%@"}, "3"},
		{"no wildcard", Filter{Search: "1%@"}, ""},
		{"not ASCII", Filter{Search: "älter"}, "5"},
		{"not over two addresses", Filter{Search: "netz"}, ""},
		{"no length", Filter{Search: "-xx"}, ""},
		{"no NOTIFY", Filter{Search: "never"}, ""},
		{"no ORCPT", Filter{Search: "hidden"}, ""},
		{"longer than any", Filter{Search: strings.Repeat("x", 34)}, ""},
		{"all at once", Filter{Search: "example", Account: "office", Show: ShowOpen}, "51"},
	} {
		for _, size := range []int{1, 2, 100} {
			var got string
			for total := 1; len(got) < total; {
				var jobs []Job
				total, jobs, err = s.Browse(t.Context(), c.filter, len(got), size)
				must(t, err)
				if total != len(c.want) || len(jobs) != min(size, total-len(got)) {
					t.Fatalf("%s: %d of %d from %d on, want %d", c.name, len(jobs), total, len(got), len(c.want))
				}
				got += listOf(jobs)
			}
			if got != c.want {
				t.Errorf("%s, %d a page: got %q, want %q", c.name, size, got, c.want)
			}
		}
	}
	if total, jobs, err := s.Browse(t.Context(), Filter{}, 9, 5); total != 5 || len(jobs) != 0 || err != nil {
		t.Errorf("behind the end: %d of %d, %v", len(jobs), total, err)
	}
	if _, _, err := s.Browse(t.Context(), Filter{Show: "lost"}, 0, 5); err == nil {
		t.Error("a group that there is not")
	}
	// A damaged list of recipients costs that job its place in a search only.
	_, err = s.conn.ExecContext(t.Context(), `UPDATE batches SET recipients = x'01FF' WHERE job = 2`)
	must(t, err)
	if total, _, err := s.Browse(t.Context(), Filter{Search: "bob"}, 0, 5); total != 0 || err != nil {
		t.Errorf("damaged: %d, %v", total, err)
	}
}

func TestContaining(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.StringMatching("[aAbB%@.ä]{0,6}").Draw(t, "address")
		search := rapid.StringMatching("[aAbB%@.ä]{1,3}").Draw(t, "search")
		want := strings.Contains(strings.ToLower(address), strings.ToLower(search))
		if got := containing(search)([]byte(address)); got != want {
			t.Errorf("%q in %q: got %v", search, address, got)
		}
		list := []mail.Recipient{{Address: "q"}, {Address: address, Notify: []string{"NEVER"}, Original: search}}
		if got := anyAddress(encodeRecipients(list), containing(search)); got != want {
			t.Errorf("%q in the list of %q: got %v", search, address, got)
		}
	})
}

// TestRecipientsInThreeWays takes a job through random answers, and holds that
// all lists of its recipients agree.
func TestRecipientsInThreeWays(t *testing.T) {
	dir := memoryDir(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		s, err := Open(t.Context(), options(fmt.Sprintf("%s/%d", dir, run)))
		must(t, err)
		defer s.Close()
		must(t, put(t.Context(), s, jobID(1), envelope("office", recipients(rapid.IntRange(1, 130).Draw(t, "recipients"))), []byte("x")))
		now := start
		for range rapid.IntRange(0, 8).Draw(t, "answers") {
			now = now.Add(time.Hour)
			due := readyNow(t, s, "office", now)
			if len(due) == 0 {
				break
			}
			b := rapid.SampledFrom(due).Draw(t, "batch")
			attempt, err := s.Begin(t.Context(), b.Job, b.Number, "main", now)
			must(t, err)
			if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
				must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: now}))
				must(t, s.MarkUncertain(t.Context(), b.Job, b.Number, mail.Reply{Code: mail.Code{Basic: 554}, Text: "conflict"}, now))
				continue
			}
			out := answers(b.Recipients, mail.StatusAccepted, mail.Reply{})
			for i := range out {
				out[i].Status = rapid.SampledFrom([]mail.Status{mail.StatusAccepted, mail.StatusAccepted, mail.StatusDeferred, mail.StatusFailed}).Draw(t, "status")
				if out[i].Status != mail.StatusAccepted {
					out[i].Reply = mail.Reply{Code: mail.Code{Basic: 450}, Text: fmt.Sprint(i)}
				}
			}
			must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: now, Outcomes: out, QueueID: "q"}))
		}
		all, err := s.AllRecipients(t.Context(), jobID(1))
		must(t, err)
		paged, _, err := s.Recipients(t.Context(), jobID(1), "", 1000)
		must(t, err)
		if d := cmp.Diff(paged, all); d != "" {
			t.Fatalf("all at once (-paged +all):\n%s", d)
		}
		var browsed []RecipientState
		size := rapid.IntRange(1, 60).Draw(t, "page")
		for offset := 0; offset <= len(all); offset += size {
			total, list, err := s.BrowseRecipients(t.Context(), jobID(1), offset, size)
			must(t, err)
			if total != len(all) {
				t.Fatalf("%d in all, want %d", total, len(all))
			}
			browsed = append(browsed, list...)
		}
		if d := cmp.Diff(all, browsed); d != "" {
			t.Fatalf("browsed (-all +browsed):\n%s", d)
		}
	})
	s := newSpool(t)
	_, err := s.AllRecipients(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	_, _, err = s.BrowseRecipients(t.Context(), jobID(1), 0, 10)
	wantErr(t, err, ErrNotFound)
}

func TestSent(t *testing.T) {
	s := newSpool(t)
	finish := func(n, number int, at time.Time, statuses ...mail.Status) {
		t.Helper()
		due := readyNow(t, s, []string{"home", "office"}[n%2], at)
		i := slices.IndexFunc(due, func(b mail.Batch) bool { return b.Job == jobID(n) && b.Number == number })
		if i < 0 {
			t.Fatalf("batch %d of %d is not due", number, n)
		}
		out := answers(due[i].Recipients, mail.StatusAccepted, mail.Reply{})
		for i, status := range statuses {
			out[i].Status = status
		}
		attempt := begin(t, s, jobID(n), number, at)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: at, Outcomes: out}))
	}
	for n := range 4 {
		accept(t, s, jobID(n), envelope([]string{"home", "office"}[n%2], recipients(10*(n+1))), []byte("x"))
	}
	finish(0, 1, start.Add(time.Minute))
	finish(1, 1, start.Add(59*time.Minute), mail.StatusFailed, mail.StatusDeferred, mail.StatusDeferred)
	finish(1, 2, start.Add(3*time.Hour), mail.StatusFailed)
	finish(2, 1, start.Add(3*time.Hour+59*time.Minute), mail.StatusFailed, mail.StatusFailed)
	_, err := s.Cancel(t.Context(), jobID(3), start.Add(time.Hour)) // counts as neither
	must(t, err)
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	for _, c := range []struct {
		name, account string
		since         time.Time
		unit          time.Duration
		want          []Sent
	}{
		{"all", "", start, time.Hour, []Sent{{hour(0), 27, 1}, {hour(3), 29, 3}}},
		{"home", "home", start, time.Hour, []Sent{{hour(0), 10, 0}, {hour(3), 28, 2}}},
		{"office", "office", start, time.Hour, []Sent{{hour(0), 17, 1}, {hour(3), 1, 1}}},
		{"since", "", hour(1), time.Hour, []Sent{{hour(3), 29, 3}}},
		{"longer", "", start, 24 * time.Hour, []Sent{{start.Truncate(24 * time.Hour), 56, 4}}},
		{"nobody", "nobody", start, time.Hour, nil},
	} {
		got, err := s.Sent(t.Context(), c.account, c.since, c.unit)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v, (-want +got):\n%s", c.name, err, d)
		}
	}
}
