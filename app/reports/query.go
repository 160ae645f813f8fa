package reports

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/relayclient"
)

// What callers branch on.
var (
	ErrUnknown = errors.New("the relay has not told it yet")
	ErrCursor  = errors.New("not a cursor of this list")
)

// staleAfter is the age from which an answer is called stale although nothing
// failed: two refreshes should have come.
const staleAfter = 2*refreshEvery + time.Minute

// Fact is the relay's latest answer of one kind.
type Fact[T any] struct {
	Value T
	AsOf  time.Time
	Stale bool // the relay could not be asked lately
}

// Account is what the relay says of the account itself.
func (c *Cache) Account(ctx context.Context, account string) (Fact[relayclient.Account], error) {
	return fact[relayclient.Account](ctx, c, account, kindAccount)
}

// Quota is the plan's present period.
func (c *Cache) Quota(ctx context.Context, account string) (Fact[relayclient.Quota], error) {
	return fact[relayclient.Quota](ctx, c, account, kindQuota)
}

// Usage is what was used in the present period, by day.
func (c *Cache) Usage(ctx context.Context, account string) (Fact[relayclient.Usage], error) {
	return fact[relayclient.Usage](ctx, c, account, kindUsage)
}

// Policy is the pace that the relay sets. It is valid for ValidSeconds from
// AsOf on.
func (c *Cache) Policy(ctx context.Context, account string) (Fact[relayclient.Policy], error) {
	return fact[relayclient.Policy](ctx, c, account, kindPolicy)
}

// Endpoints is where mail can be handed in, best first.
func (c *Cache) Endpoints(ctx context.Context, account string) (Fact[[]relayclient.Endpoint], error) {
	return fact[[]relayclient.Endpoint](ctx, c, account, kindEndpoints)
}

// fact is ErrUnknown when the relay was never asked.
func fact[T any](ctx context.Context, c *Cache, account, kind string) (f Fact[T], err error) {
	var text []byte
	var asOf int64
	err = c.read.QueryRowContext(ctx, `SELECT answer, as_of FROM facts WHERE account = ? AND kind = ?`, account, kind).Scan(&text, &asOf)
	if errors.Is(err, sql.ErrNoRows) {
		return f, ErrUnknown
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", kind, err)
	}
	if err := json.Unmarshal(text, &f.Value); err != nil {
		return f, fmt.Errorf("read %s: %w", kind, err)
	}
	f.AsOf = moment(asOf)
	f.Stale = !c.fresh(account, partFacts) || time.Since(f.AsOf) > staleAfter
	return f, nil
}

// Event is what became of one accepted recipient.
type Event struct {
	At      time.Time
	Account string
	Job     mail.JobID // "" where another program sent the message
	Batch   int
	Message string // the relay's id
	Address string
	Status  relayclient.EventStatus
	Reply   mail.Reply // of the recipient's server; Basic 0: none
}

const eventColumns = `SELECT seq, account, job, batch, message, address, status, code, enhanced, reply, at FROM events `

// Failed lists a page of addresses that failed for good, newest first: of one
// account, or of all where it is "", with search (a part of an address or of a
// reply) where it is not empty. next is "" at the end. stale says that newer
// ones may be missing.
func (c *Cache) Failed(ctx context.Context, account, search, cursor string, limit int) (list []Event, next string, stale bool, err error) {
	limit = min(max(limit, 0), 10_000)
	if limit == 0 {
		limit = 1000
	}
	at, seq, err := parseCursor(cursor)
	if err != nil {
		return nil, "", false, err
	}
	query := eventColumns + `WHERE status = 'failed' AND (at, seq) < (?, ?)`
	args := []any{at, seq}
	if account != "" {
		query, args = query+` AND account = ?`, append(args, account)
	}
	if search != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(search) + "%"
		query += ` AND (address LIKE ? ESCAPE '\' OR reply LIKE ? ESCAPE '\' OR code || ' ' || enhanced || ' ' || reply LIKE ? ESCAPE '\')`
		args = append(args, like, like, like)
	}
	list, last, err := c.events(ctx, query+` ORDER BY at DESC, seq DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, "", false, err
	}
	if len(list) == limit {
		next = fmt.Sprintf("%d.%d", micros(list[limit-1].At), last)
	}
	return list, next, c.stale(account), nil
}

// parseCursor reads where a page of Failed begins: before that time and seq.
func parseCursor(cursor string) (at, seq int64, err error) {
	if cursor == "" {
		return 1<<63 - 1, 1<<63 - 1, nil
	}
	a, s, _ := strings.Cut(cursor, ".")
	at, errAt := strconv.ParseInt(a, 10, 64)
	seq, errSeq := strconv.ParseInt(s, 10, 64)
	if errAt != nil || errSeq != nil {
		return 0, 0, ErrCursor
	}
	return at, seq, nil
}

// Events lists all that became of one batch's recipients, oldest first.
func (c *Cache) Events(ctx context.Context, account string, id wire.EnvelopeID) ([]Event, error) {
	list, _, err := c.events(ctx, eventColumns+`WHERE account = ? AND job = ? AND batch = ? ORDER BY seq`, account, id.Job, id.Number)
	return list, err
}

// Latest is the newest event of each of the addresses in a job, in whatever
// batch, under the address as asked; one of which nothing was heard is missing.
func (c *Cache) Latest(ctx context.Context, account string, job mail.JobID, addresses []string) (map[string]Event, error) {
	asked := make(map[string][]string, len(addresses)) // by spelling of the database
	for _, a := range addresses {
		asked[wire.LowerDomain(a)] = append(asked[wire.LowerDomain(a)], a)
	}
	keys := make([]string, 0, len(asked))
	for k := range asked {
		keys = append(keys, k)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	list, _, err := c.events(ctx, eventColumns+`WHERE account = ? AND job = ? AND address IN (SELECT value FROM json_each(?)) ORDER BY seq`,
		account, string(job), string(text))
	if err != nil {
		return nil, err
	}
	out := make(map[string]Event, len(list))
	for _, e := range list {
		for _, a := range asked[e.Address] {
			out[a] = e
		}
	}
	return out, nil
}

// LatestStatus is the status of the newest event of every address in a job, by
// the address with its domain in lower case.
func (c *Cache) LatestStatus(ctx context.Context, account string, job mail.JobID) (map[string]relayclient.EventStatus, error) {
	rows, err := c.read.QueryContext(ctx, `SELECT address, status, max(seq) FROM events WHERE job = ? AND account = ? GROUP BY address`, string(job), account)
	if err != nil {
		return nil, fmt.Errorf("list latest events: %w", err)
	}
	defer rows.Close()
	out := make(map[string]relayclient.EventStatus)
	for rows.Next() {
		var address, status string
		var seq int64
		if err := rows.Scan(&address, &status, &seq); err != nil {
			return nil, fmt.Errorf("list latest events: %w", err)
		}
		out[address] = relayclient.EventStatus(status)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list latest events: %w", err)
	}
	return out, nil
}

// RefusedByJob counts the addresses of each job, of one account or of all where
// it is "", that failed for good after the relay had accepted them. Jobs without
// one are left out. It reads failures only, so that large jobs cost nothing.
func (c *Cache) RefusedByJob(ctx context.Context, account string) (map[mail.JobID]int, error) {
	rows, err := c.read.QueryContext(ctx, `SELECT job, count(DISTINCT address) FROM events INDEXED BY events_failed
		WHERE status = 'failed' AND (? = '' OR account = ?) GROUP BY job`, account, account)
	if err != nil {
		return nil, fmt.Errorf("count refused addresses: %w", err)
	}
	defer rows.Close()
	out := make(map[mail.JobID]int)
	for rows.Next() {
		var job string
		var n int
		if err := rows.Scan(&job, &n); err != nil {
			return nil, fmt.Errorf("count refused addresses: %w", err)
		}
		out[mail.JobID(job)] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count refused addresses: %w", err)
	}
	return out, nil
}

// events runs a query that begins with eventColumns; last is the seq of the
// last one.
func (c *Cache) events(ctx context.Context, query string, args ...any) (list []Event, last int64, err error) {
	rows, err := c.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Event
		var at int64
		var enhanced string
		if err := rows.Scan(&last, &e.Account, &e.Job, &e.Batch, &e.Message, &e.Address, &e.Status, &e.Reply.Code.Basic, &enhanced, &e.Reply.Text, &at); err != nil {
			return nil, 0, fmt.Errorf("list events: %w", err)
		}
		e.At, e.Reply.Code.Enhanced = moment(at), parseEnhanced(enhanced)
		list = append(list, e)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	return list, last, nil
}

// parseEnhanced reads "5.1.1" (RFC 3463 §2); anything else counts as none.
func parseEnhanced(s string) (code [3]int) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return code
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return [3]int{}
		}
		code[i] = int(n)
	}
	return code
}

// Notice is a word of the service for the customer.
type Notice struct {
	ID       int64
	At       time.Time
	Kind     string
	Severity relayclient.NoticeSeverity
	Subject  string
	Body     string
	SeenAt   time.Time // zero: not yet
}

// Notices lists an account's notices, newest first; all, or those not seen. A
// notice that another took the place of is not among the latter, whether that
// one was seen or not: "nearly used" says nothing any more once it is used.
// Which is newer the time says, not the id: a relay that was set up anew
// begins its ids again.
func (c *Cache) Notices(ctx context.Context, account string, unseen bool) ([]Notice, error) {
	rows, err := c.read.QueryContext(ctx, `SELECT id, at, kind, severity, subject, body, acked_at FROM notices n
		WHERE account = ?1 AND (NOT ?2 OR acked_at = 0 AND (key = '' OR NOT EXISTS (
			SELECT 1 FROM notices newer WHERE newer.account = ?1 AND newer.key = n.key AND (newer.at, newer.id) > (n.at, n.id))))
		ORDER BY at DESC, id DESC`, account, unseen)
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	defer rows.Close()
	var list []Notice
	for rows.Next() {
		var n Notice
		var at, seen int64
		if err := rows.Scan(&n.ID, &at, &n.Kind, &n.Severity, &n.Subject, &n.Body, &seen); err != nil {
			return nil, fmt.Errorf("list notices: %w", err)
		}
		n.At, n.SeenAt = moment(at), moment(seen)
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return list, nil
}
