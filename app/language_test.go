package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
)

// Sentences are put together from parts, counts and times; another language
// must be able to order and bend them its own way.
func TestStatesInItalian(t *testing.T) {
	text, err := os.ReadFile("../assets/translations/it.json")
	if err != nil {
		t.Fatal(err)
	}
	it, err := say.FromCatalogue(language.Italian, text)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	today, later := now.Add(time.Hour), now.AddDate(0, 0, 6)
	said := func(a AccountState) say.Words {
		describe(&a, now)
		return a.Said.Sentence
	}
	two := State{Spool: SpoolState{OK: true}, Accounts: []AccountState{{Name: "a"}, {Name: "b", Hold: &HoldState{Reason: mail.HoldPaused}, Messages: 1, Recipients: 1}}}
	for i := range two.Accounts {
		describe(&two.Accounts[i], now)
	}
	summarise(&two)
	missing, _ := Words(secretError(&secret.Error{Said: secret.Said{
		Sentence: say.T("There is no {{.Secret}}.").With("Secret", say.T("password of the account {{.Account}}").With("Account", "ufficio")), Action: say.T("Enter it."),
	}}))
	port := listenState(proxy.Listener{Address: "127.0.0.1:2525", Err: &proxy.BindError{Reason: proxy.ErrInUse}, Offered: "127.0.0.1:2526"})
	for _, c := range []struct {
		words say.Words
		want  string
	}{
		{said(AccountState{Recipients: 5000, FinishAt: &today}), "Invio in corso: restano 5.000 destinatari, fine prevista: 10:00."},
		{said(AccountState{Recipients: 1, FinishAt: &later}), "Invio in corso: resta 1 destinatario, fine prevista: 1 dicembre, ore 09:00."},
		{said(AccountState{Recipients: 2, Pace: PaceState{Slowed: slowedBy(pace.Slowing{Percent: 40, Cause: pace.CauseRelay})}}),
			"Invio in corso: restano 2 destinatari. Velocità ridotta al 40%, perché il relay lo ha chiesto."},
		{said(AccountState{Messages: 1, Recipients: 2, Hold: &HoldState{Reason: mail.HoldQuota, Until: &later}}),
			"Il volume previsto dal piano è esaurito. In attesa: 1 messaggio per 2 destinatari. Inizio del prossimo periodo: 1 dicembre, ore 09:00."},
		{two.Said.Sentence, "b: L'invio è sospeso. In attesa: 1 messaggio per 1 destinatario."},
		{port.Said.Action, "Chiudere quel programma, oppure scegliere un'altra porta nelle impostazioni e nel programma di posta. 127.0.0.1:2526 è libero."},
		{missing.Sentence, "Non è presente la password dell'account ufficio."},
	} {
		if got := it.Words(c.words); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// What a sender reads is in the window's language, or the system's.
func TestLanguageOfReports(t *testing.T) {
	for _, c := range []struct{ choice, locale, want string }{
		{"system", "", "Mail delivery report"},
		{"system", "it-IT", "Rapporto di consegna"},
		{"system", "it_CH.UTF-8", "Rapporto di consegna"},
		{"system", "fr-FR", "Mail delivery report"},
		{"en", "it-IT", "Mail delivery report"},
		{"it", "de", "Rapporto di consegna"},
	} {
		e := &Engine{cfg: Config{Locale: c.locale}, settings: settings.Settings{Window: settings.Window{Language: c.choice}}}
		if got := e.printer().Say("Mail delivery report"); got != c.want {
			t.Errorf("%s on %q: %q, want %q", c.choice, c.locale, got, c.want)
		}
	}
}

func TestFailureWords(t *testing.T) {
	for _, c := range []struct {
		code        mail.Code
		why, advice string // parts
	}{
		{mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, "does not exist", "how the address is written"},
		{mail.Code{Basic: 550, Enhanced: [3]int{5, 2, 2}}, "mailbox is full", "in another way"},
		{mail.Code{Basic: 552, Enhanced: [3]int{5, 3, 4}}, "too large", "without large attachments"},
		{mail.Code{Basic: 552}, "too large", "without large attachments"},
		{mail.Code{Basic: 550}, "does not exist", "how the address is written"},
		{mail.Code{Basic: 550, Enhanced: [3]int{5, 7, 1}}, "does not want", "own words"},
		{mail.Code{Basic: 554}, "refused the message", "own words"},
		{mail.Code{Basic: 553, Enhanced: [3]int{5, 6, 7}}, "letters", "plain letters"},
		{mail.Code{Basic: 451, Enhanced: [3]int{4, 7, 1}}, "five days", "in another way"},
		{mail.Code{}, "lost on this computer", "Send it again"},
	} {
		w := failureWords(c.code)
		why, advice := w.sentence, w.action
		if !strings.Contains(why.String(), c.why) || !strings.Contains(advice.String(), c.advice) {
			t.Errorf("%v: %q, %q", c.code, why, advice)
		}
	}
}
