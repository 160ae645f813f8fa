package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/config"
	"servicesmtp.net/companion/server/node"
	"servicesmtp.net/companion/server/store"
)

type nodeGroup struct {
	List nodeList `cmd:"" help:"List the relays that work on the database."`
}

type nodeList struct{}

// Run lists the nodes.
func (nodeList) Run(inv *invocation) error {
	var out api.NodesView
	if err := inv.ask(http.MethodGet, "/nodes", nil, &out); err != nil {
		return err
	}
	switch {
	case inv.json:
		return inv.printJSON(out)
	case len(out.Nodes) == 0:
		_, err := fmt.Fprintln(inv.stdout, "No relay shares its database: on SQLite there is one at most, on PostgreSQL none runs.")
		return err
	}
	rows := [][]string{{"NAME", "ID", "SINCE", "LAST SEEN"}}
	for _, n := range out.Nodes {
		rows = append(rows, []string{n.Name, n.ID, n.Since.Format(time.RFC3339), n.Seen.Format(time.RFC3339)})
	}
	return inv.table(rows...)
}

// farewell bounds how long a stop waits for the database.
const farewell = 10 * time.Second

// settle is how long far servers get before others send what a node left.
const settle = 10 * time.Second

// join makes this program one of the nodes that share the database, if it can
// be shared.
func join(ctx context.Context, st *store.Store, cfg config.Config) error {
	host, err := os.Hostname()
	if err != nil {
		host = cfg.Submission.Hostname
	}
	return st.Join(ctx, host, time.Duration(cfg.Store.Lease))
}

// leave ends what join began. The program's own context has ended by then.
func leave(st *store.Store) error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	return st.Leave(ctx, time.Now().Add(settle))
}

// beat keeps this node alive and takes over from others until ctx ends. Its
// error ends the program: others may have taken over.
func (r *relay) beat(ctx context.Context) error {
	if !r.store.Shared() {
		return nil
	}
	err := node.Run(ctx, node.Config{Lease: r.store, Length: time.Duration(r.cfg.Store.Lease), Settle: settle, Log: r.log,
		Taken: func(ctx context.Context) {
			if _, err := r.queue.Rebuild(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn("the queue is not rebuilt; its sweeper will", "err", err)
			}
		}})
	if errors.Is(err, node.ErrFenced) {
		r.queue.Fence() // before the others stop as for SIGTERM
	}
	return err
}
