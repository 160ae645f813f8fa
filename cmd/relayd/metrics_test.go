package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestMetricsExist holds that every series which the dashboard and the alert
// rules name is in a scrape of a running relay, with its labels.
func TestMetricsExist(t *testing.T) {
	p := newPlace(t)
	text := strings.Replace(settings, "[api]\n", "[api]\nmetrics = \"127.0.0.1:0\"\n", 1)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addAlice(p)
	r := p.serve()
	token(p, r)
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + r.ready.Metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	status, scrape := get("/metrics")
	if status != 200 {
		t.Fatalf("scrape: %d", status)
	}
	name := regexp.MustCompile(`\b(?:servicesmtp_relay|go|process)_[a-z_]+\b(?:\{([a-z]+)=~?"?)?`)
	value := regexp.MustCompile(`(servicesmtp_relay_[a-z_]+)\{([a-z]+)=\\?"([a-z]+)\\?"\}`)
	for _, file := range []string{"../../packaging/grafana/relay.json", "../../packaging/prometheus/relay.rules.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, found := range name.FindAllStringSubmatch(string(text), -1) {
			series, _, _ := strings.Cut(found[0], "{")
			if named++; !regexp.MustCompile(`(?m)^` + series + `[{ ]`).MatchString(scrape) {
				t.Errorf("%s names %s, which no relay has", file, series)
			}
		}
		if named < 10 {
			t.Errorf("%s: only %d series were found", file, named)
		}
		for _, found := range value.FindAllStringSubmatch(string(text), -1) {
			if found[2] != "job" && !strings.Contains(scrape, found[1]+`{`+found[2]+`="`+found[3]+`"}`) {
				t.Errorf("%s names %s, which no relay has", file, found[0])
			}
		}
	}
	for _, secret := range []string{"alice", "127.0.0.1"} {
		if strings.Contains(scrape, secret) {
			t.Errorf("the scrape tells %q", secret)
		}
	}
	if status, body := get("/readyz"); status != 200 || body != `{"store":"ok","queue":"running"}`+"\n" {
		t.Errorf("readyz: %d %s", status, body)
	}
	if code, _ := r.end(syscall.SIGTERM); code != exitDone {
		t.Errorf("exit %d", code)
	}
}
