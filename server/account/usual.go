package account

import (
	"cmp"
	"slices"

	"servicesmtp.net/companion/internal/units"
)

// Usual is what was used on the last days with use before a day.
type Usual struct {
	Days  int64 // heavyDays at most
	Total Charge
	use   int64 // the same as one number, day by day
}

// Mean is what a day of them used, rounded down.
func (u Usual) Mean() Charge {
	if u.Days == 0 {
		return Charge{}
	}
	return Charge{Emails: u.Total.Emails / u.Days, Bytes: u.Total.Bytes / units.ByteSize(u.Days)}
}

// Usual finds what is usual before the day.
func (p Plan) Usual(history []DayUse, day string) Usual {
	var earlier []DayUse
	for _, d := range history {
		if d.Day < day && p.Use(d.Used) > 0 {
			earlier = append(earlier, d)
		}
	}
	slices.SortFunc(earlier, func(a, b DayUse) int { return cmp.Compare(b.Day, a.Day) })
	var u Usual
	for _, d := range earlier[:min(len(earlier), heavyDays)] {
		u.Days++
		u.Total = u.Total.Add(d.Used)
		u.use = add(u.use, p.Use(d.Used))
	}
	return u
}

// On is what was used on the day.
func On(history []DayUse, day string) Charge {
	for _, d := range history {
		if d.Day == day {
			return d.Used
		}
	}
	return Charge{}
}
