package accept

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store/storetest"
)

// habit is when closing happens, how often, and at which node.
type habit struct {
	name  string
	close func(h *household, now time.Time)
	again bool // every order and payment comes a second time, at the other node
}

var habits = []habit{
	{"only by mail", func(*household, time.Time) {}, false},
	{"at every event", func(h *household, now time.Time) { h.closeAt(0, now) }, false},
	{"at both nodes at once, and again", func(h *household, now time.Time) {
		var both sync.WaitGroup
		for i := range 4 {
			both.Go(func() { h.closeAt(i%2, now) })
		}
		both.Wait()
	}, true},
}

// household is an account that lives the same months under each habit.
type household struct {
	t     *testing.T
	nodes [2]*world
	clock *calendar
	id    string
	habit habit
	log   []string // what was accepted and refused
}

func (h *household) closeAt(node int, now time.Time) {
	if _, err := h.nodes[node].billing.Close(h.t.Context(), h.id, now); err != nil {
		h.t.Errorf("close: %v", err)
	}
}

// live goes through half a year of random events; the seed decides all but the
// habit.
func (h *household) live(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for i := range 60 {
		at := rome(time.March, 10+3*i, 1+rnd.IntN(22)).Add(time.Duration(rnd.IntN(3600)) * time.Second)
		what, n, node := rnd.IntN(10), rnd.IntN(30_000), rnd.IntN(2)
		h.clock.set(at)
		h.habit.close(h, at)
		switch what {
		case 0:
			h.buy(node, fmt.Sprintf("%s-chained-%d", h.id, i), account.OrderChained, "unlimited-entry-month")
		case 1:
			h.buy(node, fmt.Sprintf("%s-upgrade-%d", h.id, i), account.OrderUpgrade, "unlimited-standard")
		default:
			h.send(node, n)
		}
	}
	h.clock.set(rome(time.December, 1, 0))
	h.closeAt(0, h.clock.now())
}

// buy orders and pays, whatever the rules say to it.
func (h *household) buy(node int, reference string, kind account.OrderKind, plan string) {
	times := 1
	if h.habit.again {
		times = 2
	}
	said := ""
	for i := range times {
		b := h.nodes[(node+i)%2].billing
		o, err := b.Order(h.t.Context(), h.id, reference, account.Wish{Kind: kind, Plan: plan})
		if err == nil {
			o, err = b.Pay(h.t.Context(), account.Payment{OrderID: o.ID, Method: "transfer", Reference: reference, Amount: o.Price, Currency: o.Currency})
		}
		if i == 0 {
			said = fmt.Sprint(kind, " ", o.State, " ", err != nil)
		}
	}
	h.log = append(h.log, said)
}

// send submits one e-mail and, where it is accepted, counts n more, as far as
// they are allowed.
func (h *household) send(node, n int) {
	w := h.nodes[node]
	err := w.one(h.id)
	if err != nil && !isQuota(err) {
		h.t.Fatalf("send: %v", err)
	}
	h.log = append(h.log, fmt.Sprint("accepted ", err == nil))
	if err != nil {
		return
	}
	st, err := w.billing.Standing(h.t.Context(), h.id)
	if err != nil {
		h.t.Fatal(err)
	}
	free := st.Limit.Emails - st.Used.Emails
	if _, err := w.Store.Writer().Exec(`UPDATE usage_periods SET emails = emails + $2 WHERE account_id = $1 AND closed_at IS NULL`,
		h.id, min(int64(n), free)); err != nil {
		h.t.Fatal(err)
	}
}

// books are all that the months came to, without the names of rows.
func (h *household) books() []string {
	rows, err := h.nodes[0].Store.Rows(h.t.Context(), h.nodes[0].Store.Reader(), h.id)
	if err != nil {
		h.t.Fatal(err)
	}
	books := slices.Clone(h.log)
	for _, b := range h.nodes[0].bills(h.id) {
		b.AccountID, b.OrderID, b.CreditID = "", "", ""
		books = append(books, fmt.Sprintf("bill %+v", b))
	}
	for _, c := range rows.Credits {
		if c.Left < 0 || c.Left > c.Granted {
			h.t.Errorf("credit %+v", c)
		}
		books = append(books, fmt.Sprintf("credit %s %d of %d until %s", c.Source, c.Left, c.Granted, c.ExpiresAt))
	}
	written := len(books)
	for _, o := range rows.Orders {
		books = append(books, fmt.Sprintf("order %s %s %d %s", o.Kind, o.Plan, o.Price, o.State))
	}
	slices.Sort(books[written:]) // made within one millisecond, their ids may be in another order
	for _, u := range rows.Periods {
		books = append(books, fmt.Sprintf("period %s to %s used %+v closed %v", u.Start, u.End, u.Used, !u.ClosedAt.IsZero()))
	}
	return books
}

// The same months come to the same bills, credits, orders and acceptances,
// whenever periods are closed, however often, at whichever node, and although
// orders and payments come twice.
func TestAnyHabitSameBooks(t *testing.T) { storetest.Each(t, testAnyHabitSameBooks) }

func testAnyHabitSameBooks(t *testing.T, dsn string) {
	w, second, c := yearly(t, dsn)
	seen := ""
	for seed := range uint64(4) {
		var first []string
		for i, habit := range habits {
			c.set(rome(time.March, 10, 0))
			h := &household{t: t, nodes: [2]*world{w, second}, clock: c, habit: habit,
				id: w.account(fmt.Sprintf("a%d-%d", seed, i), "unlimited-entry", func(n *billing.NewAccount) { n.Account.Overage = "stop" })}
			h.live(seed)
			books := h.books()
			seen += strings.Join(books, "\n")
			if i == 0 {
				first = books
			} else if diff := cmp.Diff(first, books); diff != "" {
				t.Errorf("seed %d: -%s +%s\n%s", seed, habits[0].name, habit.name, diff)
			}
		}
	}
	for _, what := range []string{"accepted true", "accepted false", "chained active", "upgrade active", "credit chained", "Consumed:9000"} {
		if !strings.Contains(seen, what) {
			t.Errorf("no account lived to see %q", what)
		}
	}
}
