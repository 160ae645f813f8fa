package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"servicesmtp.net/companion/server/store/storetest"
)

// Two relays on one database see each other, and what needs it at rest says who
// is there.
func TestNodes(t *testing.T) {
	dsn := storetest.Database(t)
	places := []place{newPlace(t), newPlace(t), newPlace(t)}
	bodies := t.TempDir()
	for _, p := range places {
		if err := os.WriteFile(p.config, fmt.Appendf(nil, "%s[store]\ndsn = %q\nbodies = %q\n", settings, dsn, bodies), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	one, two := places[0].serve(), places[1].serve()
	list := func(p place, args ...string) string {
		return strings.ReplaceAll(p.must("", append([]string{"node", "list"}, args...)...), host, "host")
	}
	golden(t, "node-list.json", list(places[0], "--json"))
	golden(t, "node-list.json", list(places[2], "--json")) // straight from the store
	if got := list(places[1]); strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "NAME") {
		t.Errorf("got %s", got)
	}
	r := places[2].command("", "store", "renew-name")
	if r.code != exitFailed || !strings.Contains(r.stderr, "a relayd works on this database: stop it first (") || strings.Count(r.stderr, " on "+host) != 2 {
		t.Errorf("renew-name: code %d, %s", r.code, r.stderr)
	}
	one.end(syscall.SIGTERM)
	two.end(syscall.SIGTERM)
	golden(t, "node-list-none.json", list(places[0], "--json"))
	places[2].must("", "store", "renew-name")
}
