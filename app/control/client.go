package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/socket"
)

// callTime bounds a call whose context has no deadline. Setting an account
// tests the relay, and a cancelled job asks it: both may take a while.
const callTime = 2 * time.Minute

// Client talks to the engine that runs. Every method can fail with
// socket.ErrNotRunning.
type Client struct{ http *http.Client }

// Dial returns a client for the socket at path. It connects with the first call.
func Dial(path string) *Client { return &Client{http: socket.Client(path)} }

// Close ends the connections that are kept for further calls.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// State returns the present State.
func (c *Client) State(ctx context.Context) (app.State, error) {
	return get[app.State](ctx, c, "/v1/state", nil)
}

// Watch calls f with the present State, then with the latest one after every
// change, until the engine stops (nil), ctx ends or f fails (that error).
func (c *Client) Watch(ctx context.Context, f func(app.State) error) error {
	resp, err := c.send(ctx, http.MethodGet, "/v1/watch", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // read to its end, or left on purpose
	if resp.StatusCode != http.StatusOK {
		return failed(resp)
	}
	for d := json.NewDecoder(resp.Body); ; {
		var state app.State
		err := d.Decode(&state)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // a killed engine ends in mid-line
			return nil
		case err != nil:
			return fmt.Errorf("read state: %w", err)
		}
		if err := f(state); err != nil {
			return err
		}
	}
}

// Jobs returns a page of jobs.
func (c *Client) Jobs(ctx context.Context, q app.JobQuery) (app.JobPage, error) {
	open := ""
	if q.Open {
		open = "true"
	}
	return get[app.JobPage](ctx, c, "/v1/jobs", query("account", q.Account, "open", open, "cursor", q.Cursor, "limit", count(q.Limit)))
}

// Job returns a job with a page of its recipients.
func (c *Client) Job(ctx context.Context, id mail.JobID, cursor string, limit int) (app.JobDetail, error) {
	return get[app.JobDetail](ctx, c, "/v1/job", query("id", string(id), "cursor", cursor, "limit", count(limit)))
}

// Pause holds the queue of an account, or of all ("").
func (c *Client) Pause(ctx context.Context, account string) error {
	return c.do(ctx, "/v1/pause", ofAccount{account})
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, account string) error {
	return c.do(ctx, "/v1/resume", ofAccount{account})
}

// Retry lets a job's deferred recipients go now; without a job (""), whatever
// waits tries again.
func (c *Client) Retry(ctx context.Context, job mail.JobID) error {
	return c.do(ctx, "/v1/retry", ofJob{job})
}

// Cancel takes back what has not left of a job.
func (c *Client) Cancel(ctx context.Context, job mail.JobID) error {
	return c.do(ctx, "/v1/cancel", ofJob{job})
}

// Resolve decides about an uncertain batch.
func (c *Client) Resolve(ctx context.Context, job mail.JobID, batch int, sendAgain bool) error {
	return c.do(ctx, "/v1/resolve", resolution{job, batch, sendAgain})
}

// Usage returns what an account used.
func (c *Client) Usage(ctx context.Context, account string) (app.Usage, error) {
	return get[app.Usage](ctx, c, "/v1/usage", query("account", account))
}

// Errors returns a page of addresses that failed.
func (c *Client) Errors(ctx context.Context, q app.ErrorQuery) (app.ErrorPage, error) {
	return get[app.ErrorPage](ctx, c, "/v1/errors", query("account", q.Account, "search", q.Search, "cursor", q.Cursor, "limit", count(q.Limit)))
}

// Accounts lists the configured accounts.
func (c *Client) Accounts(ctx context.Context) ([]app.AccountInfo, error) {
	return get[[]app.AccountInfo](ctx, c, "/v1/accounts", nil)
}

// SetAccount adds or changes an account.
func (c *Client) SetAccount(ctx context.Context, in app.AccountInput) error {
	return c.do(ctx, "/v1/accounts", in)
}

// ForgetAccount removes an account.
func (c *Client) ForgetAccount(ctx context.Context, name string) error {
	return c.do(ctx, "/v1/forget", ofAccount{name})
}

// Login returns what a mail program needs.
func (c *Client) Login(ctx context.Context) (app.Login, error) {
	return get[app.Login](ctx, c, "/v1/login", nil)
}

// Certificate returns what mail programs must trust to use TLS.
func (c *Client) Certificate(ctx context.Context) (app.Certificate, error) {
	return get[app.Certificate](ctx, c, "/v1/certificate", nil)
}

// Stop asks the engine to end; it returns before the engine has.
func (c *Client) Stop(ctx context.Context) error { return c.do(ctx, "/v1/stop", nothing{}) }

// Raise asks the first start to show its window.
func (c *Client) Raise(ctx context.Context) error { return c.do(ctx, "/raise", nothing{}) }

// query builds a query from names and values; empty values are left out.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return call[T](ctx, c, http.MethodGet, path, nil)
}

func (c *Client) do(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	_, err = call[nothing](ctx, c, http.MethodPost, path, bytes.NewReader(text))
	return err
}

func call[T any](ctx context.Context, c *Client, method, path string, body io.Reader) (T, error) {
	var v T
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTime)
		defer cancel()
	}
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close() // read to its end
	if resp.StatusCode != http.StatusOK {
		return v, failed(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, fmt.Errorf("read answer: %w", err)
	}
	return v, nil
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://companion"+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the companion: %w", err)
	}
	return resp, nil
}

// failed rebuilds the engine's error. An answer without one comes from a
// version that does not know the path.
func failed(resp *http.Response) error {
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&f); err != nil || f.Kind == "" {
		f = otherVersion()
	}
	cause := map[string]error{kindNotFound: app.ErrNotFound, kindStopped: app.ErrStopped}[f.Kind]
	if f.Detail != "" {
		detail := errors.New(f.Detail)
		if cause != nil {
			detail = fmt.Errorf("%w: %s", cause, f.Detail)
		}
		cause = detail
	}
	return &app.UserError{Sentence: cmp.Or(f.Sentence, "The companion could not do this."), Action: f.Action, Err: cause}
}
