package steward

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/race"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store/storetest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// person is one account of the year.
type person struct {
	name, plan, zone string
	policy           account.Policy
	emails           int64 // of an ordinary day
	size             units.ByteSize
	from, to         int // days of the year on which it sends
}

var people = []person{
	{"ann", "standard", "Europe/Rome", account.Surcharge, 60, 500 * units.KB, 0, 365},   // 900 MB a month
	{"bob", "standard", "America/New_York", account.Block, 100, 200 * units.KB, 0, 365}, // 600 MB
	{"cid", "entry-month", "Asia/Kolkata", account.Stop, 200, 10 * units.KB, 0, 365},    // 6,000 in its 30 days
	{"dot", "unlimited-standard", "UTC", account.Surcharge, 300, 10 * units.KB, 40, 200},
	{"eve", "unlimited-entry", "Pacific/Kiritimati", account.Surcharge, 0, units.KB, 0, 0}, // nothing
}

// today is what a person sends on a day: thrice a month nothing, and once
// seven times as much.
func (p person) today(day int) int64 {
	switch {
	case day < p.from || day >= p.to || day%10 == 3:
		return 0
	case day%45 == 44:
		return 7 * p.emails
	}
	return p.emails
}

// bookkeeper asks the rules alone what must have been told, from the same
// days: it knows no store, no pass and no crash.
type bookkeeper struct {
	rows    account.Rows
	c       account.Catalogue
	ids     int
	sent    []account.NoticeKey
	history []account.DayUse
	counts  map[string]int
}

func (b *bookkeeper) id() string { b.ids++; return fmt.Sprint("id", b.ids) }

func (b *bookkeeper) apply(t *testing.T, now time.Time, done account.Changes, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b.rows = b.rows.Apply(done)
	for _, bill := range done.Bills {
		b.counts["month_report"]++
		if bill.Tier > 0 {
			b.counts["payment_request"]++
		}
		// One that has ended by the time it is told of is of no use to anybody.
		if i := slices.IndexFunc(b.rows.Credits, func(k account.Credit) bool { return k.ID == bill.CreditID }); i >= 0 && now.Before(b.rows.Credits[i].ExpiresAt) {
			b.counts["credit_granted"]++
		}
	}
}

// newBookkeeper starts with the account as the store has it.
func newBookkeeper(h *house, id string) *bookkeeper {
	h.t.Helper()
	rows, err := h.Store.Rows(h.t.Context(), h.Store.Reader(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return &bookkeeper{rows: rows, c: h.Plans, counts: map[string]int{}}
}

// use is house.use in plain rows.
func (b *bookkeeper) use(t *testing.T, now time.Time, more account.Charge) {
	t.Helper()
	done, err := b.rows.CloseEnded(b.c, b.id, now)
	b.apply(t, now, done, err)
	terms, err := b.rows.Terms(b.c, now)
	if err != nil {
		return
	}
	u := account.Usage{AccountID: b.rows.AccountID, Start: terms.Start, End: terms.End}
	for _, old := range b.rows.Periods {
		if old.Start.Equal(terms.Start) {
			u = old
		}
	}
	u.Used = u.Used.Add(more)
	b.rows = b.rows.Apply(account.Changes{Periods: []account.Usage{u}})
	day := account.Day(b.rows.Zone, now)
	for i, d := range b.history {
		if d.Day == day {
			b.history[i].Used = d.Used.Add(more)
			return
		}
	}
	b.history = append(b.history, account.DayUse{Day: day, Used: more})
}

// review is the day's.
func (b *bookkeeper) review(t *testing.T, now time.Time) {
	t.Helper()
	done, err := b.rows.CloseEnded(b.c, b.id, now)
	b.apply(t, now, done, err)
	due := b.rows.Review(b.c, b.history, b.sent, now)
	limit, err := b.rows.ReviewLimit(b.c, b.sent, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range append(due, limit...) {
		b.sent = append(b.sent, n.NoticeKey)
		for _, k := range kinds {
			if k.rule == n.Kind {
				b.counts[k.words]++
			}
		}
	}
}

// day is the middle of the working day nearly everywhere.
func day(n int) time.Time { return newYear.AddDate(0, 0, n) }

// TestYear lives 2026 on the real store, a pass a day, and compares what
// everybody was told with the bookkeeper. Every ninth pass breaks in its middle
// and is made again.
func TestYear(t *testing.T) { storetest.Each(t, testYear) }

func testYear(t *testing.T, dsn string) {
	h := open(t, t.TempDir(), dsn)
	books := make(map[string]*bookkeeper)
	for _, p := range people {
		h.add(p.name, p.plan, p.zone, p.policy)
		books[p.name] = newBookkeeper(h, p.name)
	}
	broken := errors.New("broken")
	failures := 0
	for n := range 400 / race.Sample(5) {
		h.set(day(n))
		for _, p := range people {
			if emails := p.today(n); emails > 0 {
				h.use(p.name, emails, p.size)
				books[p.name].use(t, h.now(), account.ChargeFor(p.size, int(emails)))
			}
			books[p.name].review(t, h.now())
		}
		if n%9 == 0 {
			h.lanes.breakAfter(n%3, broken)
			res, err := h.Pass(t.Context(), Request{})
			if err != nil {
				t.Fatal(err)
			}
			failures += res.Failed
			h.lanes.breakAfter(0, nil)
		}
		h.pass()
		if told := n%10 == 0 && len(h.pass()) > 0; told {
			t.Fatalf("day %d: told again", n)
		}
	}
	if failures == 0 {
		t.Error("no pass broke: the test is too kind")
	}
	checkYear(t, h, books)
}

// checkYear compares what was told in a year.
func checkYear(t *testing.T, h *house, books map[string]*bookkeeper) {
	t.Helper()
	seen := make(map[string]int)
	for _, p := range people {
		got, want := h.counts(p.name), books[p.name].counts
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-bookkeeper +told):\n%s", p.name, diff)
		}
		for k, n := range got {
			seen[k] += n
		}
	}
	total := 0
	for _, n := range seen {
		total += n
	}
	if got := h.mails(); got != total {
		t.Errorf("%d mails for %d notices", got, total)
	}
	t.Log(seen)
	if !race.Enabled() { // a sample of the days has not all kinds
		checkKinds(t, seen)
	}
	var charged int
	if err := h.Store.Reader().QueryRow(`SELECT count(*) FROM usage_periods WHERE account_id = 'service'`).Scan(&charged); err != nil || charged != 0 {
		t.Errorf("the service's mail was counted: %d, %v", charged, err)
	}
}

// checkKinds wants somebody to have been told each kind.
func checkKinds(t *testing.T, seen map[string]int) {
	t.Helper()
	for _, k := range kinds {
		if seen[k.words] == 0 && k.words != kindActivation {
			t.Errorf("nobody was told %s in the whole year", k.words)
		}
	}
	for _, k := range []string{kindReport, kindRequest, kindCredit} {
		if seen[k] == 0 {
			t.Errorf("nobody got a %s: %v", k, slices.Sorted(maps.Keys(seen)))
		}
	}
}
