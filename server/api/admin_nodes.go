package api

import (
	"net/http"
	"time"
)

// NodeView is a relay that works on the database.
type NodeView struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`      // its host
	Since time.Time `json:"since"`     // its start
	Seen  time.Time `json:"last_seen"` // by the clock of the database
}

// NodesView are all of them, oldest first; on SQLite none.
type NodesView struct {
	Nodes []NodeView `json:"nodes"`
}

func (a *Admin) listNodes(r *http.Request) (any, error) {
	all, err := a.Store.Nodes(r.Context())
	if err != nil {
		return nil, err
	}
	v := NodesView{Nodes: []NodeView{}}
	for _, n := range all {
		v.Nodes = append(v.Nodes, NodeView{ID: n.ID, Name: n.Name, Since: n.Started.Truncate(time.Second), Seen: n.Seen.Truncate(time.Second)})
	}
	return v, nil
}
