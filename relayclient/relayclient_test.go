package relayclient

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const token = "sbt_secret"

// seen is a request as the relay got it.
type seen struct{ Method, URI, Auth, Body string }

// relay answers every call with status and body, and remembers the last one.
func relay(t *testing.T, status int, header map[string]string, body string) (*Client, *seen) {
	t.Helper()
	got := &seen{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*got = seen{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), strings.TrimSpace(string(text))}
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return client(t, srv), got
}

func client(t *testing.T, srv *httptest.Server) *Client {
	t.Helper()
	c, err := New(Options{BaseURL: srv.URL, Token: token, HTTPClient: srv.Client(), UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var asJSON = map[string]string{"Content-Type": "application/json"}

// TestCalls sends every call and looks at what the relay gets and what comes
// back.
func TestCalls(t *testing.T) {
	ctx := context.Background()
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	left := int64(3)
	yes := &at
	for _, c := range []struct {
		name   string
		answer string
		call   func(*Client) (any, error)
		sent   seen
		want   any
	}{
		{"device", `{"id":"D","name":"pc","account":"alice","token":"sbt_new"}`,
			func(c *Client) (any, error) { return c.CreateDevice(ctx, "alice", "pass", "pc") },
			seen{"POST", "/v1/devices", "Basic YWxpY2U6cGFzcw==", `{"name":"pc"}`}, Device{ID: "D", Name: "pc", Account: "alice", Token: "sbt_new"}},
		{"account", `{"name":"alice","plan":"p","email":"e","status":"held","overage":"stop","zone":"UTC","created_at":"2026-11-25T09:00:00Z","new_field":[1]}`,
			func(c *Client) (any, error) { return c.Account(ctx) },
			seen{"GET", "/v1/account", "Bearer " + token, ""}, Account{Name: "alice", Plan: "p", Email: "e", Status: AccountStatusHeld, Overage: AccountOverageStop, Zone: "UTC", CreatedAt: at}},
		{"overage", `{"policy":"block"}`,
			func(c *Client) (any, error) { return nil, c.SetOveragePolicy(ctx, OveragePolicyPolicyBlock) },
			seen{"PATCH", "/v1/account/overage-policy", "Bearer " + token, `{"policy":"block"}`}, nil},
		{"quota", `{"plan":"p","emails_used":1,"emails_limit":4,"emails_left":3,"bytes_used":5,"bytes_limit":0,"period_start":"2026-11-25T09:00:00Z","period_end":"2026-11-25T09:00:00Z","reset":"2026-11-25T09:00:00Z"}`,
			func(c *Client) (any, error) { return c.Quota(ctx) },
			seen{"GET", "/v1/quota", "Bearer " + token, ""}, Quota{Plan: "p", EmailsUsed: 1, EmailsLimit: 4, EmailsLeft: &left, BytesUsed: 5, PeriodStart: at, PeriodEnd: at, Reset: at}},
		{"usage", `{"plan":"p","from":"2026-11-25T09:00:00Z","to":"2026-11-25T09:00:00Z","emails":1,"bytes":2,"emails_limit":3,"bytes_limit":4,"days":[{"day":"2026-11-25","emails":1,"bytes":2}]}`,
			func(c *Client) (any, error) { return c.Usage(ctx, at, at.AddDate(0, 0, 1)) },
			seen{"GET", "/v1/usage?from=2026-11-25&to=2026-11-26", "Bearer " + token, ""},
			Usage{Plan: "p", From: at, To: at, Emails: 1, Bytes: 2, EmailsLimit: 3, BytesLimit: 4, Days: []UsageDay{{Day: "2026-11-25", Emails: 1, Bytes: 2}}}},
		{"usage of the present period", `{"days":[]}`,
			func(c *Client) (any, error) { return c.Usage(ctx, time.Time{}, time.Time{}) },
			seen{"GET", "/v1/usage", "Bearer " + token, ""}, Usage{Days: []UsageDay{}}},
		{"check", `{"batches":[{"envid":"k1","state":"accepted","id":"M","accepted_at":"2026-11-25T09:00:00Z","recipients":[{"address":"a@x","decision":"refused","code":550,"enhanced":"5.1.1","reply":"no"}]}]}`,
			func(c *Client) (any, error) { return c.CheckBatches(ctx, []string{"k1"}) },
			seen{"POST", "/v1/batches/check", "Bearer " + token, `{"envids":["k1"]}`},
			[]Batch{{Envid: "k1", State: BatchStateAccepted, ID: pointer("M"), AcceptedAt: yes, Recipients: []BatchRecipient{{Address: "a@x", Decision: BatchRecipientDecisionRefused, Code: 550, Enhanced: "5.1.1", Reply: "no"}}}}},
		{"close", `{"batches":[{"envid":"k1","state":"closed"}]}`,
			func(c *Client) (any, error) { return c.CloseBatches(ctx, []string{"k1"}) },
			seen{"POST", "/v1/batches/close", "Bearer " + token, `{"envids":["k1"]}`}, []Batch{{Envid: "k1", State: BatchStateClosed}}},
		{"events", `{"events":[{"at":"2026-11-25T09:00:00Z","envid":"e","id":"M","recipient":"a@x","status":"deferred","code":451,"enhanced":"4.7.1","reply":"later"}],"cursor":"c2","more":true}`,
			func(c *Client) (any, error) {
				return c.Events(ctx, Page{Cursor: "c 1&x", Limit: 7, Wait: 1500 * time.Millisecond})
			},
			seen{"GET", "/v1/events?cursor=c+1%26x&limit=7&wait=1", "Bearer " + token, ""},
			Events{Events: []Event{{At: at, Envid: "e", ID: "M", Recipient: "a@x", Status: EventStatusDeferred, Code: 451, Enhanced: "4.7.1", Reply: "later"}}, Cursor: "c2", More: true}},
		{"errors", `{"errors":[{"at":"2026-11-25T09:00:00Z","envid":"e","recipient":"a@x","code":550,"enhanced":"5.1.1","reply":"no"}],"cursor":"c","more":false}`,
			func(c *Client) (any, error) { return c.Errors(ctx, Page{}) },
			seen{"GET", "/v1/errors", "Bearer " + token, ""},
			Errors{Errors: []Failure{{At: at, Envid: "e", Recipient: "a@x", Code: 550, Enhanced: "5.1.1", Reply: "no"}}, Cursor: "c"}},
		{"orders", `{"orders":[{"id":"O","kind":"upgrade","plan":"p","state":"waiting","price_minor":3,"paid_minor":1,"missing_minor":2,"currency":"EUR","created_at":"2026-11-25T09:00:00Z"}],"cursor":"c","more":true}`,
			func(c *Client) (any, error) { return c.Orders(ctx, Page{Cursor: "b", Limit: 1}) },
			seen{"GET", "/v1/orders?cursor=b&limit=1", "Bearer " + token, ""},
			Orders{Orders: []Order{{ID: "O", Kind: OrderKindUpgrade, Plan: "p", State: OrderStateWaiting, PriceMinor: 3, PaidMinor: 1, MissingMinor: 2, Currency: "EUR", CreatedAt: at}}, Cursor: "c", More: true}},
		{"bills", `{"bills":[],"cursor":"c","more":false}`,
			func(c *Client) (any, error) { return c.Bills(ctx, Page{}) },
			seen{"GET", "/v1/bills", "Bearer " + token, ""}, Bills{Bills: []PeriodBill{}, Cursor: "c"}},
		{"credits", `{"credits":[],"cursor":"c","more":false}`,
			func(c *Client) (any, error) { return c.Credits(ctx, Page{}) },
			seen{"GET", "/v1/credits", "Bearer " + token, ""}, Credits{Credits: []Credit{}, Cursor: "c"}},
		{"report", `{"month":"2026-11","plan":"Standard","from":"2026-11-25T09:00:00Z","to":"2026-11-25T09:00:00Z","emails":1,"bytes":2,"average_bytes":2,"percent":3,"emails_limit":4,"bytes_limit":5,"days":[{"day":"2026-11-25","emails":1,"bytes":2}],"failed_addresses":1,"errors_by_kind":[{"kind":"full","addresses":1}]}`,
			func(c *Client) (any, error) { return c.Report(ctx, "2026-11") },
			seen{"GET", "/v1/reports/2026-11", "Bearer " + token, ""}, MonthReport{Month: "2026-11", Plan: "Standard", From: at, To: at, Emails: 1, Bytes: 2, AverageBytes: 2, Percent: 3, EmailsLimit: 4, BytesLimit: 5,
				Days: []UsageDay{{Day: "2026-11-25", Emails: 1, Bytes: 2}}, FailedAddresses: 1, ErrorsByKind: []KindCount{{Kind: "full", Addresses: 1}}}},
		{"share", `{"recipients_per_minute":1,"rcpt_max":50,"account_recipients_per_minute":4,"batch":50,"personal_burst":5,"per_provider":{"a.example":2},"valid_seconds":60}`,
			func(c *Client) (any, error) { return c.Share(ctx, 7) },
			seen{"GET", "/v1/policy?waiting=7", "Bearer " + token, ""}, Policy{RecipientsPerMinute: 1, RcptMax: 50, AccountRecipientsPerMinute: 4, Batch: 50,
				PersonalBurst: 5, PerProvider: map[string]int64{"a.example": 2}, ValidSeconds: 60}},
		{"policy", `{"recipients_per_minute":1,"recipients_per_hour":2,"recipients_per_day":3,"rcpt_max":50,"message_max":5,"valid_seconds":300}`,
			func(c *Client) (any, error) { return c.Policy(ctx) },
			seen{"GET", "/v1/policy", "Bearer " + token, ""}, Policy{RecipientsPerMinute: 1, RecipientsPerHour: 2, RecipientsPerDay: 3, RcptMax: 50, MessageMax: 5, ValidSeconds: 300}},
		{"endpoints", `{"endpoints":[{"host":"h","port":587,"tls":"starttls","roles":["primary"],"store":"S"}]}`,
			func(c *Client) (any, error) { return c.Endpoints(ctx) },
			seen{"GET", "/v1/endpoints", "Bearer " + token, ""}, []Endpoint{{Host: "h", Port: 587, TLS: EndpointTLSStarttls, Roles: []string{"primary"}, Store: "S"}}},
		{"notices", `{"notices":[{"id":4,"at":"2026-11-25T09:00:00Z","kind":"quota","severity":"warning","subject":"s","body":"b"}],"cursor":"c","more":false}`,
			func(c *Client) (any, error) { return c.Notices(ctx, Page{Wait: time.Hour}) },
			seen{"GET", "/v1/notices?wait=60", "Bearer " + token, ""},
			Notices{Notices: []Notice{{ID: 4, At: at, Kind: "quota", Severity: NoticeSeverityWarning, Subject: "s", Body: "b"}}, Cursor: "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, got := relay(t, http.StatusOK, asJSON, c.answer)
			have, err := c.call(cl)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.sent, *got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.want, have); d != "" {
				t.Error(d)
			}
		})
	}
}

func pointer[T any](v T) *T { return &v }

func TestAckHasNoAnswer(t *testing.T) {
	c, got := relay(t, http.StatusNoContent, nil, "")
	if err := c.AckNotice(t.Context(), 7); err != nil || got.URI != "/v1/notices/7/ack" || got.Method != "POST" {
		t.Errorf("%v, %+v", err, *got)
	}
}

func TestRefusals(t *testing.T) {
	problem := map[string]string{"Content-Type": "application/problem+json"}
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		is     error
		want   Error
	}{
		{"unknown token", 401, problem, `{"title":"Unauthorized","status":401,"detail":"Not known."}`, ErrUnauthorized, Error{Status: 401, Title: "Unauthorized", Detail: "Not known."}},
		{"cursor", 410, problem, `{"title":"Gone","detail":"Start again."}`, ErrCursor, Error{Status: 410, Title: "Gone", Detail: "Start again."}},
		{"not found", 404, problem, `{"title":"Not Found"}`, ErrNotFound, Error{Status: 404, Title: "Not Found"}},
		{"too many", 429, map[string]string{"Content-Type": "application/problem+json", "Retry-After": "7"}, `{"title":"Too Many Requests"}`, ErrTooMany, Error{Status: 429, Title: "Too Many Requests", RetryAfter: 7 * time.Second}},
		{"a proxy in between", 502, map[string]string{"Content-Type": "text/html"}, `<h1>secret inside</h1>`, nil, Error{Status: 502, Title: "Bad Gateway"}},
		{"broken problem", 500, problem, `{"detail":`, nil, Error{Status: 500, Title: "Internal Server Error"}},
		{"redirect", 302, map[string]string{"Location": "https://elsewhere.example/"}, "", nil, Error{Status: 302, Title: "Found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, _ := relay(t, c.status, c.header, c.body)
			_, err := cl.Events(t.Context(), Page{})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(c.want, *got); d != "" {
				t.Error(d)
			}
			for _, s := range []error{ErrUnauthorized, ErrCursor, ErrNotFound, ErrTooMany} {
				if errors.Is(err, s) != (s == c.is) {
					t.Errorf("is %v: %v", s, errors.Is(err, s))
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("tells too much: %v", err)
			}
		})
	}
}

func TestUnreadableAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON": "<html>", "cut": `{"batches":[`, "empty": "", "fewer batches than asked": `{"batches":[]}`, "too long": `{"batches":[` + strings.Repeat(" ", maxAnswer) + `]}`,
	} {
		c, _ := relay(t, http.StatusOK, asJSON, body)
		got, err := c.CheckBatches(t.Context(), []string{"k"})
		var refused *Error
		if err == nil || errors.As(err, &refused) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestNothingIsRepeated counts the requests of a call that fails.
func TestNothingIsRepeated(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	_, err := client(t, srv).CloseBatches(t.Context(), []string{"k"})
	if err == nil || requests.Load() != 1 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
	if strings.Contains(err.Error(), srv.URL) {
		t.Errorf("the error tells the address: %v", err)
	}
}

// TestEveryCallEnds against a relay that never answers.
func TestEveryCallEnds(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	c, err := New(Options{BaseURL: srv.URL, Token: token, HTTPClient: srv.Client(), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("time-out: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Events(ctx, Page{Wait: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOnlyHTTPS(t *testing.T) {
	for _, address := range []string{"http://relay.example", "relay.example", "", "https://", "ftp://relay.example", "://"} {
		if _, err := New(Options{BaseURL: address, Token: token}); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
	if _, err := New(Options{BaseURL: "https://relay.example:8443/"}); err != nil {
		t.Error(err)
	}
	// A certificate that nobody vouches for gets neither token nor password.
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	c, err := New(Options{BaseURL: srv.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateDevice(t.Context(), "alice", "pass", "pc"); err == nil || strings.Contains(err.Error(), "pass") {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateDevice(t.Context(), "a:b", "pass", "pc"); err == nil {
		t.Error("a colon in the name was accepted")
	}
}

func TestErrorText(t *testing.T) {
	for e, want := range map[*Error]string{
		{Status: 429, Title: "Too Many Requests", Detail: "Wait."}: "relay: 429 Too Many Requests: Wait.",
		{Status: 502, Title: "Bad Gateway"}:                        "relay: 502 Bad Gateway",
	} {
		if e.Error() != want {
			t.Errorf("got %q, want %q", e.Error(), want)
		}
	}
}
