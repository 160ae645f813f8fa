package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"servicesmtp.net/companion/internal/csvsafe"
	"servicesmtp.net/companion/server/store"
)

func (s *Server) events(ctx context.Context, in *waiting) (*out[Events], error) {
	after, err := s.cursors.read(eventList, in.Cursor)
	if err != nil {
		return nil, err
	}
	account := from(ctx).account.ID
	var rows []store.Event
	err = s.hub.poll(ctx, account, time.Duration(in.Wait)*time.Second, func() (found bool, err error) {
		rows, err = s.Store.Events(ctx, account, after, in.Limit+1)
		return len(rows) > 0, err
	})
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, in.Limit)
	answer := Events{Events: make([]Event, 0, len(rows)), More: more}
	for _, e := range rows {
		after = e.ID
		answer.Events = append(answer.Events, Event{At: e.At, Envid: e.EnvID, ID: e.MessageID, Recipient: e.Recipient,
			Status: e.Status, Code: e.Code, Enhanced: e.Enhanced, Reply: e.Reply})
	}
	answer.Cursor = s.cursors.write(eventList, after)
	return &out[Events]{Body: answer}, nil
}

// failures answers one page of JSON, or everything from the cursor on as CSV.
func (s *Server) failures(ctx context.Context, in *errorsIn) (*huma.StreamResponse, error) {
	after, err := s.cursors.read(errorList, in.Cursor)
	if err != nil {
		return nil, err
	}
	account := from(ctx).account.ID
	rows, err := s.Store.Failures(ctx, account, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, in.Limit)
	if strings.Contains(in.Accept, "text/csv") {
		return &huma.StreamResponse{Body: func(hc huma.Context) { s.streamCSV(hc, account, rows, more, in.Limit) }}, nil
	}
	answer := Errors{Errors: viewFailures(rows), More: more}
	if len(rows) > 0 {
		after = rows[len(rows)-1].ID
	}
	answer.Cursor = s.cursors.write(errorList, after)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		if err := json.NewEncoder(hc.BodyWriter()).Encode(answer); err != nil {
			s.Log.Debug("answer not written", "error", err)
		}
	}}, nil
}

func viewFailures(rows []store.Event) []Failure {
	all := make([]Failure, 0, len(rows))
	for _, e := range rows {
		all = append(all, Failure{At: e.At, Envid: e.EnvID, Recipient: e.Recipient, Code: e.Code, Enhanced: e.Enhanced, Reply: e.Reply})
	}
	return all
}

// streamCSV writes page after page, each with a deadline of its own, so that a
// long list over a slow line comes through and a dead line does not.
func (s *Server) streamCSV(hc huma.Context, account string, rows []store.Event, more bool, limit int) {
	hc.SetHeader("Content-Type", "text/csv; charset=utf-8")
	_, rw := humago.Unwrap(hc)
	line := http.NewResponseController(rw)
	w := csvsafe.NewWriter(hc.BodyWriter())
	for first := true; ; first = false {
		if err := line.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
			s.Log.Debug("no deadline for CSV", "error", err)
		}
		if err := WriteErrorsCSV(w, viewFailures(rows), first); err != nil {
			return // the caller has gone
		}
		if !more {
			return
		}
		var err error
		if rows, err = s.Store.Failures(hc.Context(), account, rows[len(rows)-1].ID, limit+1); err != nil {
			s.Log.Error("list of errors ended early", "error", err)
			panic(http.ErrAbortHandler) // a cut connection, not a short list that looks whole
		}
		rows, more = cut(rows, limit)
	}
}

// Line is the failure's reply as the far server gave it.
func (f Failure) Line() string {
	parts := []string{strconv.Itoa(f.Code), f.Enhanced, f.Reply}
	if f.Code == 0 {
		parts[0] = ""
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// WriteErrorsCSV writes failures as CSV, with a header line or without.
func WriteErrorsCSV(w *csvsafe.Writer, all []Failure, header bool) error {
	var rows [][]string
	if header {
		rows = append(rows, []string{"recipient", "code", "reply", "at", "envid"})
	}
	for _, f := range all {
		rows = append(rows, []string{f.Recipient, strconv.Itoa(f.Code), f.Line(), f.At.Format(time.RFC3339), f.Envid})
	}
	return w.Write(rows...)
}

func (s *Server) notices(ctx context.Context, in *waiting) (*out[Notices], error) {
	after, err := s.cursors.read(noticeList, in.Cursor)
	if err != nil {
		return nil, err
	}
	account := from(ctx).account.ID
	var rows []store.Notice
	err = s.hub.poll(ctx, account, time.Duration(in.Wait)*time.Second, func() (found bool, err error) {
		rows, err = s.Store.Notices(ctx, account, after, in.Limit+1)
		return len(rows) > 0, err
	})
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, in.Limit)
	answer := Notices{Notices: make([]Notice, 0, len(rows)), More: more}
	for _, n := range rows {
		after = n.ID
		answer.Notices = append(answer.Notices, viewNotice(n))
	}
	answer.Cursor = s.cursors.write(noticeList, after)
	return &out[Notices]{Body: answer}, nil
}

func viewNotice(n store.Notice) Notice {
	return Notice{ID: n.ID, At: n.CreatedAt, Kind: n.Kind, Severity: n.Severity, Key: n.Key, Subject: n.Subject, Body: n.Body, AckedAt: optional(n.AckedAt)}
}

func (s *Server) ackNotice(ctx context.Context, in *ackIn) (*struct{}, error) {
	return nil, s.Store.AckNotice(ctx, from(ctx).account.ID, in.ID, time.Now())
}

// cut takes off the row that was read only to know whether there is one.
func cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
