package app

import (
	"context"
	"errors"
	"net"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/spool"
)

// compose makes a State from what every part says of itself.
func (e *Engine) compose(ctx context.Context) State {
	now := time.Now()
	s := State{At: now, Version: e.cfg.Version, Listen: []ListenState{}, Accounts: []AccountState{}, Jobs: []JobState{}}
	for _, l := range e.proxy.Listeners() {
		s.Listen = append(s.Listen, listenState(l))
	}
	totals, err := e.spool.Totals(ctx, now)
	if err != nil && ctx.Err() == nil {
		e.spoolProblem(err)
	}
	s.Spool = e.spoolState(totals)
	e.mu.Lock()
	s.LastMail, s.Refused = e.lastMail, refusedState(e.refused, now)
	e.mu.Unlock()
	s.Certificate = e.certificateState(now)
	all, _ := e.chosen("") // without a name there is nothing that it could miss
	for _, a := range all {
		s.Accounts = append(s.Accounts, e.accountState(ctx, a, totals, now))
	}
	s.Notices = e.unseenNotices(ctx, all)
	summarise(&s)
	if name := e.stray(totals); name != "" && s.Mood != MoodAttention {
		s.say(MoodAttention, strayWords(name))
	}
	select {
	case <-e.ready:
	default:
		s.say(MoodStarting, startingWords)
	}
	if e.stopped.Err() != nil {
		s.say(MoodStopping, stoppingWords)
	}
	jobs, _, err := e.spool.Jobs(ctx, spool.JobQuery{Open: true, Oldest: true, Limit: MaxStateJobs})
	if err != nil && ctx.Err() == nil {
		e.log.Error("jobs cannot be read", "err", err)
	}
	for _, j := range jobs {
		s.Jobs = append(s.Jobs, jobState(j))
	}
	return s
}

// stray is an account for which mail waits, and which the settings do not have:
// somebody took it out of the file, or renamed it there.
func (e *Engine) stray(totals spool.Totals) string {
	for _, l := range totals.Lanes {
		if l.Messages > 0 && !e.configured(l.Account) {
			return l.Account
		}
	}
	return ""
}

func (e *Engine) accountState(ctx context.Context, a *account, totals spool.Totals, now time.Time) AccountState {
	st := AccountState{Name: a.settings.Name, User: a.settings.User, Hold: a.sender.holdState(), Sending: a.sender.sending(), Quota: e.quotaState(ctx, a.settings.Name)}
	uncertain := 0
	for _, l := range totals.Lanes {
		if l.Account == a.settings.Name {
			st.Messages += l.Messages
			st.Recipients += l.Recipients
			uncertain += l.Uncertain
		}
	}
	a.sender.mu.Lock()
	st.Endpoint = a.sender.endpoint
	a.sender.mu.Unlock()
	st.Pace, st.FinishAt = a.sender.gate.outlook(st.Recipients, now)
	if st.Hold == nil && uncertain > 0 {
		st.Hold = &HoldState{Reason: mail.HoldUncertain}
	}
	if st.Hold != nil {
		st.FinishAt = nil
	}
	describe(&st, now)
	return st
}

func listenState(l proxy.Listener) ListenState {
	st := ListenState{Address: l.Address, TLS: l.TLS, OK: l.OK, Offered: l.Offered}
	if l.Err == nil || errors.Is(l.Err, proxy.ErrNoFamily) {
		return st
	}
	w := listenWords(l)
	st.Said, st.Do = w.said(), w.do
	if l.Offered != "" {
		st.Said.Action = append(st.Said.Action, say.T("{{.Address}} is free.").With("Address", l.Offered))
	}
	st.Sentence, st.Action = st.Said.Sentence.String(), st.Said.Action.String()
	var bind *proxy.BindError
	if errors.As(l.Err, &bind) && bind.Hint != "" {
		st.Action += " " + bind.Hint // of the system, for who knows it
	}
	return st
}

// listenWords say why mail programs cannot reach an address.
func listenWords(l proxy.Listener) words {
	_, port, _ := net.SplitHostPort(l.Address)
	w := words{do: DeedListen}
	switch {
	case errors.Is(l.Err, proxy.ErrNoTLS):
		return certificateWords(l.Err)
	case errors.Is(l.Err, proxy.ErrInUse):
		w.sentence = say.T("Port {{.Port}} is in use by another program, so mail programs cannot reach the companion at {{.Address}}.")
		w.action = say.T("End that program, or choose another port in the settings and in your mail program.")
	case errors.Is(l.Err, proxy.ErrDenied):
		w.sentence = say.T("The system does not let the companion use port {{.Port}}.")
		w.action = say.T("Choose a port above 1023 in the settings and in your mail program.")
	case errors.Is(l.Err, proxy.ErrNoAddress):
		w.sentence = say.T("This computer does not have the address {{.Address}}.")
		w.action = say.T("Use 127.0.0.1 in the settings.")
	default:
		w.sentence = say.T("Mail programs cannot reach the companion at {{.Address}}.")
		w.action = say.T("Choose another address in the settings.")
	}
	w.sentence = w.sentence.With("Port", port).With("Address", l.Address)
	return w
}

// spoolState is the spool as met last. A full spool is well again once there
// is room.
func (e *Engine) spoolState(t spool.Totals) SpoolState {
	e.mu.Lock()
	defer e.mu.Unlock()
	if errors.Is(e.problem, spool.ErrFull) && t.Bytes < t.MaxBytes-t.MaxBytes/10 {
		e.problem = nil
	}
	return spoolState(t, e.problem)
}

func spoolState(t spool.Totals, problem error) SpoolState {
	st := SpoolState{OK: problem == nil, Bytes: t.Bytes, MaxBytes: t.MaxBytes}
	if problem != nil {
		w := spoolWords(problem)
		st.Said, st.Sentence, st.Action, st.Do = w.said(), w.sentence.String(), w.english(), w.do
	}
	return st
}

func jobState(j spool.Job) JobState {
	st := JobState{
		ID: j.ID, Account: j.Account, Lane: j.Lane.String(), From: j.From, Size: j.Size, AcceptedAt: j.AcceptedAt,
		Recipients: j.Recipients, Batches: j.Batches, BatchesDone: j.BatchesDone, State: string(j.State),
		Damaged: j.Damaged, Counts: Counts(j.Counts), ReportTo: j.ReportTo, ReportOf: j.ReportOf,
	}
	if j.Report != "" {
		st.Report = &ReportState{Job: j.Report, At: j.ReportedAt}
	}
	if j.LastReply.Code.Basic != 0 {
		st.LastReply = j.LastReply.String()
	}
	return st
}
