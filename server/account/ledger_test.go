package account

import (
	"slices"
	"strings"
	"time"
)

// The bookkeeper reckons a year in another way than the rules do: with the
// whole list of e-mails in hand, a contract at a time, months as words of the
// local date, credits as one pot. It uses the catalogue's numbers and none of
// the package's functions.

// book is what the bookkeeper bills. It ends with a bill of the plan "WRONG"
// where a message was accepted or refused otherwise than he would have.
func book(cat Catalogue, l *life) []Bill {
	var bills []Bill
	covered := 0
	var before time.Time
	for _, c := range l.contracts {
		if begin := c.bought; !c.start.Equal(begin) && !c.start.Equal(before) || begin.Before(before) && c.start.Equal(begin) {
			return append(bills, Bill{Plan: "WRONG", Start: c.start}) // neither at once nor when the old one ends
		}
		end := bookEnd(c, l.rows.Zone)
		before = end
		var tries []try
		for _, m := range l.tries {
			if !m.at.Before(c.start) && m.at.Before(end) {
				tries = append(tries, m)
			}
			if !m.at.Before(c.start) && m.at.Before(end) && m.accepted {
				covered++
			}
		}
		bills = append(bills, bookContract(cat, l, c, end, tries)...)
	}
	for _, m := range l.tries {
		if m.accepted {
			covered--
		}
	}
	if covered != 0 { // accepted without a plan, or under two
		return append(bills, Bill{Plan: "WRONG"})
	}
	return bills
}

// bookEnd writes the next year into the local date.
func bookEnd(c contractNote, zone *time.Location) time.Time {
	if strings.HasSuffix(c.plans[0].plan, "-month") {
		return c.start.Add(720 * time.Hour)
	}
	local := c.start.In(zone)
	return time.Date(local.Year()+1, local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), zone).UTC()
}

// planOn is the plan of the contract that counts at t.
func planOn(cat Catalogue, c contractNote, t time.Time) Plan {
	name := c.plans[0].plan
	for _, n := range c.plans {
		if !n.at.After(t) {
			name = n.plan
		}
	}
	for _, p := range cat.plans {
		if p.Name == name {
			return p
		}
	}
	return Plan{}
}

// bookContract goes through the months of a contract that anything was
// accepted in.
func bookContract(cat Catalogue, l *life, c contractNote, end time.Time, tries []try) []Bill {
	word := func(t time.Time) string {
		if planOn(cat, c, c.start).Monthly {
			return "the month"
		}
		return t.In(l.rows.Zone).Format("2006-01")
	}
	var months []string
	of := map[string][]try{}
	for _, m := range tries {
		w := word(m.at)
		if !slices.Contains(months, w) {
			months = append(months, w)
		}
		of[w] = append(of[w], m)
	}
	chained := l.chained
	pot := int64(0)
	var bills []Bill
	for _, w := range months {
		from, to := bookMonth(w, l.rows.Zone, c.start, end)
		for _, k := range chained { // in a month without e-mails
			if !k.at.Before(c.start) && k.at.Before(from) {
				pot += k.emails
			}
		}
		chained = slices.DeleteFunc(slices.Clone(chained), func(k chainedNote) bool { return k.at.Before(from) })
		b, rest, right := bookOne(cat, l, c, of[w], from, to, end, pot, &chained)
		pot = rest
		if b.Use > 0 {
			bills = append(bills, b)
		}
		if !right {
			return append(bills, Bill{Plan: "WRONG", Start: from})
		}
	}
	return bills
}

// bookMonth finds a month's first and last moment by trying minutes.
func bookMonth(word string, zone *time.Location, first, end time.Time) (from, to time.Time) {
	if word == "the month" {
		return first.UTC(), end.UTC()
	}
	noon, _ := time.ParseInLocation("2006-01-02 15:04", word+"-01 12:00", zone)
	next := noon.AddDate(0, 1, 0)
	back := func(t time.Time) time.Time {
		w := t.In(zone).Format("2006-01")
		for t.Add(-15*time.Minute).In(zone).Format("2006-01") == w {
			t = t.Add(-15 * time.Minute)
		}
		return t.UTC()
	}
	from, to = back(noon), back(next)
	if from.Before(first) {
		from = first.UTC()
	}
	if to.After(end) {
		to = end.UTC()
	}
	return from, to
}

// bookOne replays one month's messages, checks each answer, and bills the sum.
func bookOne(cat Catalogue, l *life, c contractNote, tries []try, from, to, end time.Time, pot int64, chained *[]chainedNote) (b Bill, rest int64, right bool) {
	bytes, emails := int64(0), int64(0)
	right = true
	for _, m := range tries {
		p := planOn(cat, c, m.at)
		credit := pot
		for _, k := range *chained {
			if k.at.Before(m.at) && p.Kind == Unlimited {
				credit += k.emails
			}
		}
		policy := l.policies[0].policy
		for _, n := range l.policies {
			if !n.at.After(m.at) {
				policy = n.policy
			}
		}
		ceiling := p.Emails
		if p.Kind == Bandwidth {
			ceiling = int64(p.Bytes)
			if policy == Surcharge && !p.Monthly {
				ceiling = int64(p.Tiers[len(p.Tiers)-1].Bytes)
			}
		}
		more := []int64{bytes + m.size*m.recipients, emails + m.recipients}
		fits := more[1] <= ceiling+credit
		if p.Kind == Bandwidth {
			fits = more[0] <= ceiling+credit && more[1]*10_000 <= ceiling+credit
		}
		right = right && fits == m.accepted
		if m.accepted {
			bytes, emails = more[0], more[1]
		}
	}
	for _, k := range *chained {
		if k.at.Before(to) {
			pot += k.emails
		}
	}
	*chained = slices.DeleteFunc(slices.Clone(*chained), func(k chainedNote) bool { return k.at.Before(to) })
	p := planOn(cat, c, to.Add(-1))
	b = Bill{AccountID: l.rows.AccountID, Start: from, End: to, Plan: p.Name, Unit: Emails, Use: emails, Allowance: p.Emails, Currency: "EUR"}
	if p.Kind == Bandwidth {
		b.Unit, b.Allowance, b.Use = Bytes, int64(p.Bytes), bytes
		if emails*10_000 > bytes {
			b.Use = emails * 10_000
		}
	}
	rest = pot
	if emails == 0 || b.Use <= b.Allowance {
		return b, rest, right
	}
	b.Consumed = b.Use - b.Allowance
	if pot < b.Consumed {
		b.Consumed = pot
	}
	rest -= b.Consumed
	open := b.Use - b.Consumed
	for _, tier := range p.Tiers {
		if open > b.Allowance && open <= int64(tier.Bytes) && b.Tier == 0 {
			b.Tier, b.Price = int64(tier.Bytes), tier.Price
			b.Surcharged = open - b.Allowance
			for to.Before(end) && open+b.Granted+500_000_000 <= int64(tier.Bytes) {
				b.Granted += 500_000_000
			}
		}
	}
	if open > b.Allowance && b.Tier == 0 {
		b.Uncovered = open - b.Allowance
	}
	return b, rest + b.Granted, right
}
