package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
)

var errStop = errors.New("the engine stops")

// stopAfter ends a context one second from now.
func stopAfter(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(d, func() { cancel(errStop) })
	t.Cleanup(func() { timer.Stop(); cancel(nil) })
	return ctx
}

func TestCancelWhileConnecting(t *testing.T) {
	for _, step := range []apptest.Step{apptest.Banner, apptest.EHLO, apptest.StartTLS, apptest.TLS, apptest.Auth} {
		for _, b := range []apptest.Behaviour{apptest.Silent(), apptest.StopReading()} {
			bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
				r.Script(step, b)
				began := time.Now()
				_, err := Connect(stopAfter(t, time.Second), config(t, r, r.StartTLS(), r.TLS()))
				var ce *ConnectError
				if !errors.Is(err, errStop) || errors.As(err, &ce) || time.Since(began) != time.Second {
					t.Errorf("%s: %v after %v", step, err, time.Since(began))
				}
				if r.Connections() != 1 {
					t.Errorf("%s: %d connections", step, r.Connections())
				}
			})
		}
	}
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) { // while the keyring prompts
		cfg := config(t, r)
		cfg.Password = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		if _, err := Connect(stopAfter(t, time.Second), cfg); !errors.Is(err, errStop) {
			t.Errorf("got %v", err)
		}
	})
}

// A context that ends closes the connection at once, at every step; what can
// be known stays known.
func TestCancelWhileSending(t *testing.T) {
	body := string(large(1 << 20))
	for _, omit := range [][]string{nil, {"PIPELINING"}} {
		for _, c := range []struct {
			step apptest.Step
			want Verdict
		}{{apptest.Mail, Returned}, {apptest.Rcpt, Returned}, {apptest.Data, Returned}, {apptest.Body, Returned}, {apptest.Dot, Unknown}} {
			for name, b := range map[string]apptest.Behaviour{"silent": apptest.Silent(), "stops reading": apptest.StopReading()} {
				if c.step == apptest.Body && name == "silent" {
					continue // reads the dot as well
				}
				t.Run(fmt.Sprintf("%s/%s/without %v", c.step, name, omit), func(t *testing.T) {
					bubble(t, apptest.Options{Omit: omit}, func(t *testing.T, r *apptest.Relay) {
						s := connect(t, config(t, r))
						r.Script(c.step, b)
						began := time.Now()
						res := s.Send(stopAfter(t, time.Second), batchOf(1, body, "a", "b"), strings.NewReader(body), openGate)
						if res.Verdict != c.want || res.Reusable || !errors.Is(res.Err, errStop) || time.Since(began) != time.Second {
							t.Errorf("got %s after %v: %v", letters(res), time.Since(began), res.Err)
						}
					})
				})
			}
		}
	}
}

func TestCancelAtTheGate(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		res := s.Send(stopAfter(t, time.Second), batch(1), strings.NewReader(testBody), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if res.Verdict != Returned || !errors.Is(res.Err, ErrGate) || !res.LeftAt.IsZero() || slices.Contains(r.Commands(), "DATA") {
			t.Errorf("got %+v", res)
		}
	})
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if res := s.Send(ctx, batch(1), strings.NewReader(testBody), openGate); res.Verdict != Returned || !res.Reusable || len(r.Transactions()) != 0 {
			t.Errorf("with a context that has ended: %+v", res)
		}
		if got := letters(send(t, s, 1)); got != "done aaa" {
			t.Errorf("afterwards: %s", got)
		}
	})
}

// Every wait of Send ends at its own limit.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		step apptest.Step
		b    apptest.Behaviour
		want time.Duration
	}{
		{apptest.Mail, apptest.Silent(), 5 * time.Minute},
		{apptest.Rcpt, apptest.Silent(), 5 * time.Minute},
		{apptest.Data, apptest.Silent(), 5 * time.Minute},
		{apptest.Body, apptest.StopReading(), 5*time.Minute + lastWords},
		{apptest.Dot, apptest.Silent(), 10 * time.Minute},
		{apptest.Dot, apptest.Raw("250-dripping"), 10 * time.Minute},
	} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.Script(c.step, c.b)
			body := string(large(1 << 20))
			began := time.Now()
			res := s.Send(t.Context(), batchOf(1, body, "a"), strings.NewReader(body), openGate)
			if took := time.Since(began); took != c.want || res.Verdict == Done {
				t.Errorf("%s: %s after %v, want %v", c.step, letters(res), took, c.want)
			}
		})
	}
}

// cutter ends the connection after a number of bytes in one direction.
type cutter struct {
	net.Conn
	left *atomic.Int64 // below 0: never
	read bool
}

func (c cutter) Read(p []byte) (int, error) {
	if !c.read || c.left.Load() < 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), max(c.left.Load(), 1))])
	return n, c.take(n, err)
}

func (c cutter) Write(p []byte) (int, error) {
	left := c.left.Load()
	if c.read || left < 0 || int64(len(p)) <= left {
		n, err := c.Conn.Write(p)
		if !c.read {
			err = c.take(n, err)
		}
		return n, err
	}
	n, _ := c.Conn.Write(p[:left])
	c.Conn.Close()
	return n, net.ErrClosed
}

func (c cutter) take(n int, err error) error {
	if left := c.left.Load(); left >= 0 && err == nil {
		if c.left.Store(left - int64(n)); left-int64(n) <= 0 {
			c.left.Store(0)
			c.Conn.Close()
		}
	}
	return err
}

// The connection breaks after any number of bytes, in either direction. What is
// reported must agree with what the relay has; sending the same batch again
// until it is done must make exactly one acceptance.
func TestCutAnywhere(t *testing.T) {
	const step = 7 // the record with the dot has 25 bytes
	for _, read := range []bool{false, true} {
		verdicts := map[Verdict]int{}
		for at := int64(0); at < 1500; at += step {
			synctest.Test(t, func(t *testing.T) {
				r := apptest.NewPipeRelay(t, apptest.Options{Keys: true})
				left := new(atomic.Int64)
				left.Store(-1)
				cfg := config(t, r, r.TLS())
				cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := r.Dial(ctx, network, address)
					return cutter{nc, left, read}, err
				}
				s := connect(t, cfg)
				left.Store(at)
				res := send(t, s, 1)
				verdicts[res.Verdict]++
				synctest.Wait() // the relay reads to the end what has reached it
				accepted := len(r.Accepted())
				switch {
				case res.Verdict == Returned && accepted == 0, res.Verdict == Done && accepted == 1, res.Verdict == Unknown:
				default:
					t.Errorf("cut after %d bytes (reading %v): %s, and the relay accepted %d", at, read, letters(res), accepted)
				}
				if res.Verdict == Done {
					return
				}
				left.Store(-1)
				if res := send(t, connect(t, cfg), 1); letters(res) != "done aaa" || res.Replayed != (accepted == 1) {
					t.Errorf("cut after %d bytes (reading %v), sent again: %s, replayed %v", at, read, letters(res), res.Replayed)
				}
				if n := len(r.Accepted()); n != 1 {
					t.Errorf("cut after %d bytes: accepted %d times", at, n)
				}
			})
		}
		if verdicts[Returned] == 0 || verdicts[Done] == 0 || verdicts[Unknown] == 0 {
			t.Errorf("reading %v: the cuts did not reach every state: %v", read, verdicts)
		}
	}
}

// Many batches, with failures among them, over one session.
func TestManyBatches(t *testing.T) {
	bubble(t, apptest.Options{Keys: true}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		scripts := []func(){
			func() { r.Script(apptest.Mail, apptest.Answer(451, "4.7.1 SSMTP-PACE retry=1"), apptest.Usual()) },
			func() { r.Script(apptest.Rcpt, apptest.Answer(550, "5.1.1 no"), apptest.Usual()) },
			func() { r.Script(apptest.Data, apptest.Answer(451, "4.3.0 later"), apptest.Usual()) },
			func() { r.Script(apptest.Dot, apptest.Answer(451, "4.3.0 later"), apptest.Usual()) },
			func() {},
		}
		want := []string{"held pace", "done faa", "done ddd", "done ddd", "done aaa"}
		for i := range 200 {
			scripts[i%len(scripts)]()
			if res := send(t, s, i+1); letters(res) != want[i%len(want)] || !res.Reusable {
				t.Fatalf("batch %d: %s, reusable %v (%v)", i, letters(res), res.Reusable, res.Err)
			}
		}
		if r.Connections() != 1 || len(r.Accepted()) != 80 || slices.Contains(r.Commands(), "QUIT") {
			t.Errorf("%d connections, %d accepted", r.Connections(), len(r.Accepted()))
		}
	})
}
