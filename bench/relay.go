package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// submissions prints how fast the relay takes mail on each of its databases,
// beside Postfix. All three accept durably, over TLS, and send nothing on.
func submissions(ctx context.Context, bin, dir string, rounds int) error {
	p, err := startPostfix(ctx, filepath.Join(dir, "postfix-tls"), overTLS)
	if err != nil {
		return err
	}
	defer p.close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer silent.Close() // takes connections into its backlog and never greets: the queue waits
	db, err := startPostgres(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return err
	}
	defer db.close()
	fmt.Println("\n| submissions of 10 KB per second | relay on SQLite | relay on PostgreSQL | Postfix | ratio SQLite | ratio PostgreSQL |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, recipients := range []int{1, 50} {
		for _, conns := range []int{1, 8, 32} {
			l := submission{conns: conns, recipients: recipients, count: 2000}
			if recipients > 1 {
				l.count = 600
			}
			var rates [3][]float64
			for range rounds {
				for i, target := range []func(context.Context, submission) (float64, error){
					onRelay(bin, dir, silent.Addr().String(), sqlite), onRelay(bin, dir, silent.Addr().String(), db.database), p.submissions,
				} {
					rate, err := target(ctx, l)
					if err != nil {
						return err
					}
					rates[i] = append(rates[i], rate)
				}
			}
			fmt.Println(l.row(rates))
		}
	}
	return nil
}

// submission is one row of the table.
type submission struct{ conns, recipients, count int }

func (l submission) row(rates [3][]float64) string {
	return fmt.Sprintf("| %d × %d recipients | %.0f | %.0f | %.0f | %s | %s |", l.conns, l.recipients,
		median(rates[0]), median(rates[1]), median(rates[2]), ratio(rates[0], rates[2]), ratio(rates[1], rates[2]))
}

// ratio compares run by run: median, and the least and the most.
func ratio(a, b []float64) string {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	slices.Sort(r)
	return fmt.Sprintf("%.1f (%.1f–%.1f)", median(r), r[0], r[len(r)-1])
}

func (p *postfix) submissions(ctx context.Context, l submission) (float64, error) {
	took, err := poster{address: p.address}.post(ctx, l.conns, l.count, l.recipients, 10<<10)
	if err != nil {
		return 0, fmt.Errorf("submit to Postfix: %w", err)
	}
	return float64(l.count) / took.Seconds(), p.reset()
}

// dsn makes an empty database and tells its address; "" is SQLite.
type dsn func(ctx context.Context) (string, error)

func sqlite(context.Context) (string, error) { return "", nil }

const submissionTOML = `[submission]
starttls = []
tls = ["127.0.0.1:0"]
hostname = "localhost"
[api]
listen = "127.0.0.1:0"
[delivery]
route = "%s"
[inbound]
listen = []
[store]
dsn = "%s"
`

// relay is a relayd that started empty.
type relay struct {
	*program
	bin, dir string
}

// startRelay starts one that hands mail to the route.
func startRelay(ctx context.Context, bin, dir, route string, database dsn) (*relay, error) {
	r := &relay{bin: bin, dir: filepath.Join(dir, "relay")}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	name, err := database(ctx)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, "relay.toml"), fmt.Appendf(nil, submissionTOML, route, name), 0o600)
	}
	if err == nil {
		r.program, err = start(ctx, r.dir, filepath.Join(bin, "relayd"), append(r.folders(), "serve")...)
	}
	return r, err
}

func (r *relay) folders() []string {
	return []string{"--data", filepath.Join(r.dir, "data"), "--config", filepath.Join(r.dir, "relay.toml")}
}

// open opens an account and tells its password.
func (r *relay) open(ctx context.Context, name string) (string, error) {
	args := append(r.folders(), "account", "add", name, "--plan", "mega", "--email", "bench@example.com", "--json")
	out, err := exec.CommandContext(ctx, filepath.Join(r.bin, "relayd"), args...).Output()
	var account struct{ Password string }
	if err == nil {
		err = json.Unmarshal(out, &account)
	}
	if err != nil {
		return "", fmt.Errorf("open account: %w", err)
	}
	return account.Password, nil
}

// close ends it; how it ends says nothing about the figures.
func (r *relay) close() {
	r.stop()
	os.RemoveAll(r.dir)
}

// onRelay measures a relay that starts empty.
func onRelay(bin, dir, smarthost string, database dsn) func(context.Context, submission) (float64, error) {
	return func(ctx context.Context, l submission) (rate float64, err error) {
		r, err := startRelay(ctx, bin, dir, "smtp://"+smarthost, database)
		if err != nil {
			return 0, err
		}
		defer r.close()
		password, err := r.open(ctx, "bench")
		if err != nil {
			return 0, err
		}
		took, err := poster{r.addr(), "bench", password}.post(ctx, l.conns, l.count, l.recipients, 10<<10)
		if err != nil {
			return 0, fmt.Errorf("submit to the relay: %w", err)
		}
		return float64(l.count) / took.Seconds(), nil
	}
}
