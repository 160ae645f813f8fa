package apptest

import (
	"fmt"
	"maps"
	"slices"

	"servicesmtp.net/companion/internal/wire"
)

// entry is what the relay keeps of a key.
type entry struct {
	closed      bool
	fingerprint string
	queueID     string
	decisions   map[string]reply // to each RCPT
}

// KeyState is what POST /v1/batches/check would say of a key.
type KeyState string

// The states.
const (
	KeyAccepted KeyState = "accepted"
	KeyClosed   KeyState = "closed"
	KeyUnknown  KeyState = "unknown"
)

// Check is POST /v1/batches/check for one key.
func (r *Relay) Check(key string) KeyState {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := r.keys[key]; {
	case e == nil:
		return KeyUnknown
	case e.closed:
		return KeyClosed
	}
	return KeyAccepted
}

// Decision is what the relay answered to one RCPT of an accepted key.
type Decision struct {
	Address string
	Code    int
	Text    string // with the enhanced code
}

// Decisions are those of a key, by address; nil where it was not accepted.
func (r *Relay) Decisions(key string) []Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.keys[key]
	if e == nil {
		return nil
	}
	var list []Decision
	for _, address := range slices.Sorted(maps.Keys(e.decisions)) {
		d := e.decisions[address]
		list = append(list, Decision{address, d.code, d.text})
	}
	return list
}

// CloseKey is POST /v1/batches/close for one key: an accepted one stays so.
func (r *Relay) CloseKey(key string) KeyState {
	r.mu.Lock()
	if r.keys[key] == nil {
		r.keys[key] = &entry{closed: true}
	}
	r.mu.Unlock()
	return r.Check(key)
}

// keyOf is the key of an ENVID, or "" where the relay keeps none.
func (r *Relay) keyOf(envid string) string {
	id, err := wire.ParseEnvelopeID(envid)
	if err != nil || !r.options.Keys {
		return ""
	}
	return id.Key()
}

// accept is the one transaction of docs/protocol.md. The caller holds no lock.
func (r *Relay) accept(t *Transaction, decisions map[string]reply) reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := r.keyOf(t.EnvelopeID)
	fingerprint := wire.Fingerprint(t.From, t.Offered, t.BodySum)
	e := r.keys[key]
	switch {
	case key != "" && e != nil && e.closed:
		return reply{554, "5.5.4 " + string(wire.TokenClosed)}
	case key != "" && e != nil && e.fingerprint != fingerprint:
		return reply{554, "5.5.4 " + string(wire.TokenConflict)}
	case key != "" && e != nil:
		t.Accepted, t.Replayed = true, true
		return reply{250, fmt.Sprintf("2.0.0 queued as %s %s", e.queueID, wire.Replayed)}
	}
	e = &entry{fingerprint: fingerprint, queueID: fmt.Sprintf("Q%d", len(r.transactions)), decisions: decisions}
	if key != "" {
		r.keys[key] = e
	}
	t.Accepted = true
	return reply{250, "2.0.0 queued as " + e.queueID}
}
