package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/relayclient"
)

// batchesAPI answers about batches from what a scripted relay really has. It
// has no sockets, so that it works in a bubble of virtual time.
type batchesAPI struct {
	relay *apptest.Relay

	mu    sync.Mutex // guards what follows
	store string     // behind the endpoints
	down  bool
	asked []string // "check sb1…", "close sb1…", in their order
	wrong string   // a key about which it answers nonsense
}

// withAPI gives a sender that does not run yet the API of its relay.
func (b *senderTest) withAPI() *batchesAPI {
	b.t.Helper()
	api := &batchesAPI{relay: b.relay, store: "store-1"}
	client, err := relayclient.New(relayclient.Options{BaseURL: "https://relay.test", Token: "token", HTTPClient: &http.Client{Transport: api}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.sender.relay = &relay{account: settings.Account{Name: "office", API: "https://relay.test"}, client: client, token: "token"}
	return api
}

func (a *batchesAPI) set(change func(*batchesAPI)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

// questions lists the calls about batches so far.
func (a *batchesAPI) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// RoundTrip implements http.RoundTripper.
func (a *batchesAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, io.ErrUnexpectedEOF
	}
	var answer any
	switch what := strings.TrimPrefix(r.URL.Path, "/v1/"); what {
	case "endpoints":
		var list relayclient.Endpoints
		for store := range strings.SplitSeq(a.store, ",") {
			list.Endpoints = append(list.Endpoints, relayclient.Endpoint{Host: "relay.test", Port: 587, Store: store, TLS: "starttls", Roles: []string{"submission"}})
		}
		answer = list
	default:
		var q relayclient.BatchKeys
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			return nil, err
		}
		var out relayclient.Batches
		for _, key := range q.Envids {
			what := strings.TrimPrefix(what, "batches/")
			a.asked = append(a.asked, what+" "+key)
			out.Batches = append(out.Batches, a.tell(what, key))
		}
		answer = out
	}
	text, err := json.Marshal(answer)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r,
	}, err
}

// tell is what the relay knows of one key.
func (a *batchesAPI) tell(what, key string) relayclient.Batch {
	state := a.relay.Check(key)
	if what == "close" {
		state = a.relay.CloseKey(key)
	}
	b := relayclient.Batch{Envid: key, State: relayclient.BatchState(state)}
	if key == a.wrong {
		b.State, b.Recipients = relayclient.BatchStateAccepted, []relayclient.BatchRecipient{{Address: "stranger@else.invalid", Code: 250, Decision: "accepted"}}
		return b
	}
	for _, d := range a.relay.Decisions(key) {
		enhanced, text, _ := strings.Cut(d.Text, " ")
		r := relayclient.BatchRecipient{Address: d.Address, Code: int64(d.Code), Enhanced: enhanced, Decision: "accepted", Reply: text}
		if mail.ParseEnhanced(enhanced)[0] != 2 {
			r.Decision = "refused"
		}
		b.Recipients = append(b.Recipients, r)
	}
	return b
}

// newRelayTest is a sender whose relay keeps keys and has an API, in a bubble.
// It does not run yet.
func newRelayTest(t *testing.T, o apptest.Options) (*senderTest, *batchesAPI) {
	t.Helper()
	o.Keys = true
	b := prepareSenderTest(t, apptest.NewPipeRelay(t, o), quick)
	return b, b.withAPI()
}
