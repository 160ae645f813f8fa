package app

import (
	"os"
	"testing"
	"time"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
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
