package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/store"
)

// Acceptor takes responsibility for mail, as over SMTP.
type Acceptor interface {
	Admit(ctx context.Context, accountID, envelopeID string, size units.ByteSize) (*accept.Replay, error)
	Receive(ctx context.Context, accountID string, r io.Reader, hint units.ByteSize) (*accept.Body, error)
	Accept(ctx context.Context, s accept.Submission) (accept.Receipt, error)
	Cancel(ctx context.Context, accountID string, envids []string) ([]accept.Cancellation, error)
}

var _ Acceptor = (*accept.Acceptor)(nil)

const (
	maxSubmission = 8 << 20             // bytes of JSON; 100 batches of 50 long addresses are below
	longestWait   = 30 * 24 * time.Hour // until not_before

	// submitPatience is how long a whole submission is held back for the
	// account's pace: below answerTimeout, so that the answer still gets through.
	submitPatience = time.Minute
)

type submissionIn struct{ Body Submission }

// Submission hands in batches.
type Submission struct {
	Batches []NewBatch `json:"batches" minItems:"1" maxItems:"100" nullable:"false"`
}

// NewBatch is one transaction: an envelope and the content that was uploaded.
type NewBatch struct {
	Envid      string         `json:"envid" maxLength:"100" doc:"sb1.<job>.<number>[.<the mail program's own>]: accepted once, over any way in" example:"sb1.01JDJ8Y7QX4Z5V0M3T9C2B6K8N.1"`
	From       string         `json:"from" maxLength:"998" doc:"Reverse-path; empty: the null sender" example:"news@example.com"`
	Recipients []NewRecipient `json:"recipients" minItems:"1" maxItems:"50" nullable:"false"`
	Body       string         `json:"body" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of a body that is there completely" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Return     string         `json:"ret,omitempty" enum:"FULL,HDRS" doc:"RET (RFC 3461 §4.3)"`
	UTF8       bool           `json:"smtputf8,omitempty" doc:"SMTPUTF8 (RFC 6531): addresses or header need it"`
	NotBefore  *time.Time     `json:"not_before,omitempty" doc:"Nothing leaves earlier; at most 30 days ahead. No part of what makes a batch the same"`
}

// NewRecipient is one RCPT.
type NewRecipient struct {
	Address  string   `json:"address" minLength:"3" maxLength:"998" doc:"Without angle brackets, the local part unquoted" example:"anna@example.net"`
	Notify   []string `json:"notify,omitempty" nullable:"false" maxItems:"3" enum:"NEVER,SUCCESS,FAILURE,DELAY" doc:"NOTIFY (RFC 3461 §4.1)"`
	Original string   `json:"orcpt,omitempty" maxLength:"500" doc:"ORCPT as type;address, not encoded (RFC 3461 §4.2)" example:"rfc822;anna@example.net"`
}

// Submitted answers a submission, in the order asked.
type Submitted struct {
	Batches []SubmittedBatch `json:"batches" nullable:"false"`
}

// SubmittedBatch is what became of one batch. The reply is SMTP's.
type SubmittedBatch struct {
	Envid      string           `json:"envid" doc:"As asked"`
	State      string           `json:"state" enum:"accepted,deferred,refused,no_body" doc:"deferred: submit it again later. no_body: upload the body, then submit it again"`
	ID         string           `json:"id,omitempty" doc:"The id after 'queued as', when accepted"`
	Replayed   bool             `json:"replayed,omitempty" doc:"It was accepted before; nothing is sent again"`
	Code       int              `json:"code" example:"250"`
	Enhanced   string           `json:"enhanced" example:"2.0.0"`
	Problem    string           `json:"problem,omitempty" enum:"pace" doc:"pace: the account sends faster than it may; submit the batch again after retry_seconds"`
	Retry      int64            `json:"retry_seconds,omitempty" doc:"When the batch may be accepted, in whole seconds from now" example:"40"`
	Reply      string           `json:"reply" doc:"Text after the codes, with the tokens of SMTP" example:"queued as 01JDJ8Y7QX4Z5V0M3T9C2B6K8N"`
	Recipients []BatchRecipient `json:"recipients,omitempty" nullable:"false" doc:"Every recipient offered, when accepted, or when it is they who were refused"`
}

// submit accepts batches, each for itself. Those that share a body share its
// reading, and, being handed over at once, mostly a transaction.
//
// All of it waits for the account's pace up to one time. What then has not been
// accepted is to be submitted again; where that is all, the answer is a 429.
func (s *Server) submit(ctx context.Context, in *submissionIn) (*submittedOut, error) {
	now := time.Now()
	end := now.Add(s.patience)
	for i, b := range in.Body.Batches {
		if err := checkBatch(b, now); err != nil {
			return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("Batch %d: %v", i+1, err))
		}
	}
	account := from(ctx).account.ID
	shelf := &shelf{s: s, account: account, bodies: make(map[string]*shelved)}
	// After every answer: an accepted batch needs its file until the commit.
	defer shelf.close(ctx)
	answer := Submitted{Batches: make([]SubmittedBatch, len(in.Body.Batches))}
	var all sync.WaitGroup
	for i, b := range in.Body.Batches {
		all.Go(func() { answer.Batches[i] = s.submitOne(ctx, shelf, account, b, end) })
	}
	all.Wait()
	return paced(answer)
}

// checkBatch finds what is wrong with the form of a batch.
func checkBatch(b NewBatch, now time.Time) error {
	if _, err := wire.ParseEnvelopeID(b.Envid); err != nil {
		return errors.New("envid must be a key sb1.<job>.<number>")
	}
	if b.From != "" && !address(b.From) {
		return errors.New("from is not an address")
	}
	if b.NotBefore != nil && b.NotBefore.Sub(now) > longestWait {
		return errors.New("not_before is more than 30 days ahead")
	}
	for i, r := range b.Recipients {
		switch {
		case !address(r.Address):
			return fmt.Errorf("address of recipient %d is not an address", i+1)
		case len(r.Notify) > 1 && strings.Contains(strings.Join(r.Notify, ","), "NEVER"):
			return fmt.Errorf("notify of recipient %d: NEVER stands alone", i+1) // RFC 3461 §4.1
		case r.Original != "" && !original(r.Original):
			return fmt.Errorf("orcpt of recipient %d: write type;address", i+1)
		}
	}
	return nil
}

// address accepts what a path of SMTP may hold, unquoted. What it keeps out
// would end the path, or the command, when the address is sent on.
func address(s string) bool {
	i := strings.LastIndexByte(s, '@')
	return i > 0 && i < len(s)-1 && !strings.ContainsAny(s[i+1:], " <>") && !strings.ContainsAny(s, "<>") && !control(s)
}

func original(s string) bool {
	kind, rest, ok := strings.Cut(s, ";")
	return ok && kind != "" && rest != "" && !control(s) && !strings.Contains(kind, " ")
}

func control(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' })
}

// submitOne does what a session does from MAIL to the answer after the dot.
func (s *Server) submitOne(ctx context.Context, shelf *shelf, account string, b NewBatch, end time.Time) SubmittedBatch {
	var offered []accept.Offer
	receipt, err := accept.Receipt{}, accept.ErrAgain
	// Another session with the same key is answered as a replay at once.
	for range 3 {
		if receipt, offered, err = s.transact(ctx, shelf, account, b, end); !errors.Is(err, accept.ErrAgain) {
			break
		}
	}
	return s.view(b, offered, receipt, err)
}

var (
	errNoBody = errors.New("body is not there")
	errNobody = errors.New("no recipient was accepted")
	errSender = errors.New("reverse-path needs SMTPUTF8")
)

func (s *Server) transact(ctx context.Context, shelf *shelf, account string, b NewBatch, end time.Time) (accept.Receipt, []accept.Offer, error) {
	if !b.UTF8 && !accept.ASCII(b.From) {
		return accept.Receipt{}, nil, errSender
	}
	replay, err := s.Accept.Admit(ctx, account, b.Envid, 0)
	if err != nil {
		return accept.Receipt{}, nil, err
	}
	offered, any := offers(b, replay)
	if replay != nil {
		sum, err := wire.ParseBodySum(b.Body)
		if err != nil {
			return accept.Receipt{}, nil, err
		}
		// The content need not be there any more: its hash is what counts.
		receipt, err := replay.Confirm(b.From, offered, &accept.Body{Sum: sum})
		return receipt, offered, err
	}
	if !any {
		return accept.Receipt{}, offered, errNobody
	}
	body, eightBit, err := shelf.take(ctx, b.Body)
	if err != nil {
		return accept.Receipt{}, nil, err
	}
	now := time.Now()
	id, with := store.NewID(now), "HTTPS"
	if b.UTF8 {
		with = "UTF8HTTPS"
	}
	sub := accept.Submission{ID: id, AccountID: account, EnvelopeID: b.Envid, From: b.From, Offered: offered, Body: body, UTF8: b.UTF8,
		EightBit: eightBit, Return: b.Return, Received: accept.Trace(s.Hostname, with, id, now),
		Patience: max(end.Sub(now), 1)} // 0 would be no limit of ours
	if b.NotBefore != nil {
		sub.NotBefore = *b.NotBefore
	}
	receipt, err := s.Accept.Accept(ctx, sub)
	return receipt, offered, err
}

// offers decides every recipient, and says whether any is accepted.
func offers(b NewBatch, replay *accept.Replay) (offered []accept.Offer, any bool) {
	for _, r := range b.Recipients {
		o := accept.Offer{Decision: accept.Decide(replay, r.Address, b.UTF8), Notify: strings.Join(r.Notify, ",")}
		if kind, rest, ok := strings.Cut(r.Original, ";"); ok {
			o.Original = strings.ToLower(kind) + ";" + rest
		}
		offered = append(offered, o)
		any = any || o.Code/100 == 2
	}
	return offered, any
}

// view puts an outcome into the words of the answer.
func (s *Server) view(b NewBatch, offered []accept.Offer, receipt accept.Receipt, err error) SubmittedBatch {
	v := SubmittedBatch{Envid: b.Envid}
	r := receipt.Reply()
	switch {
	case err == nil:
		v.State, v.ID, v.Replayed = "accepted", receipt.ID, receipt.Replayed
	case errors.Is(err, errNoBody):
		v.State, v.Enhanced, v.Reply = "no_body", "4.6.0", "The body is not here: upload it, then submit the batch again"
		v.Code = 451
		return v
	case errors.Is(err, errNobody):
		r = accept.Reply{Code: 554, Enhanced: "5.5.1", Text: "No recipient was accepted"} // RFC 5321 §3.3
	case errors.Is(err, errSender):
		r = accept.NeedsUTF8
	default:
		var known bool
		if r, known = accept.ReplyTo(err); !known && !errors.Is(err, context.Canceled) {
			s.Log.Error("batch not accepted", "error", err)
		}
		if errors.Is(err, accept.ErrConflict) {
			s.Log.Error("one key, two contents: a client is defective")
		}
	}
	v.Code, v.Enhanced, v.Reply = r.Code, r.Enhanced, r.Text
	if wait, slow := paceOf(err); slow {
		v.Problem, v.Retry = "pace", wait
	}
	if err != nil {
		v.State = decision(r.Code) // refused or deferred
	}
	if err == nil || errors.Is(err, errNobody) {
		for _, o := range offered {
			v.Recipients = append(v.Recipients, BatchRecipient{Address: o.Address, Decision: decision(o.Code), Code: o.Code, Enhanced: o.Enhanced, Reply: o.Reply})
		}
	}
	return v
}
