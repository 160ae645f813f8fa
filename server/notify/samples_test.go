package notify

import (
	"fmt"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
)

func rome(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func letter(t testing.TB) Letter {
	return Letter{Account: "office", Zone: rome(t), Now: time.Date(2026, 11, 25, 22, 30, 0, 0, time.UTC),
		From: "ServiceSMTP <postmaster@relay.example>", To: "anna@kunde.example", ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
}

var (
	november = time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC) // in Rome
	december = time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	standard = Volume{Emails: 50_000, Bytes: 500 * units.MB}
)

func use(percent int64) Use {
	return Use{Plan: "Standard", Used: Volume{Emails: 250 * percent, Bytes: units.ByteSize(percent) * 5 * units.MB}, Allowance: standard, Percent: percent,
		Errors: 1234, Start: november, End: december}
}

func choices(policy string) Choices {
	return Choices{Policy: policy, Companion: true, Upgrade: &Offer{"MEGA", money.Amount{Minor: 12_345, Currency: "EUR"}, "https://buy.example/up?a=1&b=2"},
		Tiers: []Offer{{"1 GB", money.Amount{Minor: 1900, Currency: "EUR"}, ""}, {"2 GB", money.Amount{Minor: 3500, Currency: "EUR"}, ""}, {"5 GB", money.Amount{Minor: 8000, Currency: "EUR"}, ""}}}
}

func monthReport() MonthReport {
	r := MonthReport{Use: use(320), Failed: 3,
		Kinds: []KindCount{{NoAddress, 2}, {MailboxFull, 1}},
		Addresses: []FailedAddress{
			{"gone@dst.example", NoAddress, "550 5.1.1 no such user", november.Add(time.Hour), 3},
			{"=cmd|'/c calc'!a0@dst.example", NoAddress, "550 =1+1; =2", november.Add(2 * time.Hour), 1},
			{"jürgen@müller.example", MailboxFull, "552 5.2.2 voll", november.Add(3 * time.Hour), 1},
		},
		Bill: &Bill{Tier: "2 GB", Amount: money.Amount{Minor: 3500, Currency: "EUR"}, Credited: Volume{Bytes: 500 * units.MB}, Reference: "2026-0117"}}
	for d := 1; d <= 30; d += 3 {
		r.Days = append(r.Days, Day{fmt.Sprintf("2026-11-%02d", d), Volume{int64(d) * 1000, units.ByteSize(d) * 17 * units.MB}})
	}
	return r
}

// samples are all kinds, some of them in more than one form.
func samples() map[string]Notice {
	limited := Use{Plan: "Unlimited Standard", Used: Volume{50_000, 7 * units.GB}, Allowance: Volume{Emails: 50_000}, Percent: 100, Start: november, End: december}
	return map[string]Notice{
		"usage":                UsageStep{use(31), 30},
		"near_limit":           NearLimit{use(92), choices("surcharge")},
		"near_limit-stop":      NearLimit{use(92), choices("stop")},
		"over_limit":           OverLimit{use(101), choices("surcharge")},
		"over_limit-block":     OverLimit{use(100), choices("block")},
		"over_limit-unlimited": OverLimit{limited, Choices{Chained: &Offer{"Unlimited Entry, one month", money.Amount{Minor: 900, Currency: "EUR"}, "https://buy.example/chain"}}},
		"over_limit-monthly":   OverLimit{use(100), Choices{}},
		"blocked_until":        Blocked{use(100), december},
		"blocked_until-over":   Blocked{use(100), time.Time{}},
		"active_again":         ActiveAgain{use(0)},
		"heavy_use":            HeavyUse{use(45), Volume{9_000, 90 * units.MB}, Volume{800, 8 * units.MB}, 28},
		"renewal_due":          RenewalDue{"Standard", december, 7, money.Amount{Minor: 9900, Currency: "EUR"}, "https://buy.example/renew/01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		"renewal_due-by-hand":  RenewalDue{"Standard", december, 1, money.Amount{}, ""},
		"ended":                Ended{"Standard", december, "https://buy.example/renew"},
		"month_report":         monthReport(),
		"month_report-empty":   MonthReport{Use: Use{Plan: "Standard", Allowance: standard, Start: november, End: december}},
		"payment_request":      PaymentRequest{"2026-0117", "Surcharge 2 GB", "November 2026", money.Amount{Minor: 123_450, Currency: "EUR"}, december, "Pay to IBAN XX00 0000 0000.", "https://pay.example/2026-0117"},
		"payment_received":     PaymentReceived{"2026-0118", "Plan Standard, a year", money.Amount{Minor: 5000, Currency: "JPY"}, "Standard", november, december.AddDate(1, 0, 0)},
		"credit_granted":       CreditGranted{Volume{Bytes: 2 * units.GB}, "5 GB surcharge of November 2026", december.AddDate(0, 6, 0)},
		"credit_granted-mails": CreditGranted{Volume{Emails: 4000}, "Unlimited Entry, one month", december.AddDate(0, 6, 0)},
		"credit_granted-ever":  CreditGranted{Volume{Bytes: 500 * units.MB}, "1 GB surcharge of November 2026", time.Time{}},
		"held":                 Held{"many complaints"},
		"held-no-reason":       Held{},
		"released":             Released{},
		"blocked":              Closed{"spam"},
		"unblocked":            Opened{},
		"month_report-30-days": MonthReport{Use: Use{Plan: "Entry, one month", Used: Volume{900, 9 * units.MB}, Allowance: Volume{9_000, 90 * units.MB}, Percent: 10,
			Start: november.Add(228 * time.Hour), End: november.Add(948 * time.Hour)}, Days: []Day{{"2026-11-12", Volume{900, 9 * units.MB}}}},
		"activation": ActivationDue{"office", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "Standard", november.Add(9 * time.Hour), november.Add(33 * time.Hour)},
	}
}
