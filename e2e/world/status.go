package world

import (
	"encoding/json"
	"time"
)

// Status is what companionctl status --json says, as far as tests ask.
type Status struct {
	State    string
	Sentence string
	Action   string
	Listen   []struct {
		Address, Sentence, Action, Offered string
		OK                                 bool
	}
	Accounts []struct {
		Name, State, Sentence, Action string
		Messages                      int `json:"queued_messages"`
		Recipients                    int `json:"queued_recipients"`
		Hold                          *struct {
			Reason, Reply string
			Until         *time.Time
		}
	}
	Refused *struct{ Reason, Sentence, Action string }
	Spool   struct {
		OK       bool
		Sentence string
	}
	Notices []struct{ Account, Severity, Subject, Body string }
}

// HoldReason is the first account's hold, or "".
func (s Status) HoldReason() string {
	if len(s.Accounts) == 0 || s.Accounts[0].Hold == nil {
		return ""
	}
	return s.Accounts[0].Hold.Reason
}

// Status asks for the state now.
func (w *World) Status() Status {
	w.T.Helper()
	out, errs, code := w.Ctl("status", "--json")
	if code != 0 && code != 4 {
		w.T.Fatalf("companionctl status: exit code %d: %s", code, errs)
	}
	var s Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		w.T.Fatalf("companionctl status: %v in %q", err, out)
	}
	return s
}

// Until polls the state, as a person who looks again would, until ok.
func (w *World) Until(limit time.Duration, what string, ok func(Status) bool) Status {
	w.T.Helper()
	end := time.Now().Add(limit)
	for {
		s := w.Status()
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			w.T.Fatalf("%s: not within %v; status: %+v", what, limit, s)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// UntilIdle waits until nothing is left to send.
func (w *World) UntilIdle(limit time.Duration) {
	w.T.Helper()
	w.Until(limit, "idle", func(s Status) bool { return s.State == "idle" })
}
