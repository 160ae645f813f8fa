package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pair is a companion with a relay behind it, whose mail ends in Postfix's
// smtp-sink.
type pair struct {
	bin, dir         string
	relay, companion *program
	sink             *exec.Cmd
	submission       string
	api              string
}

const relayTOML = `[submission]
starttls = ["%s"]
tls = []
hostname = "localhost"
[api]
listen = "%s"
[delivery]
route = "smtp://%s"
[inbound]
listen = []
`

const pairTOML = `[[account]]
name = "bench"
user = "bench"
credential = "file:%[1]s/password"
endpoints = ["starttls://%[2]s"]
api = "https://%[3]s"
ca_file = "%[1]s/relay/ca.pem"
[listen]
addresses = ["%[4]s"]
auth = "off"
[pace]
recipients_per_minute = 600000
`

// newPair writes the settings, and starts the sink and, for as long as it takes
// to open an account, the relay.
func newPair(ctx context.Context, bin, dir string) (p *pair, err error) {
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	made := &pair{bin: bin, dir: dir}
	defer func() {
		if err != nil {
			made.close()
		}
	}()
	p = made
	var addresses [4]string
	for i := range addresses {
		if addresses[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	sinkAddr, listen := addresses[0], addresses[1]
	p.submission, p.api = addresses[2], addresses[3]
	p.sink = exec.CommandContext(ctx, "smtp-sink", "-u", "postfix", sinkAddr, "200")
	if err = p.sink.Start(); err != nil {
		return nil, fmt.Errorf("start smtp-sink: %w", err)
	}
	err = errors.Join(
		waitFor(sinkAddr),
		p.write("relay.toml", fmt.Sprintf(relayTOML, p.submission, p.api, sinkAddr)),
		p.write("companion.toml", fmt.Sprintf(pairTOML, dir, p.submission, p.api, listen)),
	)
	if err != nil {
		return nil, err
	}
	if err = p.startRelay(ctx); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "relayd"), "--data", filepath.Join(dir, "relay"), "--config", filepath.Join(dir, "relay.toml"),
		"account", "add", "bench", "--plan", "unlimited-standard", "--email", "bench@example.com", "--json").Output()
	var account struct{ Password string }
	if err == nil {
		err = json.Unmarshal(out, &account)
	}
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	return p, errors.Join(p.write("password", account.Password), p.relay.stop())
}

func (p *pair) write(name, text string) error {
	return os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600)
}

func (p *pair) startRelay(ctx context.Context) (err error) {
	p.relay, err = start(ctx, p.dir, filepath.Join(p.bin, "relayd"), "--data", filepath.Join(p.dir, "relay"), "--config", filepath.Join(p.dir, "relay.toml"), "serve")
	return err
}

func (p *pair) startCompanion(ctx context.Context) (err error) {
	p.companion, err = start(ctx, p.dir, filepath.Join(p.bin, "companionctl"), append(p.folders(), "run")...)
	return err
}

func (p *pair) folders() []string {
	return []string{"--data", filepath.Join(p.dir, "companion"), "--config", filepath.Join(p.dir, "companion.toml")}
}

func (p *pair) close() {
	for _, prog := range []*program{p.companion, p.relay} {
		if prog != nil {
			prog.stop() // what it says at its end is no figure
		}
	}
	if p.sink != nil && p.sink.Process != nil {
		p.sink.Process.Kill()
		p.sink.Wait()
	}
}
