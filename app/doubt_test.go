package app

import (
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/relayclient"
)

// fakeAPI answers what a sender asks about batches. It stands for the relay's
// API, which the end-to-end tests run for real.
type fakeAPI struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	state   relayclient.BatchState
	token   string
	devices int
	asked   []string // paths
}

func newFakeAPI(t *testing.T, state relayclient.BatchState) *fakeAPI {
	f := &fakeAPI{state: state, token: "first"}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

// seen is how many devices were registered, and how many calls came.
func (f *fakeAPI) seen() (devices, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.devices, len(f.asked)
}

func (f *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.URL.Path)
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	switch {
	case r.URL.Path == "/v1/devices":
		if _, password, _ := r.BasicAuth(); password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.devices++
		w.WriteHeader(http.StatusCreated)
		answer(relayclient.Device{Account: "office", ID: "d", Name: "test", Token: f.token})
	case r.Header.Get("Authorization") != "Bearer "+f.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v1/endpoints":
		answer(relayclient.Endpoints{Endpoints: []relayclient.Endpoint{{Host: "localhost", Port: 1, Store: "store-1", TLS: "starttls", Roles: []string{"submission"}}}})
	default: // check and close
		var q relayclient.BatchKeys
		json.NewDecoder(r.Body).Decode(&q)
		var out relayclient.Batches
		for _, k := range q.Envids {
			b := relayclient.Batch{Envid: k, State: f.state}
			if f.state == relayclient.BatchStateAccepted {
				b.Recipients = []relayclient.BatchRecipient{
					{Address: "r0@dst.invalid", Code: 250, Enhanced: "2.1.5", Decision: "accepted"},
					{Address: "r1@dst.invalid", Code: 550, Enhanced: "5.1.1", Decision: "refused", Reply: "known dead"},
				}
			}
			out.Batches = append(out.Batches, b)
		}
		answer(out)
	}
}

// doubtTest is a sender whose relay has an API.
func doubtTest(t *testing.T, api *fakeAPI) *senderTest {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	password := filepath.Join(dir, "password")
	for file, text := range map[string][]byte{ca: text, password: []byte("right")} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secrets := secret.Open(secret.Config{Dir: filepath.Join(dir, "secrets"), Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { secrets.Close() })
	secrets.Use("office", "file:"+password)
	b := prepareSenderTest(t, apptest.NewRelay(t, apptest.Options{Keys: true}), quick)
	b.sender.relay = &relay{account: settings.Account{Name: "office", User: "alice", Credential: "file:" + password, API: api.URL, CAFile: ca}, secrets: secrets}
	b.start()
	return b
}

// until waits for real time to bring what the test wants.
func (b *senderTest) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: did not happen", what)
		}
	}
}

func TestALostAnswerIsAskedOfTheRelay(t *testing.T) {
	for _, c := range []struct {
		state        relayclient.BatchState
		transactions int
		want         spool.Counts
	}{
		{relayclient.BatchStateAccepted, 1, spool.Counts{Accepted: 1, Failed: 1}},
		{relayclient.BatchStateUnknown, 2, spool.Counts{Accepted: 2}}, // offered again under the same key
		{relayclient.BatchStateClosed, 1, spool.Counts{Cancelled: 2}},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			b := doubtTest(t, newFakeAPI(t, c.state))
			defer b.end()
			b.relay.Script(apptest.Dot, apptest.EffectThenHangUp(), apptest.Usual())
			id := b.accept(2, "dst.invalid")
			b.until("the job is done", func() bool { return b.job(id).State == spool.JobDone })
			list := b.relay.Transactions()
			if len(list) != c.transactions || b.job(id).Counts != c.want {
				t.Errorf("%d transactions, counts %+v; want %d, %+v", len(list), b.job(id).Counts, c.transactions, c.want)
			}
			if last := list[len(list)-1]; last.EnvelopeID != list[0].EnvelopeID || last.Replayed != (c.transactions == 2) {
				t.Errorf("last transaction %+v", last)
			}
			if n := len(b.relay.Accepted()); n != 1 {
				t.Errorf("accepted %d times", n)
			}
		})
	}
}

func TestATokenIsRenewedOnlyWhenTheRelayDoesNotKnowIt(t *testing.T) {
	api := newFakeAPI(t, relayclient.BatchStateUnknown)
	b := doubtTest(t, api)
	defer b.end()
	ask := func() error {
		return b.sender.relay.do(t.Context(), func(c *relayclient.Client) error { _, err := c.Endpoints(t.Context()); return err })
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := api.seen(); n != 1 {
		t.Errorf("%d devices for one companion", n)
	}
	api.mu.Lock()
	api.token = "second" // the relay forgot the first
	api.mu.Unlock()
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if n, _ := api.seen(); n != 2 {
		t.Errorf("%d devices, want a second one", n)
	}
}

func TestARefusedPasswordIsNotTriedAtTheAPIAgain(t *testing.T) {
	api := newFakeAPI(t, relayclient.BatchStateUnknown)
	b := doubtTest(t, api)
	defer b.end()
	file := b.sender.relay.account.Credential[len("file:"):]
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := b.sender.relay.do(t.Context(), func(*relayclient.Client) error { return nil }); err == nil {
			t.Fatal("a wrong password was good enough")
		}
	}
	if _, n := api.seen(); n != 1 {
		t.Errorf("asked %d times with a password that was refused", n)
	}
	if err := os.WriteFile(file, []byte("right"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.sender.relay.do(t.Context(), func(*relayclient.Client) error { return nil }); err != nil {
		t.Errorf("the new password was not tried: %v", err)
	}
}

func TestCancelClosesWhatWasDialled(t *testing.T) {
	b := doubtTest(t, newFakeAPI(t, relayclient.BatchStateClosed))
	defer b.end()
	b.relay.Script(apptest.Data, apptest.HangUp())
	id := b.accept(2, "dst.invalid")
	b.until("a dial", func() bool { return len(b.relay.Transactions()) > 0 })
	b.sender.setPaused(true)
	b.until("quiet", func() bool { return b.sender.sending() == 0 })
	if _, err := b.spool.Cancel(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	token(b.sender.doubt)
	b.until("the job is done", func() bool { return b.job(id).State == spool.JobDone })
	if c := b.job(id).Counts; c != (spool.Counts{Cancelled: 2}) {
		t.Errorf("counts %+v", c)
	}
	if len(b.relay.Accepted()) != 0 {
		t.Error("a cancelled message was accepted")
	}
}

func TestMarkedBatchesOfAForeignServerWaitForAPerson(t *testing.T) {
	b := prepareSenderTest(t, apptest.NewRelay(t, apptest.Options{}), quick) // no API
	b.start()
	defer b.end()
	b.relay.Script(apptest.Dot, apptest.EffectThenHangUp(), apptest.Usual())
	id := b.accept(1, "dst.invalid")
	b.until("a person must decide", func() bool { return b.job(id).State == spool.JobUncertain })
	if err := b.spool.Resolve(t.Context(), id, 1, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.sender.retryNow()
	b.until("sent again", func() bool { return b.job(id).State == spool.JobDone })
	if n := len(b.relay.Transactions()); n != 2 {
		t.Errorf("%d transactions", n)
	}
}

func TestA421InPlaceOfTheAnswerIsDoubted(t *testing.T) {
	b := doubtTest(t, newFakeAPI(t, relayclient.BatchStateAccepted))
	defer b.end()
	b.relay.Script(apptest.Dot, apptest.Answer(421, "4.3.0 Internal server error"), apptest.Usual())
	id := b.accept(2, "dst.invalid")
	b.until("the job is done", func() bool { return b.job(id).State == spool.JobDone })
	if n := len(b.relay.Transactions()); n != 1 {
		t.Errorf("%d transactions: the relay had it already", n)
	}
}
