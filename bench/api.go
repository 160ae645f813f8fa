package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The load on the API: as many companions as make 1,000 calls per second
// without passing what one token or one address may ask. Each has a device, an
// address of 127.0.0.0/8 and connections of its own.
const (
	apiAccounts = 11
	apiDevices  = 10 // of each account
	apiRate     = 1000
	apiSeconds  = 10
)

// apiLatency prints how long calls take at a steady 1,000 per second, from the
// moment when each was due: a call that had to wait for the one before it is
// not made to look fast.
func apiLatency(ctx context.Context, bin, dir string) error {
	fmt.Println("\n| API at 1,000 calls per second | p50 ms | p99 ms | most ms | calls |")
	fmt.Println("|---|---|---|---|---|")
	r, err := startRelay(ctx, bin, dir, "maildir:"+dir, sqlite)
	if err != nil {
		return err
	}
	defer r.close()
	var companions []apiCompanion
	defer func() {
		for _, c := range companions {
			c.client.CloseIdleConnections()
		}
	}()
	for i := range apiAccounts {
		name := fmt.Sprintf("api%d", i)
		password, err := r.open(ctx, name)
		if err != nil {
			return err
		}
		if _, err := (poster{r.addr(), name, password}).post(ctx, 4, 100, 1, 1<<10); err != nil {
			return err
		}
		for range apiDevices {
			c := apiCompanion{client: apiClient(len(companions))}
			if c.token, err = r.token(ctx, c.client, name, password); err != nil {
				return err
			}
			companions = append(companions, c)
		}
	}
	calls := []apiCall{{"GET", "/v1/quota", ""}, {"GET", "/v1/policy", ""}, {"GET", "/v1/account", ""}, {"GET", "/v1/events", ""},
		{"GET", "/v1/notices", ""}, {"POST", "/v1/batches/check", `{"envids":["sb1.01ARZ3NDEKTSV4RRFFQ69G5FAV.1"]}`}}
	took, err := steady(ctx, "https://"+r.ready.API, companions, calls)
	if err != nil {
		return err
	}
	var all []time.Duration
	for i, call := range calls {
		fmt.Println(latencies(call.method+" "+call.path, took[i]))
		all = append(all, took[i]...)
	}
	fmt.Println(latencies("all", all))
	return nil
}

type apiCall struct{ method, path, body string }

type apiCompanion struct {
	client *http.Client
	token  string
}

// steady makes the calls in turn and tells how long each took, by call.
func steady(ctx context.Context, base string, companions []apiCompanion, calls []apiCall) ([][]time.Duration, error) {
	var next atomic.Int64
	var mu sync.Mutex // guards took
	took := make([][]time.Duration, len(calls))
	errs := make([]error, 64)
	var all sync.WaitGroup
	began := time.Now()
	for w := range errs {
		all.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= apiRate*apiSeconds {
					return
				}
				due := began.Add(time.Duration(i) * time.Second / apiRate)
				time.Sleep(time.Until(due))
				errs[w] = companions[i%len(companions)].call(ctx, base, calls[i%len(calls)])
				mu.Lock()
				took[i%len(calls)] = append(took[i%len(calls)], time.Since(due))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

func (c apiCompanion) call(ctx context.Context, base string, call apiCall) error {
	req, err := http.NewRequestWithContext(ctx, call.method, base+call.path, strings.NewReader(call.body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", call.path, resp.Status, text)
	}
	return err
}

// apiClient keeps its connections, as companions do, and calls from the n-th
// address.
func apiClient(n int) *http.Client {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n+1))}
	// Verification is no part of the figures: both ends are ours, on loopback.
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 4,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second, LocalAddr: from}).DialContext}}
}

func latencies(name string, took []time.Duration) string {
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
	return fmt.Sprintf("| %s | %.1f | %.1f | %.1f | %d |", name, at(0.5), at(0.99), at(1), len(took))
}

// token is a new device's.
func (r *relay) token(ctx context.Context, client *http.Client, name, password string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.ready.API+"/v1/devices", strings.NewReader(`{"name":"bench"}`))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(name, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var device struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&device); err != nil || device.Token == "" {
		return "", fmt.Errorf("new device: %s: %w", resp.Status, err)
	}
	return device.Token, nil
}
