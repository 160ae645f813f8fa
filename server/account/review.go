package account

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// NoticeKind is what a notice is about.
type NoticeKind string

// The kinds of notices, as they are stored and printed.
const (
	NoticeUsage      NoticeKind = "usage"      // a step of 10 % was passed
	NoticeNear       NoticeKind = "near"       // 90 %
	NoticeOver       NoticeKind = "over"       // 100 %
	NoticeHeavy      NoticeKind = "heavy"      // far more today than usual
	NoticeRenewal    NoticeKind = "renewal"    // the plan ends in 30 or 7 days
	NoticeEnded      NoticeKind = "ended"      // the plan ended, and nothing follows
	NoticeActivation NoticeKind = "activation" // to the operator: a paid order waits
	NoticeBlocked    NoticeKind = "blocked"    // nothing more is taken; see ReviewLimit
	NoticeAgain      NoticeKind = "again"      // it is, since a new period began
)

// NoticeKey names a notice: each is sent once.
type NoticeKey struct {
	Kind NoticeKind
	// Start is the period's, for renewal and ended the contract's, for
	// activation the instant of the payment.
	Start time.Time
	// Step is the percentage for usage, near and over, the day as YYYYMMDD for
	// heavy, the days before the end for renewal, the limit for blocked, else 0.
	Step int
	// OrderID is the order of an activation, else empty.
	OrderID string
}

// Notice is something that somebody must be told now.
type Notice struct {
	NoticeKey

	Plan           string
	Use, Allowance int64 // of the period; for heavy Use is today's
	Unit           Unit
	End            time.Time // of the period, for renewal and ended of the plan, for activation the latest instant
}

// DayUse is what an account used on one day of its zone.
type DayUse struct {
	Day  string // YYYY-MM-DD
	Used Charge
}

// What notices go by.
const (
	stepPercent  = 10
	nearPercent  = 90
	overPercent  = 100
	heavyTimes   = 3  // the mean of earlier days
	heavyPercent = 5  // of the allowance, at least
	heavyDays    = 28 // days with use that the mean is of
	heavyHistory = 7  // of them needed
)

// warnings are the days before a plan's end when its owner is told, the last
// one first: of two that are due only it counts.
var warnings = [...]int{7, 30}

// Review tells which notices are due at now and were not sent. history is the
// use by day; days after today do not count.
func (r Rows) Review(c Catalogue, history []DayUse, sent []NoticeKey, now time.Time) []Notice {
	due := r.reviewOrders(now)
	if s, ok := InForce(r.Subscriptions, now); ok {
		if p, ok := c.Plan(s.Plan); ok {
			due = append(due, r.reviewUse(p, s, sent, now)...)
			due = append(due, r.reviewDay(p, s, history, now)...)
		}
	}
	due = append(due, r.reviewEnd(now)...)
	return slices.DeleteFunc(due, func(n Notice) bool { return wasSent(sent, n.NoticeKey) })
}

func wasSent(sent []NoticeKey, k NoticeKey) bool {
	return slices.ContainsFunc(sent, func(s NoticeKey) bool {
		return s.Kind == k.Kind && s.Start.Equal(k.Start) && s.Step == k.Step && s.OrderID == k.OrderID
	})
}

// highest is the highest step of the kind that was sent for start.
func highest(sent []NoticeKey, kind NoticeKind, start time.Time) int {
	step := 0
	for _, s := range sent {
		if s.Kind == kind && s.Start.Equal(start) {
			step = max(step, s.Step)
		}
	}
	return step
}

// Percent is use in whole percent of the allowance, rounded down.
func Percent(use, allowance int64) int {
	if allowance <= 0 {
		return 0
	}
	whole := use / allowance
	if whole > math.MaxInt32/100 {
		return math.MaxInt32
	}
	return int(whole*100 + use%allowance*100/allowance)
}

// reviewUse is about the period's steps: of several that were passed since the
// last review only the highest counts. What says more makes what says less
// unnecessary: over is not preceded by near.
func (r Rows) reviewUse(p Plan, s Subscription, sent []NoticeKey, now time.Time) []Notice {
	start, end := r.Period(p, s, now)
	i := slices.IndexFunc(r.Periods, func(u Usage) bool { return u.Start.Equal(start) })
	if i < 0 {
		return nil
	}
	n := Notice{Use: p.Use(r.Periods[i].Used), Allowance: p.Allowance(), Unit: p.Unit(), Plan: p.Name, End: end}
	percent := Percent(n.Use, n.Allowance)
	var due []Notice
	notice := func(kind NoticeKind, step int) {
		n.NoticeKey = NoticeKey{Kind: kind, Start: start, Step: step}
		due = append(due, n)
	}
	if step := percent / stepPercent * stepPercent; step > highest(sent, NoticeUsage, start) {
		notice(NoticeUsage, step)
	}
	switch {
	case percent >= overPercent:
		notice(NoticeOver, overPercent)
	case percent >= nearPercent && highest(sent, NoticeOver, start) == 0:
		notice(NoticeNear, nearPercent)
	}
	return due
}

// reviewDay is about today's use against the account's own history.
func (r Rows) reviewDay(p Plan, s Subscription, history []DayUse, now time.Time) []Notice {
	today := Day(r.zone(), now)
	use := p.Use(On(history, today))
	usual := p.Usual(history, today)
	if usual.Days < heavyHistory || mul(use, usual.Days) <= mul(heavyTimes, usual.use) || mul(use, 100) <= mul(p.Allowance(), heavyPercent) {
		return nil
	}
	start, end := r.Period(p, s, now)
	step, err := strconv.Atoi(today[:4] + today[5:7] + today[8:])
	if err != nil {
		return nil // a year with five digits
	}
	return []Notice{{NoticeKey: NoticeKey{Kind: NoticeHeavy, Start: start, Step: step},
		Use: use, Allowance: p.Allowance(), Unit: p.Unit(), Plan: p.Name, End: end}}
}

// reviewEnd is about the end of the last plan that was bought.
func (r Rows) reviewEnd(now time.Time) []Notice {
	s, ok := last(r.Subscriptions)
	if !ok || s.End.IsZero() || s.State == SubscriptionRefunded || now.Before(s.Since) {
		return nil
	}
	n := Notice{NoticeKey: NoticeKey{Kind: NoticeEnded, Start: s.Since}, Plan: s.Plan, End: s.End}
	if !s.before(now) {
		return []Notice{n}
	}
	for _, before := range warnings {
		// At 30 days before its end a monthly plan has only begun.
		at := s.End.In(r.zone()).AddDate(0, 0, -before)
		if now.Before(at) || !at.After(s.Since.Add(24*time.Hour)) {
			continue
		}
		n.Kind, n.Step = NoticeRenewal, before
		return []Notice{n}
	}
	return nil
}

// reviewOrders reminds the operator of paid orders.
func (r Rows) reviewOrders(now time.Time) []Notice {
	var due []Notice
	for _, o := range r.Orders {
		if latest, alarm := ActivationDue(o, now); alarm {
			due = append(due, Notice{NoticeKey: NoticeKey{Kind: NoticeActivation, Start: o.PaidAt, OrderID: o.ID}, Plan: o.Plan, End: latest})
		}
	}
	return due
}
