package relayclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip is a relay without a network, so that time can be the bubble's.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(r *http.Request, status int, header map[string]string, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}
}

func retrying(t *testing.T, retries int, f roundTrip) *Client {
	t.Helper()
	c, err := New(Options{BaseURL: "https://relay.example", Token: token, HTTPClient: &http.Client{Transport: f}, Retries: retries})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRetries(t *testing.T) {
	lost := errors.New("connection lost")
	for _, c := range []struct {
		name     string
		retries  int
		status   []int // of each attempt; 0: no answer
		after    string
		limit    time.Duration // of ctx, 0: none
		attempts int
		fine     bool
		atLeast  time.Duration
	}{
		{"fine at once", 3, []int{200}, "", 0, 1, true, 0},
		{"no retries asked for", 0, []int{503, 200}, "", 0, 1, false, 0},
		{"no answer, then fine", 3, []int{0, 0, 200}, "", 0, 3, true, 0},
		{"unavailable, then fine", 3, []int{502, 503, 504, 200}, "", 0, 4, true, 0},
		{"given up", 2, []int{503, 503, 503, 200}, "", 0, 3, false, 0},
		{"Retry-After is obeyed", 3, []int{429, 200}, "40", 0, 2, true, 40 * time.Second},
		{"longer than ctx: at once", 3, []int{429, 200}, "40", 30 * time.Second, 1, false, 0},
		{"a refusal is no reason", 3, []int{403, 200}, "", 0, 1, false, 0},
		{"a defect neither", 3, []int{500, 200}, "", 0, 1, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				cl := retrying(t, c.retries, func(r *http.Request) (*http.Response, error) {
					n++
					switch s := c.status[n-1]; s {
					case 0:
						return nil, lost
					case 200:
						return respond(r, 200, nil, `{}`), nil
					default:
						h := map[string]string{}
						if c.after != "" {
							h["Retry-After"] = c.after
						}
						return respond(r, s, h, `{"title":"x"}`), nil
					}
				})
				ctx := t.Context()
				if c.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.limit)
					defer cancel()
				}
				began := time.Now()
				_, err := cl.Account(ctx)
				if n != c.attempts || (err == nil) != c.fine || time.Since(began) < c.atLeast {
					t.Errorf("%d attempts in %s, %v", n, time.Since(began), err)
				}
			})
		})
	}
}

// TestDeviceIsMadeOnce holds that the one call which does more the second time
// is not repeated.
func TestDeviceIsMadeOnce(t *testing.T) {
	n := 0
	cl := retrying(t, 5, func(*http.Request) (*http.Response, error) {
		n++
		return nil, io.ErrUnexpectedEOF
	})
	if _, err := cl.CreateDevice(t.Context(), "alice", "pass", "pc"); err == nil || n != 1 {
		t.Errorf("%d attempts, %v", n, err)
	}
}

func TestTypedErrors(t *testing.T) {
	for status, want := range map[int]error{401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 409: ErrConflict, 410: ErrCursor, 413: ErrTooLarge,
		429: ErrTooMany, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable} {
		err := fmt.Errorf("wrapped: %w", &Error{Status: status})
		for _, s := range []error{ErrUnauthorized, ErrForbidden, ErrNotFound, ErrConflict, ErrCursor, ErrTooLarge, ErrTooMany, ErrUnavailable} {
			if errors.Is(err, s) != (s == want) {
				t.Errorf("%d is %v: %v", status, s, errors.Is(err, s))
			}
		}
	}
}

// TestUploadGoesOn cuts the connection in the middle of every piece.
func TestUploadGoesOn(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	var mu sync.Mutex
	var there []byte
	puts := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodHead {
			if len(there) == 0 {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("Upload-Offset", strconv.Itoa(len(there)))
			w.Header().Set("Upload-Complete", map[bool]string{true: "?1", false: "?0"}[len(there) == len(content)])
			w.WriteHeader(http.StatusNoContent)
			return
		}
		puts++
		at, _ := strconv.Atoi(r.Header.Get("Upload-Offset"))
		if at != len(there) || r.Header.Get("Upload-Length") != strconv.Itoa(len(content)) {
			t.Errorf("piece at %d of %s, want %d", at, r.Header.Get("Upload-Length"), len(there))
		}
		piece, _ := io.ReadAll(io.LimitReader(r.Body, 300_000))
		there = append(there, piece...)
		if len(there) < len(content) {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Upload-Complete", "?1")
	}))
	defer srv.Close()
	c, err := New(Options{BaseURL: srv.URL, Token: token, HTTPClient: srv.Client(), Retries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.UploadBody(t.Context(), "sum", int64(len(content)), bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(there, content) || puts != 4 {
		t.Errorf("%d bytes in %d pieces", len(there), puts)
	}
	if err := c.UploadBody(t.Context(), "sum", int64(len(content)), bytes.NewReader(content)); err != nil || puts != 4 {
		t.Errorf("again: %d pieces, %v", puts, err)
	}
}
