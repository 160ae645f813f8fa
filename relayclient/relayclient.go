// Package relayclient is the client of the relay's API.
//
// generated.go is made from openapi.yaml, which is made from the server (go
// generate ./server/api); this file is the face that programs use. It promises
// that every call ends: by its context, or by Options.Timeout without news
// from the relay. It repeats a call only where Options.Retries asks for it, and
// only one that does no more the second time. It never sends a password or
// token over plain HTTP, or follows a redirect with one. It starts no goroutine.
//
// A call that the relay refused returns *Error with the problem that it told
// (RFC 9457); any other error means that no answer came.
package relayclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	openapi "github.com/oapi-codegen/runtime/types"
)

// What callers branch on; use errors.Is.
var (
	ErrUnauthorized = errors.New("the relay does not know this login or token")
	ErrCursor       = errors.New("the cursor is not of this relay's store: start again without one")
	ErrNotFound     = errors.New("the relay has no such thing")
	ErrTooMany      = errors.New("too many requests")
)

const (
	defaultTimeout = 30 * time.Second
	maxAnswer      = 16 << 20 // bytes; 500 batches of 50 recipients with long replies are below 10 MB
	maxWait        = 60 * time.Second
)

// Error is a refusal of the relay.
type Error struct {
	Status     int           // HTTP status
	Title      string        // of the problem
	Detail     string        // one sentence for a person
	RetryAfter time.Duration // the relay's wish, 0: none
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("relay: %d %s", e.Status, e.Title)
	}
	return fmt.Sprintf("relay: %d %s: %s", e.Status, e.Title, e.Detail)
}

// Is makes errors.Is work with the sentinels.
func (e *Error) Is(target error) bool {
	is := named(e.Status)
	return is != nil && is == target
}

// Options say which relay and who asks.
type Options struct {
	BaseURL    string        // https://host:port, without /v1
	Token      string        // from CreateDevice; "" for CreateDevice alone
	HTTPClient *http.Client  // nil: http.DefaultTransport; its Timeout must leave room for the longest wait
	Timeout    time.Duration // of one call, on top of what it asks the relay to wait; 0: 30 s
	UserAgent  string
	Retries    int // how often a call is repeated that no answer came to, or one that asks for it (429, 502, 503, 504)
}

// Client asks one relay on behalf of one account. It may be used from any
// goroutine.
type Client struct {
	calls   *Calls
	token   string
	agent   string
	timeout time.Duration
	retries int
}

// New makes a client. It connects to nobody yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("address of the relay's API %q: write https://host or https://host:port", o.BaseURL)
	}
	if base.Scheme != "https" {
		return nil, fmt.Errorf("address of the relay's API %q: it must begin with https://", o.BaseURL)
	}
	doer := http.Client{Transport: http.DefaultTransport}
	if o.HTTPClient != nil {
		doer = *o.HTTPClient
	}
	doer.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{token: o.Token, agent: o.UserAgent, timeout: o.Timeout, retries: o.Retries}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	c.calls, err = NewClient(strings.TrimSuffix(o.BaseURL, "/")+"/v1", WithHTTPClient(&doer))
	return c, err
}

// CreateDevice makes a token with the SMTP login.
func (c *Client) CreateDevice(ctx context.Context, user, password, name string) (Device, error) {
	login := func(_ context.Context, r *http.Request) error {
		// RFC 7617 §2: a colon would end the user's name.
		if strings.Contains(user, ":") {
			return errors.New("a login name cannot contain a colon")
		}
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
		return nil
	}
	return once[Device](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.CreateDevice(ctx, DeviceRequest{Name: name}, edit, login)
	})
}

// Account is the account.
func (c *Client) Account(ctx context.Context) (Account, error) {
	return call[Account](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetAccount(ctx, edit)
	})
}

// SetOveragePolicy chooses what happens at the limit of a bandwidth plan.
func (c *Client) SetOveragePolicy(ctx context.Context, policy OveragePolicyPolicy) error {
	_, err := call[OveragePolicy](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.SetOveragePolicy(ctx, OveragePolicy{Policy: policy}, edit)
	})
	return err
}

// Quota is the plan's present period.
func (c *Client) Quota(ctx context.Context) (Quota, error) {
	return call[Quota](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetQuota(ctx, edit)
	})
}

// Usage is what was sent from the day of from up to the day of to, which is
// not included. Zero times stand for the ends of the present period.
func (c *Client) Usage(ctx context.Context, from, to time.Time) (Usage, error) {
	params := &GetUsageParams{From: date(from), To: date(to)}
	return call[Usage](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetUsage(ctx, params, edit)
	})
}

func date(t time.Time) *openapi.Date {
	if t.IsZero() {
		return nil
	}
	return &openapi.Date{Time: t}
}

// CheckBatches asks what became of batches, at most 500 in one call; the
// answers are in the order of the keys.
func (c *Client) CheckBatches(ctx context.Context, envids []string) ([]Batch, error) {
	b, err := call[Batches](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.CheckBatches(ctx, BatchKeys{Envids: envids}, edit)
	})
	return answers(b, len(envids), err)
}

// CloseBatches closes batches, at most 500 in one call, so that they can no
// longer be accepted. A batch that was accepted before is answered so.
func (c *Client) CloseBatches(ctx context.Context, envids []string) ([]Batch, error) {
	b, err := call[Batches](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.CloseBatches(ctx, BatchKeys{Envids: envids}, edit)
	})
	return answers(b, len(envids), err)
}

func answers(b Batches, asked int, err error) ([]Batch, error) {
	if err == nil && len(b.Batches) != asked {
		err = fmt.Errorf("the relay answered %d batches of %d", len(b.Batches), asked)
	}
	if err != nil {
		return nil, err
	}
	return b.Batches, nil
}

// Page says where to read on, and how long to wait for something new (whole
// seconds, a minute at most).
type Page struct {
	Cursor string
	Limit  int // 0: the relay's default
	Wait   time.Duration
}

func (p Page) cursor() *string {
	if p.Cursor == "" {
		return nil
	}
	return &p.Cursor
}

func (p Page) limit() *int64 {
	if p.Limit <= 0 {
		return nil
	}
	n := int64(p.Limit)
	return &n
}

func (p Page) wait() *int64 {
	n := int64(min(max(p.Wait, 0), maxWait) / time.Second)
	if n == 0 {
		return nil
	}
	return &n
}

// Events is a page of what became of accepted recipients.
func (c *Client) Events(ctx context.Context, p Page) (Events, error) {
	params := &GetEventsParams{Cursor: p.cursor(), Limit: p.limit(), Wait: p.wait()}
	return call[Events](ctx, c, p.Wait, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetEvents(ctx, params, edit)
	})
}

// Errors is a page of addresses that failed for good. Wait is not used.
func (c *Client) Errors(ctx context.Context, p Page) (Errors, error) {
	params := &GetErrorsParams{Cursor: p.cursor(), Limit: p.limit()}
	return call[Errors](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetErrors(ctx, params, edit)
	})
}

// Report is what the account sent in a month, written as "2026-11". A month
// without anything is ErrNotFound.
func (c *Client) Report(ctx context.Context, month string) (MonthReport, error) {
	return call[MonthReport](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetReport(ctx, month, edit)
	})
}

// Policy is the pace and the limits that the relay sets.
func (c *Client) Policy(ctx context.Context) (Policy, error) {
	return call[Policy](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetPolicy(ctx, nil, edit)
	})
}

// Share is Policy, asked for by a device on which so many recipients wait: the
// relay shares the account's pace among the devices that have some.
func (c *Client) Share(ctx context.Context, waiting int64) (Policy, error) {
	return call[Policy](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetPolicy(ctx, &GetPolicyParams{Waiting: &waiting}, edit)
	})
}

// Endpoints is where mail can be handed in, best first.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	e, err := call[Endpoints](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetEndpoints(ctx, edit)
	})
	return e.Endpoints, err
}

// Notices is a page of words of the service for the customer.
func (c *Client) Notices(ctx context.Context, p Page) (Notices, error) {
	params := &GetNoticesParams{Cursor: p.cursor(), Limit: p.limit(), Wait: p.wait()}
	return call[Notices](ctx, c, p.Wait, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetNotices(ctx, params, edit)
	})
}

// AckNotice says that a notice was seen.
func (c *Client) AckNotice(ctx context.Context, id int64) error {
	_, err := call[struct{}](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.AckNotice(ctx, id, edit)
	})
	return err
}

// once runs one request and reads its answer, whatever wait the relay was
// asked for on top of the time-out.
func once[T any](ctx context.Context, c *Client, wait time.Duration, send func(context.Context, RequestEditorFn) (*http.Response, error)) (T, error) {
	var answer T
	ctx, cancel := context.WithTimeout(ctx, c.timeout+min(max(wait, 0), maxWait))
	defer cancel()
	resp, err := send(ctx, c.sign)
	if err != nil {
		return answer, fmt.Errorf("ask relay: %w", plain(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer, fmt.Errorf("read relay's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return answer, refusal(resp, body)
	}
	if resp.StatusCode == http.StatusNoContent {
		return answer, nil
	}
	if len(body) > maxAnswer {
		return answer, &answerError{errors.New("the relay's answer is too long")}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, &answerError{fmt.Errorf("read relay's answer: %w", err)}
	}
	return answer, nil
}

// sign puts the token on a request that carries no login.
func (c *Client) sign(_ context.Context, r *http.Request) error {
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.agent != "" {
		r.Header.Set("User-Agent", c.agent)
	}
	r.Header.Set("Accept", "application/json")
	return nil
}

// refusal reads the problem. Whatever stands between us and the relay (a
// proxy, a sign-in page) may answer something else, which is not shown.
func refusal(resp *http.Response, body []byte) error {
	e := &Error{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	var p ErrorModel
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &p) == nil {
		if p.Title != nil {
			e.Title = *p.Title
		}
		if p.Detail != nil {
			e.Detail = *p.Detail
		}
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

// plain takes the URL, with its cursors, off a transport's error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
