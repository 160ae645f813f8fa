package ui

import (
	"context"
	"fmt"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"golang.org/x/text/language"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/assets"
	"servicesmtp.net/companion/ui/look"
)

// whole is a façade with everything in it: long names, long replies.
type whole struct {
	*household
	*lists
}

func (w whole) State() app.State                       { return app.State{} }
func (w whole) Watch(context.Context) <-chan app.State { return nil }
func (w whole) Resume(context.Context, string) error   { return nil }
func (w whole) Login(context.Context) (app.Login, error) {
	return app.Login{Address: "127.0.0.1:2525", User: "companion", Password: "98kc49-s3822s-48qcgy-9h4dvq", Auth: "required"}, nil
}
func (w whole) Certificate(context.Context) (app.Certificate, error) {
	return app.Certificate{File: "/data/local-ca.pem", PEM: "-----BEGIN CERTIFICATE-----\n"}, nil
}
func (w whole) SeeNotice(context.Context, string, int64) error { return nil }
func (w whole) Sent(context.Context, string, time.Time, time.Duration) ([]app.SentSpan, error) {
	return nil, nil
}

const longName = "newsletter-und-neuigkeiten@laden-mit-langem-namen.example"

func newWhole() whole {
	w := whole{newHousehold(), twoJobs()}
	w.household.usage = app.Usage{Account: "home", Plan: "unlimited-standard-month", From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Emails: 31_000, EmailsLimit: 50_000, Days: []app.UsageDay{{Day: "2026-11-02", Emails: 31_000, Bytes: 1 << 30}}}
	w.household.log = []app.LogLine{{At: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), Level: "WARN", Text: "the relay's reports cannot be read part=facts account=home err=" + longName}}
	for i := range w.jobs {
		w.jobs[i].From = longName
	}
	for i := range 40 {
		w.errors = append(w.errors, app.AddressError{Address: fmt.Sprintf("r%d-%s", i, longName), Reason: "The address does not exist or does not take mail.", Code: "550 5.1.1",
			Reply: "no such user here, and this server tells so at some length", Source: "recipient", Account: "home", At: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)})
	}
	return w
}

// busyState is a State in which every part of the overview has something.
func busyState(w whole) app.State {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	return app.State{
		Seq: 1, Mood: app.MoodAttention, Do: app.DeedListen, Jobs: w.jobs,
		Said: app.Said{Sentence: say.Words{say.T("Port {{.Port}} is in use by another program, so mail programs cannot reach the companion at {{.Address}}.").With("Port", 2525).With("Address", "127.0.0.1:2525")},
			Action: say.Words{say.T("End that program, or choose another port in the settings and in your mail program.")}},
		Accounts: []app.AccountState{{
			Name: "home", Mood: app.MoodSending, Messages: 2, Recipients: 3800, FinishAt: &at,
			Pace:  app.PaceState{PerMinute: 600, Slowed: say.T("Slowed to {{.Percent}} %, because many servers asked to try again later.").With("Percent", 50)},
			Quota: &app.QuotaState{Plan: "unlimited-standard-month", Emails: 31_000, EmailsLimit: 50_000, Bytes: 1 << 30, BytesLimit: 5 << 30, Reset: at, AsOf: at},
		}},
		Listen:  []app.ListenState{{Address: "127.0.0.1:2525", OK: true}},
		Notices: []app.NoticeState{{Account: "home", ID: 1, At: at, Severity: "warning", Subject: "Your plan is nearly used up", Body: "Ninety of a hundred e-mails are gone."}},
	}
}

func printer(t *testing.T, tag string) say.Printer {
	t.Helper()
	p, err := say.FromCatalogue(language.Make(tag), assets.Translation(tag))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEveryPageFitsTheSmallestWindow in every language: a page that needs more
// would make the window grow under the person's hand.
func TestEveryPageFitsTheSmallestWindow(t *testing.T) {
	for _, tag := range assets.Languages() {
		for _, page := range []string{pageOverview, pageQueue, pageErrors, pageUsage, pageConnect, pageSettings, pageLog, "job", "details"} {
			t.Run(tag+" "+page, func(t *testing.T) {
				w := newWhole()
				u, d := listUI(t, w, busyState(w))
				u.say, u.here = printer(t, tag), page
				u.cfg.Desktop, u.cfg.Version = &login{}, "1.2.3-45-g0123456-dirty"
				switch page {
				case "job":
					u.here = pageQueue
				case "details":
					u.here = pageErrors
				}
				u.content = newShell(u)
				u.win.SetContent(u.content.root)
				u.win.Resize(windowLeast)
				u.content.seen(true)
				filled(t, u, d, page)
				u.win.Content().Refresh()
				if got := u.win.Content().MinSize(); got.Width > windowLeast.Width || got.Height > windowLeast.Height {
					t.Errorf("it needs %v, want at most %v", got, windowLeast)
				}
				checkInside(t, u)
			})
		}
	}
}

// filled waits until a page shows what it asked for.
func filled(t *testing.T, u *UI, d queued, page string) {
	t.Helper()
	switch p := u.content.current.(type) {
	case *queuePage:
		d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
		if page == "job" {
			p.openJob(p.ui.state.Jobs[0])
			d.until(func() bool { n, _ := p.job.rows.Total(); return n == 5000 })
			p.job.rows.Select(0)
		}
	case *errorsPage:
		d.until(func() bool { n, _ := p.rows.Total(); return n == 40 })
		if page == "details" {
			p.rows.Select(0)
		}
	case *usagePage:
		d.until(func() bool { return !p.refresh.Disabled() })
	case *logPage:
		d.until(func() bool { return len(p.rows) > 0 })
		p.choose(0)
	case *settingsPage:
		d.until(func() bool { return len(p.accounts.list.Objects) > 0 && !p.window.start.Disabled() })
	case *connectPage:
		d.until(func() bool { return len(p.fields.Objects) > 0 })
	case *overviewPage:
		d.until(func() bool { return p.end != nil && len(p.tiles.Objects) == 2 })
	}
}

// checkInside wants every text, button and field to end within the window.
func checkInside(t *testing.T, u *UI) {
	t.Helper()
	drawn(u.win.Content(), func(o fyne.CanvasObject) {
		text, ok := o.(*look.Text)
		if !ok || text.Text == "" {
			return
		}
		at := fyne.CurrentApp().Driver().AbsolutePositionForObject(o)
		if at.X+o.Size().Width > windowLeast.Width+1 {
			t.Errorf("%q ends at %v", text.Text, at.X+o.Size().Width)
		}
	})
}

// TestTheOverviewsTilesAreEquallyHigh, with one account and with more.
func TestTheOverviewsTilesAreEquallyHigh(t *testing.T) {
	for accounts := 1; accounts <= 3; accounts++ {
		w := newWhole()
		s := busyState(w)
		s.Notices = nil
		for n := 2; n <= accounts; n++ {
			a := s.Accounts[0]
			a.Name = fmt.Sprintf("account %d", n)
			s.Accounts = append(s.Accounts, a)
		}
		u, _ := shellUI(t, w, s, pageOverview)
		o, _ := u.content.current.(*overviewPage)
		tiles := o.tiles.Objects
		if len(tiles) != accounts+1 {
			t.Fatalf("%d accounts: %d tiles", accounts, len(tiles))
		}
		for i, tile := range tiles[1:] {
			before := tiles[i]
			if before.Position().Y == tile.Position().Y && before.Size().Height != tile.Size().Height {
				t.Errorf("%d accounts: beside each other are heights of %v and %v", accounts, before.Size().Height, tile.Size().Height)
			}
		}
		last := tiles[accounts]
		if right := last.Position().X + last.Size().Width; right < o.tiles.Size().Width-1 {
			t.Errorf("%d accounts: the last tile ends at %v of %v", accounts, right, o.tiles.Size().Width)
		}
		for _, notices := range [][]app.NoticeState{busyState(w).Notices, nil} {
			s.Notices = notices
			o.show(s)
			if o.notices.Visible() != (notices != nil) {
				t.Errorf("%d accounts, %d notices: their place is there: %v", accounts, len(notices), o.notices.Visible())
			}
		}
	}
}

// TestTheNavigationLinesUp: mark, pages and version have their words at the
// same place, the version at the bottom.
func TestTheNavigationLinesUp(t *testing.T) {
	w := newWhole()
	u, _ := shellUI(t, w, busyState(w), pageOverview)
	u.cfg.Version = "1.2.3"
	u.build()
	at := map[string]fyne.Position{}
	drawn(u.content.root, func(o fyne.CanvasObject) {
		text, ok := o.(*look.Text)
		if !ok {
			return
		}
		place := fyne.CurrentApp().Driver().AbsolutePositionForObject(text)
		if known, ok := at[text.Text]; !ok || place.X < known.X { // the page has a title of the same words
			at[text.Text] = place
		}
	})
	version := at["Version 1.2.3"]
	if version.Y < u.win.Canvas().Size().Height-60 {
		t.Errorf("the version stands at %v", version)
	}
	for _, words := range []string{"ServiceSMTP", "Overview", "Log"} {
		if at[words].X == 0 || at[words].X != version.X {
			t.Errorf("%q stands at %v, the version at %v", words, at[words].X, version.X)
		}
	}
}

var _ Engine = whole{}
